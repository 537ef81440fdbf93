"""The sender against a collector on a real socket that behaves well, badly, or not at all."""

from __future__ import annotations

import gzip
import logging
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import trustme
from lab.collectors import LIMIT_S, OK, answer, collecting, named_span
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from proxy.plan.export import Endpoint
from proxy.telemetry.otlp import buffer as buffer_module
from proxy.telemetry.otlp import request
from proxy.telemetry.otlp.buffer import Batch, SpanBuffer
from proxy.telemetry.otlp.sender import Sender

GIVE_UP_S = 300.0  # by default


class Pauses:
    """Stands for waiting: notes how long it would have been, and lets the clock pass."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waited: list[float] = []

    def __call__(self, _: threading.Event, seconds: float) -> None:
        self.waited.append(seconds)
        self.now += seconds


def pausing(endpoint: Endpoint, buffer: SpanBuffer, pauses: Pauses) -> Sender:
    """It goes by the clock of its pauses, each as long as chance allows."""
    return Sender(
        endpoint,
        buffer,
        encode=encode,
        user_agent="t",
        give_up_s=GIVE_UP_S,
        pause=pauses,
        clock=lambda: pauses.now,
        chance=lambda: 1.0,
    )


def encode(spans: Sequence[bytes]) -> Sequence[bytes]:
    return request.export_request(request.resource({"service.name": "shop"}), request.scope("s", "1"), spans)


@contextmanager
def sending(
    port: int, *names: str, endpoint: dict[str, Any] | None = None, limit_s: float = LIMIT_S, **more: Any
) -> Iterator[Sender]:
    """A sender with one batch of spans of these names. At the end it is stopped."""
    buffer = SpanBuffer(limit_bytes=1 << 20, batch_spans=512)
    chosen = Endpoint("127.0.0.1", port, "/v1/traces", **{"timeout_s": 5.0, **(endpoint or {})})
    usual: dict[str, Any] = {"user_agent": "ops-sidecar/test", "give_up_s": GIVE_UP_S, "chance": lambda: 1.0}
    sender = Sender(chosen, buffer, encode=encode, **(usual | more))
    sender.start()
    for name in names:
        buffer.add(named_span(name))
    buffer.flush()
    try:
        yield sender
    finally:
        sender.stop(limit_s)
        assert sender.wait_stopped(LIMIT_S)
        assert buffer.held_bytes == 0


def test_spans_arrive_as_otlp() -> None:
    with collecting() as collector, sending(collector.port, "a", "b") as sender:
        head, body = collector.next()
        (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
        assert [each.name for each in resource.scope_spans[0].spans] == ["a", "b"]
    assert head.startswith(b"POST /v1/traces HTTP/1.1\r\n")
    assert b"Content-Type: application/x-protobuf" in head
    assert b"User-Agent: ops-sidecar/test" in head
    assert (sender.metrics.sent, sender.metrics.batches, sender.metrics.dropped) == (2, 1, {})


def test_headers_and_gzip_on_request() -> None:
    more = {"headers": (("X-Token", "t-1"),), "gzip": True}
    with collecting() as collector, sending(collector.port, "a", endpoint=more):
        head, body = collector.next()
    assert b"X-Token: t-1" in head
    assert b"Content-Encoding: gzip" in head
    assert len(ExportTraceServiceRequest.FromString(gzip.decompress(body)).resource_spans) == 1


def test_one_connection_is_kept_for_all_batches() -> None:
    with collecting() as collector:
        buffer = SpanBuffer(limit_bytes=1 << 20, batch_spans=1)
        sender = Sender(
            Endpoint("127.0.0.1", collector.port, "/"), buffer, encode=encode, user_agent="t", give_up_s=GIVE_UP_S
        )
        sender.start()
        for name in ("a", "b", "c"):
            buffer.add(named_span(name))
        assert [collector.names() for _ in range(3)] == [["a"], ["b"], ["c"]]
        sender.stop(LIMIT_S)
        assert sender.wait_stopped(LIMIT_S)
    assert collector.connections == 1
    assert repr(sender) == f"<Sender to http://127.0.0.1:{collector.port}/, 3 sent, 0 failures in a row>"


def test_a_kept_connection_that_was_closed_meanwhile_costs_no_pause() -> None:
    pauses = Pauses()

    def take_and_leave(connection: socket.socket) -> None:
        connection.sendall(OK)

    with collecting(take_and_leave) as collector:
        buffer = SpanBuffer(limit_bytes=1 << 20, batch_spans=1)
        sender = Sender(
            Endpoint("127.0.0.1", collector.port, "/"),
            buffer,
            encode=encode,
            user_agent="t",
            give_up_s=GIVE_UP_S,
            pause=pauses,
        )
        sender.start()
        buffer.add(named_span("a"))
        assert collector.names() == ["a"]
        buffer.add(named_span("b"))
        assert collector.names() == ["b"]
        sender.stop(LIMIT_S)
        assert sender.wait_stopped(LIMIT_S)
    assert (sender.metrics.sent, sender.metrics.retries, pauses.waited) == (2, 0, [])


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_may_pass_is_tried_again_with_growing_pauses(status: int) -> None:
    pauses = Pauses()
    with (
        collecting(*[answer(status)] * 3) as collector,
        sending(collector.port, "a", pause=pauses, clock=lambda: pauses.now) as sender,
    ):
        assert [collector.names() for _ in range(4)] == [["a"]] * 4
    assert pauses.waited == [1, 2, 4]
    assert (sender.metrics.sent, sender.metrics.retries, sender.metrics.dropped) == (1, 3, {})


def test_retry_after_is_heeded_and_never_shortens_the_pause() -> None:
    pauses = Pauses()
    script = [answer(503, more=b"Retry-After: 17\r\n"), answer(503, more=b"Retry-After: 0\r\n")]
    with collecting(*script) as collector, sending(collector.port, "a", pause=pauses, clock=lambda: pauses.now):
        for _ in range(3):
            collector.next()
    assert pauses.waited == [17, 2]


@pytest.mark.parametrize("status", [300, 301, 400, 401, 404, 413, 500])
def test_what_will_not_pass_is_given_up_at_once(status: int, caplog: pytest.LogCaptureFixture) -> None:
    with collecting(answer(status)) as collector, sending(collector.port, "a", "b") as sender:
        collector.next()
    assert sender.metrics.dropped == {f"refused-{status}": 2}
    assert (sender.metrics.sent, sender.metrics.retries) == (0, 0)
    assert f"refuses spans: it answered {status}" in caplog.text


def test_a_collector_that_refused_is_told_of_once_it_takes_some_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    buffer = SpanBuffer(limit_bytes=1 << 20, batch_spans=1)
    with collecting(answer(400), answer(400)) as collector:
        sender = Sender(
            Endpoint("127.0.0.1", collector.port, "/"), buffer, encode=encode, user_agent="t", give_up_s=GIVE_UP_S
        )
        sender.start()
        for name in ("a", "b"):
            buffer.add(named_span(name))
            collector.next()
        buffer.add(named_span("c"))
        assert collector.names() == ["c"]
        sender.stop(LIMIT_S)
        assert sender.wait_stopped(LIMIT_S)
    url = f"http://127.0.0.1:{collector.port}/"
    assert [record.getMessage() for record in caplog.records] == [
        f"{url} refuses spans: it answered 400",
        f"spans reach {url} again",
    ]


@pytest.mark.parametrize("refusals", [1, 2, 3])
def test_each_refusal_is_one_failure_in_a_row(refusals: int) -> None:
    buffer = SpanBuffer(limit_bytes=1 << 20, batch_spans=1)
    with collecting(*[answer(400)] * refusals) as collector:
        sender = Sender(
            Endpoint("127.0.0.1", collector.port, "/"), buffer, encode=encode, user_agent="t", give_up_s=GIVE_UP_S
        )
        sender.start()
        for _ in range(refusals):
            buffer.add(named_span("a"))
            collector.next()
        sender.stop(LIMIT_S)
        assert sender.wait_stopped(LIMIT_S)
    assert f"0 sent, {refusals} failures in a row>" in repr(sender)


def test_while_it_stops_a_pause_takes_at_most_half_of_the_time_that_is_left() -> None:
    class Stopping(Pauses):
        """It is told to stop in the first pause, with 8 s to go."""

        def __call__(self, event: threading.Event, seconds: float) -> None:
            super().__call__(event, seconds)
            if len(self.waited) == 1:
                sender.stop(8.0)

    pauses = Stopping()
    buffer = SpanBuffer(limit_bytes=1 << 20, batch_spans=1)
    with collecting(*[answer(503)] * 3) as collector:
        sender = pausing(Endpoint("127.0.0.1", collector.port, "/", timeout_s=5.0), buffer, pauses)
        buffer.add(named_span("a"))
        sender.start()
        for _ in range(4):
            collector.next()
        assert sender.wait_stopped(LIMIT_S)
    assert pauses.waited == [1, 2, 3]
    assert (sender.metrics.sent, sender.metrics.retries) == (1, 3)


def test_a_batch_is_given_up_after_five_minutes_without_a_collector() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    pauses = Pauses()
    buffer = SpanBuffer(limit_bytes=1 << 20, batch_spans=1)
    sender = pausing(Endpoint("127.0.0.1", port, "/"), buffer, pauses)
    buffer.add(named_span("a"))
    sender.start()
    while not sender.metrics.dropped:
        threading.Event().wait(0.01)
    assert sender.metrics.dropped == {"retries-exhausted": 1}
    assert 240 <= sum(pauses.waited) <= 300
    sender.stop(1)
    assert sender.wait_stopped(LIMIT_S)


@pytest.mark.parametrize(("give_up_s", "waited"), [(3.0, [1.0]), (3.001, [1.0, 2.0])])
def test_the_time_to_give_up_is_when_the_next_try_would_be(give_up_s: float, waited: list[float]) -> None:
    pauses = Pauses()
    with (
        collecting(*[answer(503)] * 9) as collector,
        sending(collector.port, "a", pause=pauses, clock=lambda: pauses.now, give_up_s=give_up_s) as sender,
    ):
        for _ in range(len(waited) + 1):
            collector.next()
    assert (pauses.waited, sender.metrics.retries) == (waited, len(waited))
    assert sender.metrics.dropped == {"retries-exhausted": 1}


def test_partial_success_is_counted_and_told(caplog: pytest.LogCaptureFixture) -> None:
    partial = ExportTracePartialSuccess(rejected_spans=2, error_message="too old")
    body = ExportTraceServiceResponse(partial_success=partial).SerializeToString()
    with collecting(answer(200, body)) as collector, sending(collector.port, "a", "b", "c") as sender:
        collector.next()
    assert (sender.metrics.sent, sender.metrics.dropped) == (1, {"rejected": 2})
    assert "did not take 2 spans: too old" in caplog.text


@pytest.mark.parametrize(("rejected", "counted"), [(-5, 2), (0, 0), (1, 1), (2, 2), (10_000, 2)])
def test_a_partial_success_that_lies_counts_no_more_than_was_sent(rejected: int, counted: int) -> None:
    partial = ExportTracePartialSuccess(rejected_spans=rejected, error_message="x")
    body = ExportTraceServiceResponse(partial_success=partial).SerializeToString()
    with collecting(answer(200, body)) as collector, sending(collector.port, "a", "b") as sender:
        collector.next()
    assert sender.metrics.sent == 2 - counted
    assert sender.metrics.dropped == ({"rejected": counted} if counted else {})


def test_an_answer_that_is_a_text_is_a_success() -> None:
    with collecting(answer(202, b"thank you")) as collector, sending(collector.port, "a") as sender:
        collector.next()
    assert (sender.metrics.sent, sender.metrics.dropped) == (1, {})


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00" * 100,
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 banana\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + bytes(1_000_000),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_garbage_is_a_failure_like_any_other(garbage: bytes) -> None:
    pauses = Pauses()

    def say(connection: socket.socket) -> None:
        connection.sendall(garbage)

    with (
        collecting(say) as collector,
        sending(collector.port, "a", pause=pauses, clock=lambda: pauses.now) as sender,
    ):
        assert [collector.names(), collector.names()] == [["a"], ["a"]]
    assert (sender.metrics.sent, sender.metrics.retries) == (1, 1)


def test_a_collector_that_drips_its_answer_is_ended_by_the_tick() -> None:
    """Each byte comes within the socket's timeout, and so the time of the whole answer has a limit of its own."""
    pauses, given_up = Pauses(), threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        connection.settimeout(LIMIT_S)
        assert connection.recv(1) == b""  # the sender has left
        given_up.set()

    with (
        collecting(drip) as collector,
        sending(collector.port, "a", pause=pauses, clock=lambda: pauses.now, endpoint={"timeout_s": 60.0}) as sender,
    ):
        collector.next()
        sender.on_tick()
        assert not given_up.is_set()
        pauses.now += 60
        sender.on_tick()
        assert given_up.wait(LIMIT_S)
        assert collector.names() == ["a"]


