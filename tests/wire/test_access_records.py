"""What the access log is told of an exchange: each figure, and the fault that ended it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lab.sidecar import Sidecar
from lab.wire import Wire

pytestmark = pytest.mark.logs

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
T, OTHER = "463ac35c9f6413ad48485a3953bb6124", "80f198ee56343ba864fe8b2a57d3eff7"


def errors(wire: Wire) -> list[str]:
    return [record.error for record in wire.sidecar.records]


def test_a_whole_exchange(wire: Wire) -> None:
    """The path without its query; bodies in bytes; trace and session."""
    wire.passes(
        b"POST /a?secret=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX-Mirascope-Session-Id: s\r\n"
        b"b3: 463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-1\r\n\r\nabc"
    )
    (record,) = wire.sidecar.records
    assert record[:8] == ("inbound", "app", "127.0.0.1", "POST", "/a", 200, 3, 2)
    assert record.duration_s > 0
    assert (record.trace_id, record.session, record.error) == (T, "s", "")


def test_formats_that_came_and_went_are_named(wired: Callable[..., Wire]) -> None:
    """Those that came start with the winner."""
    wire = wired({"propagation": {"inject": ["b3", "tracecontext"]}})
    wire.passes(
        f"GET / HTTP/1.1\r\nHost: a\r\nb3: {OTHER}-e457b5a2e4d86bd1-1\r\n"
        f"traceparent: 00-{T}-00f067aa0ba902b7-01\r\nuber-trace-id: x\r\n\r\n".encode()
    )
    (record,) = wire.sidecar.records
    assert (record.read, record.written) == ("tracecontext,b3", "b3,tracecontext")
    assert record.malformed.startswith("jaeger:")


def test_the_loser_of_a_conflict_is_named(wire: Wire) -> None:
    """Another format that names the same trace is no loser."""
    winner = f"traceparent: 00-{T}-00f067aa0ba902b7-01\r\n"
    agreeing = f"uber-trace-id: {T}:00f067aa0ba902b7:0:1\r\n"
    for beside in (agreeing, f"b3: {OTHER}-e457b5a2e4d86bd1-1\r\n" + agreeing):
        wire.passes(f"GET / HTTP/1.1\r\nHost: a\r\n{winner}{beside}\r\n".encode())
    assert [record.trace_id for record in wire.sidecar.records] == [T, T]
    assert [record.conflict for record in wire.sidecar.records] == ["", f"b3:{OTHER}"]
    assert [record.span_conflict for record in wire.sidecar.records] == ["", ""]


def test_another_span_of_the_same_trace_is_named(wire: Wire) -> None:
    """And counted, apart from conflicts."""
    stale = f"b3: {T}-a2fb4a1d1a96d312-1\r\n"
    fresh = f"X-B3-TraceId: {T}\r\nX-B3-SpanId: 00f067aa0ba902b7\r\nX-B3-Sampled: 1\r\n"
    wire.passes(f"GET / HTTP/1.1\r\nHost: a\r\n{stale}{fresh}\r\n".encode())
    (record,) = wire.sidecar.records
    assert (record.conflict, record.span_conflict) == ("", "b3multi:00f067aa0ba902b7")
    translation = wire.sidecar.metrics.exchange("inbound", "app").translation
    assert (translation.span_conflicts, translation.conflicts) == ({("b3", "b3multi"): 1}, {})


def test_a_request_that_is_answered_here(wire: Wire) -> None:
    """OPTIONS with Max-Forwards 0 (RFC 9110 7.6.2): the answer names the methods, and the connection is kept."""
    client = wire.client()
    answer = client.ask(b"OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n")
    assert (answer.status, answer.head.value("connection")) == (200, None)
    assert answer.head.value("allow")
    assert [(record.method, record.path, record.status) for record in wire.sidecar.records] == [("OPTIONS", "*", 200)]
    answer = client.ask(b"OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\nConnection: close\r\n\r\n")
    assert answer.head.value("connection") == b"close"
    assert client.is_ended()


def test_a_client_that_goes_away(wire: Wire) -> None:
    client = wire.client()
    client.send(GET)
    app = wire.accept()
    app.request()
    client.reset()
    assert app.to_end() == b""
    wire.sidecar.until(lambda: wire.sidecar.records)
    assert (wire.sidecar.records[0].error, wire.sidecar.plane.in_flight()) == ("client-gone", 0)


@pytest.mark.parametrize(
    ("part", "end", "error"),
    [
        (b"Content-Length: 10\r\n\r\nhello", b"", "response-incomplete"),
        (b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", b"", "response-incomplete"),
        (b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", b"zz\r\n", "bad-response"),
    ],
)
def test_an_answer_that_breaks_off(wire: Wire, part: bytes, end: bytes, error: str) -> None:
    client = wire.client()
    client.send(GET)
    app = wire.accept()
    app.request()
    app.send(b"HTTP/1.1 200 OK\r\n" + part)
    client.until(b"hello")
    app.send(end).close()
    client.to_end()
    assert errors(wire) == [error]


def test_what_stop_cuts_is_not_the_fault_of_the_client(wire: Wire) -> None:
    client = wire.client()
    client.send(GET)
    wire.accept().request()
    wire.sidecar.thread.run(wire.sidecar.plane.stop())
    (record,) = wire.sidecar.records
    assert (record.error, record.status) == ("stopped", 0)


def test_a_head_that_does_not_come_is_called_that(wired: Callable[..., Wire]) -> None:
    """Also after an answer in pieces on the same connection: it is the head that is missing, not the body."""
    wire = wired({"timeouts": {"response_head_s": 0.2}})
    client = wire.client()
    client.send(GET)
    app = wire.accept()
    app.request()
    app.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok")
    client.stream.response_head()
    app.send(b"ok")
    assert client.exactly(4) == b"okok"
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
    app.until(b"a\r\n")
    client.send(b"0\r\n\r\n")
    assert client.response().status == 504
    assert errors(wire) == ["", "response-timeout"]


def test_a_protocol_error_has_a_record_and_a_counter(wire: Wire) -> None:
    sidecar: Sidecar = wire.sidecar
    assert sidecar.ask(b"bogus\r\n\r\n").status == 400
    assert sidecar.metrics.listener("inbound").protocol_errors == {"bad-request": 1}
    assert [record.status for record in sidecar.records] == [400]


def test_an_answer_that_is_cut_keeps_the_status_that_went_out(wire: Wire) -> None:
    """The fault is told beside it; the metrics count what the client saw, too."""
    client = wire.client()
    client.send(GET)
    app = wire.accept()
    app.request()
    app.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
    assert client.stream.response_head().start[0] == b"200"
    app.close()
    wire.sidecar.until(lambda: wire.sidecar.records)
    (record,) = wire.sidecar.records
    assert (record.status, record.bytes_out) == (200, 5)
    assert record.error
    assert wire.sidecar.metrics.exchange("inbound", "app").requests[2] == 1


def test_a_request_that_never_was_has_no_bytes(wire: Wire) -> None:
    wire.client().ask(b"GET / HTTP/1.1\r\n\r\n")
    (record,) = wire.sidecar.records
    assert (record.status, record.upstream, record.bytes_in, record.bytes_out, record.duration_s) == (400, "", 0, 0, 0)
