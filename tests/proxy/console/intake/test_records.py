"""What the decoder takes out of spans, logs and metrics, part by part; and what it counts."""

from __future__ import annotations

from typing import Any

import pytest
from lab.consoles import NOW_NS, hop, pairs, sent, span
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from proxy.console.intake.decode import OtlpError, parse, read_logs, read_metrics, read_traces
from proxy.console.intake.records import Batch, Log, Source, Span

MS = 1_000_000


def only(request: Any) -> Span:
    (found,) = read_traces(request).spans
    return found


def test_a_span_with_all_that_is_taken_out_of_it() -> None:
    made = span(2, ms=7, kind=3, name="pay", error=True, attributes={"session.id": "ann", "n": 1})
    request = sent(made, service="shop", scope="app")
    found = only(request)
    assert found == Span(
        trace=(1).to_bytes(16, "big"),
        span=(2).to_bytes(8, "big"),
        parent=b"",
        source=Source(request.resource_spans[0].resource.SerializeToString(), "shop"),
        scope="app",
        name="pay",
        kind=3,
        started=NOW_NS,
        ended=NOW_NS + 7 * MS,
        is_error=True,
        session="ann",
        body=made.SerializeToString(),
        attributes={"session.id": "ann", "n": 1},
        links=[],
    )
    batch = read_traces(request)
    assert (batch.accepted, batch.rejected, batch.unkept, batch.reason, batch.has_reports) == (1, 0, 0, "", False)
    assert batch.size == len(found.body) + 600


def test_of_a_span_with_a_parent_only_the_session_is_read() -> None:
    found = only(sent(span(2, parent=1, attributes={"n": 1, "session.id": 7})))
    assert (found.parent, found.attributes, found.session) == ((1).to_bytes(8, "big"), {}, "7")
    ours = only(sent(hop(2, parent=1, attributes={"session.id": ""}), scope="ops-sidecar"))
    assert (ours.attributes["ops.upstream"], ours.session) == ("app", None)


@pytest.mark.parametrize(
    ("scope", "said", "links"),
    [
        ("ops-sidecar", {"ops.link": "conflict"}, ["conflict"]),
        ("ops-sidecar", {"other": "x"}, [""]),
        ("ops-sidecar", {"other": "x", "ops.link": 5}, ["5"]),
        ("app", {"ops.link": "conflict"}, []),
    ],
)
def test_reasons_of_links_are_those_of_sidecars(scope: str, said: dict[str, Any], links: list[str]) -> None:
    made = hop(1)
    made.links.add(trace_id=bytes(16), attributes=pairs(said))
    assert list(only(sent(made, scope=scope)).links) == links


@pytest.mark.parametrize("letters", [256, 257])
def test_names_are_cut(letters: int) -> None:
    found = only(sent(span(1, name="n" * letters, attributes={"session.id": "i" * letters}), service="s" * letters,
                      scope="c" * letters))  # fmt: skip
    parts = (found.name, found.session, found.source.service, found.scope)
    assert parts == ("n" * 256, "i" * 256, "s" * 256, "c" * 256)


def test_a_service_without_a_name_is_unknown() -> None:
    for service in ("", 0):
        request = sent(span(1))
        del request.resource_spans[0].resource.attributes[:]
        request.resource_spans[0].resource.attributes.extend(pairs({"a": "b", "service.name": service}))
        assert only(request).source.service == "unknown_service"
    request.resource_spans[0].resource.attributes.extend(pairs({"service.name": "late"}))
    assert only(request).source.service == "unknown_service"  # the first counts


@pytest.mark.parametrize(("code", "is_error"), [(0, False), (1, False), (2, True)])
def test_an_error_is_a_status_of_two(code: int, is_error: bool) -> None:
    made = span(1)
    made.status.code = code  # type: ignore[assignment]  # a number on the wire
    assert only(sent(made)).is_error is is_error


def test_a_span_ends_no_earlier_than_it_begins() -> None:
    assert only(sent(span(1, ms=-5))).ended == NOW_NS


@pytest.mark.parametrize(("at", "rejected"), [((1 << 62) - 1, 0), (1 << 62, 1)])
@pytest.mark.parametrize("which", ["start_time_unix_nano", "end_time_unix_nano"])
def test_a_time_beyond_2116_is_rejected(which: str, at: int, rejected: int) -> None:
    made = span(1)
    setattr(made, which, at)
    found = read_traces(sent(made))
    assert (found.rejected, found.reason) == (rejected, "a span with a time beyond the year 2116" * rejected)