def test_a_collector_that_says_nothing_holds_up_no_stop() -> None:
    leave = threading.Event()
    with (
        collecting(*[lambda _: (leave.wait(LIMIT_S), None)[1]] * 9) as collector,
        sending(collector.port, "a", endpoint={"timeout_s": 0.2}, limit_s=0.3) as sender,
    ):
        collector.next()
    leave.set()
    assert sender.metrics.dropped == {"stopped": 1}


@pytest.mark.skipif(not buffer_module.__file__.endswith(".py"), reason="a compiled buffer has no heirs")
def test_a_stop_does_not_wait_for_the_next_look_at_the_buffer() -> None:
    woken = threading.Event()

    class Empty(SpanBuffer):
        """Nothing comes, for ever."""

        def take(self, timeout_s: float) -> Batch | None:
            if timeout_s:
                woken.wait(LIMIT_S)
            return None

        def wake(self) -> None:
            woken.set()

    buffer = Empty(limit_bytes=1, batch_spans=1)
    sender = Sender(Endpoint("127.0.0.1", 1, "/"), buffer, encode=encode, user_agent="t", give_up_s=GIVE_UP_S)
    sender.start()
    sender.stop(1)
    assert woken.is_set()
    assert sender.wait_stopped(LIMIT_S)


def test_what_waits_at_the_stop_is_still_sent() -> None:
    with collecting() as collector, sending(collector.port, *map(str, range(600))) as sender:
        sender.stop(LIMIT_S)
        assert sender.wait_stopped(LIMIT_S)
    assert sender.metrics.sent == 600


