"""One trace as the page draws it: each field of a span, a link and a log record, and what its sentence tells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from gates.fleet import Console, fleet
from lab.answers import check_named
from lab.consoles import NOW_NS, pairs, sent, span, value
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from proxy.console.intake.decode import read_logs, read_traces
from proxy.console.query import trace as module
from proxy.console.query.trace import trace
from proxy.console.query.traces import traces
from proxy.console.store.traces import TraceWriter

TRACE = f"{1:032x}"
MS = 1_000_000


class Store:
    """A store that is given spans and log records, and asked for the trace 1."""

    def __init__(self, console: Console) -> None:
        self._connection = console.connection
        self.reader = console.reader

    def take(self, request: Any) -> None:
        read = read_logs if isinstance(request, ExportLogsServiceRequest) else read_traces
        batch = read(request)
        TraceWriter(self._connection).write(batch.spans, batch.logs)

    def log(self, *records: LogRecord) -> None:
        request = ExportLogsServiceRequest()
        request.resource_logs.add().scope_logs.add().log_records.extend(records)
        self.take(request)

    def ask(self) -> dict[str, Any]:
        said = trace(self.reader, TRACE)
        assert said is not None
        check_named("Trace", said)
        return said

    def only(self) -> dict[str, Any]:
        (one,) = self.ask()["spans"]
        return dict(one)


@pytest.fixture
def store() -> Iterator[Store]:
    with fleet() as (_, console):
        yield Store(console)


def record(number: int = 1, **more: Any) -> LogRecord:
    return LogRecord(trace_id=(1).to_bytes(16, "big"), span_id=number.to_bytes(8, "big"), **more)


def test_a_span_with_all_that_it_has(store: Store) -> None:
    made = span(2, start_ms=3, ms=7, kind=4, name="publish", attributes={"n": 7})
    made.status.message = "queue full"
    made.trace_state = "a=1"
    made.events.add(name="retried", time_unix_nano=NOW_NS + 5 * MS, attributes=pairs({"again": True}))
    made.links.add(trace_id=(2).to_bytes(16, "big"), span_id=(3).to_bytes(8, "big"), attributes=pairs({"x": 1}))
    request = sent(span(1, ms=20), made)
    described = {
        "service.instance.id": "i", "service.version": "2", "host.name": "h", "k8s.pod.name": "p",
        "deployment.environment": "test", "process.pid": 7,
    }  # fmt: skip
    request.resource_spans[0].resource.attributes.extend(pairs(described))
    store.take(request)
    said = store.ask()["spans"][1]
    del described["process.pid"]
    assert said == {
        "id": f"{2:016x}",
        "parent": None,
        "service": "shop",
        "name": "publish",
        "kind": "producer",
        "start": pytest.approx(3.0, abs=0.001),
        "ms": 7.0,
        "status": "unset",
        "attrs": {"n": 7, **described},
        "events": [{"at": 2.0, "name": "retried", "attrs": {"again": True}}],
        "links": [{"trace": f"{2:032x}", "span": f"{3:016x}", "why": "A link.", "attrs": {"x": 1}}],
        "scope": "app",
        "message": "queue full",
        "trace_state": "a=1",
    }


@pytest.mark.parametrize(
    ("kind", "name"),
    list(enumerate(("internal", "internal", "server", "client", "producer", "consumer", "internal", "internal"))),
)
def test_kinds(store: Store, kind: int, name: str) -> None:
    store.take(sent(span(1, kind=kind)))
    assert store.only()["kind"] == name


@pytest.mark.parametrize(("code", "name"), list(enumerate(("unset", "ok", "error", "unset"))))
def test_statuses(store: Store, code: int, name: str) -> None:
    made = span(1)
    made.status.code = code  # type: ignore[assignment]  # a code of tomorrow, too
    store.take(sent(made))
    assert store.only()["status"] == name


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("conflict", "Another format said another trace; this one lost."),
        ("restart", "The caller's trace was not believed; a new one began here."),
        ("candidate", "The app forwarded nothing; this request may be the one that made the call."),
        ("later", "later"),
        ("", "A link."),
    ],
)
def test_each_link_of_a_sidecar_says_why(store: Store, reason: str, why: str) -> None:
    made = span(1)
    made.links.add(trace_id=bytes(16), span_id=bytes(8), attributes=pairs({"ops.link": reason}))
    store.take(sent(made))
    assert store.only()["links"][0]["why"] == why


@pytest.mark.parametrize(
    ("name", "attributes", "shown"),
    [
        ("GET", {"http.route": "/a/{id}", "url.path": "/a/7"}, "GET /a/{id}"),
        ("GET", {"url.path": "/a/7"}, "GET /a/7"),
        ("GET /b", {"url.path": "/a/7"}, "GET /b"),
        ("GET", {}, "GET"),
    ],
)
def test_a_hop_is_named_with_its_path(store: Store, name: str, attributes: dict[str, Any], shown: str) -> None:
    made = span(1, name=name, kind=2, attributes={**attributes, "ops.formats.read": ["b3"]})
    store.take(sent(made, scope="ops-sidecar"))
    said = store.only()
    assert (said["name"], said["in"], said["out"]) == (shown, ["b3"], [])
    made.attributes.extend(pairs({"ops.formats.written": ["b3", "jaeger"]}))
    made.span_id = b"2" * 8
    store.take(sent(made, scope="ops-sidecar"))
    assert store.ask()["spans"][1]["out"] == ["b3", "jaeger"]
    made.span_id = b"3" * 8
    store.take(sent(made))
    assert store.ask()["spans"][2]["name"] == name
    assert "in" not in store.ask()["spans"][2]


def test_a_log_record_stands_on_its_span(store: Store) -> None:
    store.take(sent(span(1), span(2, parent=1)))
    made = record(2, time_unix_nano=NOW_NS + 9 * MS, severity_number=17, attributes=pairs({"n": 7}), body=value("paid"))
    store.log(
        made, record(9, body=value("of nobody")), record(2, observed_time_unix_nano=NOW_NS + MS, severity_text="Loud")
    )
    first, second = store.ask()["spans"]
    assert "logs" not in first
    assert second["logs"] == [
        {"at": pytest.approx(1.0, abs=0.001), "severity": "Loud", "body": "", "attrs": {}},
        {"at": pytest.approx(9.0, abs=0.001), "severity": "ERROR", "body": "paid", "attrs": {"n": 7}},
    ]


@pytest.mark.parametrize(
    ("number", "name"),
    [(0, ""), (1, "TRACE"), (4, "TRACE"), (5, "DEBUG"), (8, "DEBUG"), (9, "INFO"), (12, "INFO"), (13, "WARN"),
     (16, "WARN"), (17, "ERROR"), (20, "ERROR"), (21, "FATAL"), (24, "FATAL"), (25, "FATAL")],
)  # fmt: skip
def test_severities(store: Store, number: int, name: str) -> None:
    store.take(sent(span(1)))
    store.log(record(severity_number=number, body=value(["a", 1])))  # type: ignore[arg-type]  # beyond the last, too
    (said,) = store.only()["logs"]
    assert (said["severity"], said["body"]) == (name, "['a', 1]")


def test_a_request_is_found_by_its_span(store: Store) -> None:
    store.take(sent(span(1), span(2, parent=1)))
    store._connection.executemany(
        "INSERT INTO requests (rid, at, sidecar, leg, source, target_service, method, target, ms, formats_in, "
        "formats_out, trace, span, short, notes, probe, retries, words) "
        "VALUES (?, 0, '', '', '', '', '', '', 0, '', '', ?, ?, 0, '', 0, 0, '')",
        [
            ("r2", (1).to_bytes(16, "big"), (2).to_bytes(8, "big")),
            ("r1", (2).to_bytes(16, "big"), (1).to_bytes(8, "big")),
            ("r0", (1).to_bytes(16, "big"), None),
        ],
    )
    assert [one.get("request") for one in store.ask()["spans"]] == [None, "r2"]


def test_a_span_that_came_twice_is_shown_once(store: Store) -> None:
    for _ in range(2):
        store.take(sent(span(1), span(2, parent=1), service="shop"))
    store.take(sent(span(3, parent=1), service="bank"))
    said = store.ask()
    assert len(said["spans"]) == 3
    assert said["services"] == [{"name": "shop", "spans": 2}, {"name": "bank", "spans": 1}]


@pytest.mark.parametrize(
    ("spans", "sentence", "notes"),
    [
        ([span(1)], "10 ms, 1 span of 1 service.", []),
        ([span(1), span(2, parent=1)], "10 ms, 2 spans of 1 service.", []),
        ([span(1, error=True, name="a"), span(2, parent=1, error=True, name="b"), span(3, parent=1, name="c")],
         "10 ms, 3 spans of 1 service; the first error began at shop, b.", []),
        ([span(1, name="a"), span(2, parent=1, error=True, name="b")],
         "10 ms, 2 spans of 1 service; the first error began at shop, b.", []),
        ([span(2, parent=9, kind=2)], "10 ms, 1 span of 1 service; it began at a caller that sent no span.", []),
        ([span(1), span(2, parent=9)], "10 ms, 2 spans of 1 service; 1 parent was never reported.", ["gap"]),
        ([span(1), span(2, parent=9), span(3, parent=8)],
         "10 ms, 3 spans of 1 service; 2 parents were never reported.", ["gap"]),
    ],
)  # fmt: skip
def test_the_whole_in_a_sentence(store: Store, spans: list[Span], sentence: str, notes: list[str]) -> None:
    store.take(sent(*spans))
    said = store.ask()
    assert (said["sentence"], said["notes"], said["truncated"]) == (sentence, notes, 0)
    assert [one["notes"] for one in traces(store.reader)["items"]] == [notes]


def test_errors_that_hang_on_each_other_begin_at_the_first(store: Store) -> None:
    store.take(sent(span(1, parent=2, error=True, name="a"), span(2, parent=1, error=True, name="b")))
    assert store.ask()["sentence"].endswith("; the first error began at shop, a.")


@pytest.mark.parametrize(
    ("most", "more"), [(4, ""), (3, "; 1 further span is not shown"), (2, "; 2 further spans are not shown")]
)
def test_a_trace_that_is_cut_says_so_and_nothing_of_gaps(
    store: Store, monkeypatch: pytest.MonkeyPatch, most: int, more: str
) -> None:
    monkeypatch.setattr(module, "MOST_SPANS", most)
    store.take(sent(*(span(number, parent=9) for number in range(1, 5))))
    said = store.ask()
    shown = [one for one in said["spans"] if not one.get("missing")]
    assert (len(shown), said["truncated"]) == (most, 4 - most)
    assert said["sentence"] == f"10 ms, {most} spans of 1 service" + (more or "; 1 parent was never reported") + "."
    assert len(said["spans"]) - most == (0 if more else 1)
    assert said["notes"] == ["gap"]


@pytest.mark.parametrize("count", [500, 501])
def test_resources_are_read_500_at_a_time(store: Store, count: int) -> None:
    """Each of them has its service."""
    for number in range(count):
        request = sent(span(number + 1), service=f"s{number}")
        if not number:
            store.take(request)
        else:
            store._connection.execute(
                "INSERT INTO resources (id, digest, service, body, last_key) VALUES (?, ?, ?, ?, 1)",
                (number + 1, str(number), f"s{number}", b""),
            )
            body = request.resource_spans[0].scope_spans[0].spans[0].SerializeToString()
            store._connection.execute(
                "INSERT INTO spans VALUES (?, ?, 'app', ?)", ((1 << 20) + number, number + 1, body)
            )
    said = trace(store.reader, TRACE)
    assert said is not None
    assert {one["service"] for one in said["spans"]} == {f"s{number}" for number in range(count)}


def test_5000_log_records_are_shown(store: Store) -> None:
    store.take(sent(span(1)))
    store.log(*(record(time_unix_nano=NOW_NS) for _ in range(5001)))
    said = trace(store.reader, TRACE)
    assert said is not None
    assert len(said["spans"][0]["logs"]) == 5000


@pytest.mark.parametrize("wanted", ["x", "", f"{2:032x}", "0" * 31])
def test_what_is_not_here(store: Store, wanted: str) -> None:
    store.take(sent(span(1)))
    assert trace(store.reader, wanted) is None


def test_a_trace_of_logs_alone_is_not_here_yet(store: Store) -> None:
    store.log(record())
    assert trace(store.reader, TRACE) is None
    store.take(sent(span(1)))
    assert [one["body"] for one in store.only()["logs"]] == [""]


def test_a_span_whose_resource_is_not_known(store: Store) -> None:
    store.take(sent(span(1)))
    store._connection.execute("DELETE FROM resources")
    assert store.only()["service"] == "unknown_service"


@pytest.mark.parametrize(
    ("spans", "kept", "notes"),
    [
        ([span(1), span(2, parent=1)], " gap retry ", ["retry"]),
        ([span(1), span(2, parent=9)], " retry ", ["retry", "gap"]),
        ([span(1), span(2, parent=9)], " gap retry ", ["retry", "gap"]),
    ],
)
def test_a_gap_is_noted_as_it_is_now(store: Store, spans: list[Span], kept: str, notes: list[str]) -> None:
    store.take(sent(*spans))
    store._connection.execute("UPDATE traces SET notes = ?", (kept,))
    assert store.ask()["notes"] == notes
