"""Who reports, and what a record of a report has to be: each part and each edge."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lab.consoles import pairs
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from proxy.console.intake.reports import Report, Sender, read_logs, read_metrics

RESOURCE = {
    "ops.instance": "i-1", "service.name": "shop", "service.instance.id": "pod-7", "host.name": "h",
    "telemetry.sdk.version": "1.2", "ops.report.version": "1",
}  # fmt: skip
EXCHANGE = LogRecord(event_name="ops.exchange")


def sender(**changed: Any) -> Sender | None:
    resource = {**RESOURCE, **{key.replace("_", "."): value for key, value in changed.items()}}
    found = read_logs(resource, "", [EXCHANGE])
    return found[0].sender if found else None


def read(record: LogRecord) -> Report | None:
    found = read_logs(RESOURCE, "", [record])
    return found[0] if found else None


def test_who_reports() -> None:
    assert sender() == Sender("i-1", "shop", "pod-7", "h", "1.2", False)
    nothing = {"service_name": "", "service_instance_id": 5, "host_name": None, "telemetry_sdk_version": ["1"]}
    assert sender(**nothing) == Sender("i-1", "unknown_service", "i-1", "", "", False)
    long = sender(ops_instance="i" * 257, service_name="s" * 257, service_instance_id="", host_name="h" * 257)
    assert long == Sender("i" * 256, "s" * 256, "i" * 256, "h" * 256, "1.2", False)


@pytest.mark.parametrize("instance", ["", None, 5, ["i"]])
def test_nobody_reports(instance: object) -> None:
    assert sender(ops_instance=instance) is None


@pytest.mark.parametrize(
    ("version", "is_newer"),
    [("1", False), ("0", False), ("2", True), ("", False), (None, False), (1, False), (2, True), ("x", True),
     ("1.1", True), ("0000012", False), ("9" * 5000, True)],
)  # fmt: skip
def test_a_version_beyond_ours_is_newer(version: object, is_newer: bool) -> None:
    found = sender(ops_report_version=version)
    assert found is not None and found.is_newer is is_newer


def test_an_exchange() -> None:
    made = LogRecord(
        event_name="ops.exchange", time_unix_nano=7, observed_time_unix_nano=9, trace_id=b"t" * 16, span_id=b"s" * 8,
        flags=0x1FF, attributes=pairs({"a": ["b"]}),
    )  # fmt: skip
    found = read(made)
    assert found is not None
    assert found == Report("ops.exchange", found.sender, 7, 9, {"a": ["b"]}, b"t" * 16, b"s" * 8, 0xFF)
    made.observed_time_unix_nano = 5
    assert (found := read(made)) is not None and found.ended == 7
    for trace, span in ((b"t" * 15, b"s" * 8), (b"t" * 16, b"s" * 9)):
        made.trace_id, made.span_id = trace, span
        assert (found := read(made)) is not None and (found.trace, found.span) == (b"", b"")


def test_an_older_protocol_has_the_event_among_the_attributes() -> None:
    assert (found := read(LogRecord(attributes=pairs({"event.name": "ops.exchange"})))) is not None
    assert found.kind == "ops.exchange"


@pytest.mark.parametrize("which", ["time_unix_nano", "observed_time_unix_nano"])
def test_a_time_beyond_2116_is_left_out(which: str) -> None:
    assert read(LogRecord(event_name="ops.exchange", **{which: (1 << 62) - 1})) is not None
    assert read(LogRecord(event_name="ops.exchange", **{which: 1 << 62})) is None


def document(event: str, body: str) -> Any:
    made = LogRecord(event_name=event, time_unix_nano=7)
    made.body.string_value = body
    found = read(made)
    return found.said if found is not None else None


@pytest.mark.parametrize(
    ("event", "body", "said"),
    [
        ("ops.counts", '{"seq": 1, "more": [1]}', {"seq": 1, "more": [1]}),
        ("ops.counts", "[]", None),
        ("ops.plan", '{"via": "v", "more": 1}', {"via": "v"}),
        ("ops.plan", "[]", None),
        ("ops.settings", "[]", []),
        ("ops.health", "{}", {}),
        ("ops.shadow", "[]", []),
        ("ops.proofs", "{}", {}),
        ("ops.counts", '{"a": NaN}', None),
        ("ops.counts", '{"a": -Infinity}', None),
        ("ops.counts", '{"a": 1e999}', None),
        ("ops.counts", '{"a": 1e9}', {"a": 1e9}),
        ("ops.counts", "{", None),
        ("ops.of-tomorrow", "{}", None),
        ("", "{}", None),
    ],
)
def test_a_document(event: str, body: str, said: object) -> None:
    assert document(event, body) == said


@pytest.mark.parametrize(("more", "is_read"), [(0, True), (1, False)])
def test_a_document_has_4_mib(more: int, is_read: bool) -> None:
    body = json.dumps({"a": ""})
    body = body[:-2] + "x" * (4 * 1024 * 1024 + more - len(body)) + body[-2:]
    assert (document("ops.counts", body) is not None) is is_read


def test_metrics_are_for_other_readers() -> None:
    assert read_metrics(RESOURCE, "", [object()]) == ()