def test_a_fault_of_ours_costs_the_batch_and_not_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []

    def breaks_once(spans: Sequence[bytes]) -> Sequence[bytes]:
        calls.append(len(spans))
        if len(calls) == 1:
            raise RuntimeError("on purpose")
        return encode(spans)

    with collecting() as collector:
        buffer = SpanBuffer(limit_bytes=1 << 20, batch_spans=1)
        sender = Sender(
            Endpoint("127.0.0.1", collector.port, "/"), buffer, encode=breaks_once, user_agent="t", give_up_s=GIVE_UP_S
        )
        sender.start()
        buffer.add(named_span("a"))
        buffer.add(named_span("b"))
        assert collector.names() == ["b"]
        sender.stop(LIMIT_S)
        assert sender.wait_stopped(LIMIT_S)
    assert (sender.metrics.sent, sender.metrics.dropped) == (1, {"error": 1})
    assert "bug in this sidecar" in caplog.text


def test_the_same_trouble_is_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    pauses = Pauses()
    with (
        collecting(*[answer(503)] * 7) as collector,
        sending(collector.port, "a", pause=pauses, clock=lambda: pauses.now),
    ):
        for _ in range(8):
            collector.next()
    told = [record.getMessage() for record in caplog.records]
    assert sum("cannot be sent" in line for line in told) == 2  # the pauses add up to 91 s
    assert sum("reach" in line and "again" in line for line in told) == 1


def test_tls_with_an_authority_of_ones_own_and_a_client_certificate() -> None:
    authority = trustme.CA()
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    authority.configure_trust(theirs)
    theirs.verify_mode = ssl.CERT_REQUIRED
    ours = ssl.create_default_context()
    authority.configure_trust(ours)
    authority.issue_cert("sidecar").configure_cert(ours)
    with collecting(tls=theirs) as collector, sending(collector.port, "a", endpoint={"tls": ours}) as sender:
        assert collector.names() == ["a"]
    assert sender.metrics.sent == 1


def test_a_certificate_that_is_not_trusted_is_told(caplog: pytest.LogCaptureFixture) -> None:
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(theirs)
    with (
        collecting(tls=theirs) as collector,
        sending(collector.port, "a", endpoint={"tls": ssl.create_default_context()}, limit_s=0.3),
    ):
        while "not trusted" not in caplog.text:
            threading.Event().wait(0.01)


def test_no_secret_is_in_what_an_endpoint_shows() -> None:
    endpoint = Endpoint("::1", 4318, "/v1/traces", headers=(("Authorization", "Bearer secret"),))
    assert str(endpoint) == "http://[::1]:4318/v1/traces"
    assert "secret" not in repr(endpoint)