@pytest.mark.parametrize(("more", "rejected"), [(0, 0), (1, 2)])
def test_a_resource_has_64_kib(more: int, rejected: int) -> None:
    request = sent(span(1), span(2))
    resource = request.resource_spans[0].resource
    resource.attributes.extend(pairs({"x": ""}))
    text = "y" * 65_000
    resource.attributes[-1].value.string_value = text
    resource.attributes[-1].value.string_value = text + "y" * (64 * 1024 + more - resource.ByteSize())
    assert resource.ByteSize() == 64 * 1024 + more
    logs = ExportLogsServiceRequest()
    group = logs.resource_logs.add(resource=resource)
    group.scope_logs.add().log_records.add()
    group.scope_logs[0].log_records.add()
    for found in (read_traces(request), read_logs(logs)):
        assert (found.rejected, found.accepted) == (rejected, 2 - rejected)
        assert found.reason == ("a resource of more than 65,536 bytes" if rejected else "")


def logs(**more: Any) -> Batch:
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    group.resource.attributes.extend(pairs({"service.name": "shop", "ops.instance": "i"}))
    inner = group.scope_logs.add()
    inner.scope.name = more.pop("scope", "app")
    record = {"trace_id": (1).to_bytes(16, "big"), "span_id": b"1" * 8, "time_unix_nano": 7} | more
    inner.log_records.add(**record)
    return read_logs(request)


def test_a_log_of_a_trace() -> None:
    batch = logs()
    ((found,), size) = batch.logs, batch.size
    assert (found.trace, found.source.service, found.scope, found.at) == ((1).to_bytes(16, "big"), "shop", "app", 7)
    assert isinstance(found, Log)
    assert size == len(found.body) + 600
    assert (batch.accepted, batch.rejected, batch.unkept, batch.has_reports) == (1, 0, 0, False)
    assert [one.at for one in logs(time_unix_nano=0, observed_time_unix_nano=9).logs] == [9]


@pytest.mark.parametrize("trace", [b"", bytes(16), b"1" * 15, b"1" * 17])
def test_a_log_of_no_trace_is_accepted_and_not_kept(trace: bytes) -> None:
    batch = logs(trace_id=trace)
    assert (list(batch.logs), batch.accepted, batch.unkept, batch.size) == ([], 1, 1, 0)


@pytest.mark.parametrize(
    ("parts", "rejected"),
    [({"time_unix_nano": (1 << 62) - 1}, 0), ({"time_unix_nano": 1 << 62}, 1), ({"severity_text": "x" * 1_048_576}, 1),
     ({"severity_text": "x" * 1_048_000}, 0)],
)  # fmt: skip
def test_a_log_at_its_bounds(parts: dict[str, Any], rejected: int) -> None:
    batch = logs(**parts)
    assert (batch.rejected, batch.accepted) == (rejected, 1 - rejected)
    assert batch.reason == "a log record of more than 1,048,576 bytes, or with an impossible time" * rejected


def test_reports_are_no_logs() -> None:
    batch = logs(scope="ops-sidecar.report", event_name="ops.exchange", attributes=pairs({"ops.request.id": "r"}))
    assert (list(batch.logs), [one.kind for one in batch.reports]) == ([], ["ops.exchange"])
    assert (batch.accepted, batch.unkept, batch.has_reports) == (1, 0, True)
    assert batch.size > 50
    nothing = logs(scope="ops-sidecar.report", event_name="of tomorrow")
    assert (list(nothing.reports), nothing.accepted, nothing.has_reports, nothing.size) == ([], 1, True, 0)


@pytest.mark.parametrize(("scope", "unkept", "has_reports"), [("app", 2, False), ("ops-sidecar.report", 0, True)])
def test_metrics_are_accepted_and_not_kept(scope: str, unkept: int, has_reports: bool) -> None:
    request = ExportMetricsServiceRequest()
    inner = request.resource_metrics.add().scope_metrics.add()
    inner.scope.name = scope
    inner.metrics.add(name="a")
    inner.metrics.add(name="b")
    found = read_metrics(request)
    assert (found.accepted, found.unkept, found.has_reports, found.size) == (2, unkept, has_reports, 0)


def test_the_first_reason_is_told() -> None:
    first, second = span(1), span(2)
    first.parent_span_id = b"1"
    second.trace_id = b"1"
    found = read_traces(sent(first, second))
    assert (found.rejected, found.reason) == (2, "a span with a parent id that has not 8 bytes")


def test_a_body_that_is_not_the_message() -> None:
    with pytest.raises(OtlpError) as caught:
        parse(ExportLogsServiceRequest, b"\xff")
    assert str(caught.value) == "the body is not an ExportLogsServiceRequest in protobuf"
