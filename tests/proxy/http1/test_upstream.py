"""One connection to an upstream, without sockets: when it may serve another request, and how it ends."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lab.pairs import Pair, Plane
from lab.transports import FakeTransport

from proxy.http1.upstream import RESPONSE_LIMITS
from proxy.listener.listener_rules import ListenerRules
from proxy.listener.records.spans import Spans
from proxy.plan import Router, Timeouts
from proxy.telemetry.otlp.buffer import Outlet

GET = b"GET /a HTTP/1.1\r\nHost: app\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: app\r\nContent-Length: 4\r\n\r\n1234"
OK = b"HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
async def plane() -> Plane:
    return Plane()


@pytest.fixture
def pair(plane: Plane) -> Pair:
    return Pair(plane)


async def test_who_is_at_the_other_end(plane: Plane) -> None:
    """Its address and port, for spans; a Unix socket has neither."""
    told = []
    for peername in (("127.0.0.2", 8081), ("::1", 8082, 0, 0), ""):
        made, far = plane.pool.new_protocol(), FakeTransport(peername=peername)
        made.connection_made(far)
        told.append((made.peer, made.remote, made.process, made.may_be_unheard(), repr(made)))
        assert far.get_write_buffer_limits() == (0, made.buffer_bytes)
    assert [one[:4] for one in told] == [
        ("127.0.0.2", (b"127.0.0.2", 8081), -1, False),
        ("::1", (b"::1", 8082), -1, False),
        ("", (b"", 0), -1, False),
    ]
    assert told[2][4].startswith("<UpstreamConnection unix ")


def test_one_that_has_not_taken_its_request_serves_no_other(pair: Pair, plane: Plane) -> None:
    """It answered without reading it all. The rest is its own to take, for three seconds."""
    pair.client.data_received(POST)
    pair.upstream.pause_writing()
    pair.upstream.data_received(OK)
    plane.outbox.flush()
    assert pair.near.take().endswith(b"\r\n\r\nok")
    assert (pair.far.is_closing(), pair.far.is_aborted) == (True, False)
    assert pair.upstream.deadline == plane.ticker.now + 3.0
    assert not plane.pool.shed(), "it is not idle"
    pair.upstream.on_deadline()
    assert pair.far.is_aborted


@pytest.mark.parametrize("said", [b"x", OK])
def test_what_nobody_has_asked_for_ends_a_connection(pair: Pair, said: bytes) -> None:
    pair.upstream.data_received(said)
    assert pair.far.is_aborted
    assert pair.near.take() == b""


@pytest.mark.parametrize(("said", "fault"), [(b"", "connection-lost"), (b"HTTP/1.1 2", "response-incomplete")])
def test_a_response_that_has_begun_is_told_from_one_that_has_not(
    pair: Pair, plane: Plane, said: bytes, fault: str
) -> None:
    pair.upstream.served = 0  # else the request may go to another connection
    pair.client.data_received(GET)
    if said:
        pair.upstream.data_received(said)
    pair.upstream.connection_lost(None)
    assert plane.metrics.exchange("inbound", "app").faults == {fault: 1}


def test_a_tunnel_has_no_deadline_of_a_response(pair: Pair, plane: Plane) -> None:
    upgrade = b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    pair.client.data_received(b"GET /a HTTP/1.1\r\nHost: app\r\n" + upgrade)
    assert pair.upstream.deadline == plane.ticker.now + Timeouts().response_head_s
    pair.upstream.data_received(b"HTTP/1.1 101 Switching Protocols\r\n" + upgrade)
    assert pair.upstream.deadline == float("inf")


def test_a_pause_ends_with_its_exchange(pair: Pair, plane: Plane) -> None:
    """A client that is slow to take the last bytes pauses the connection; who uses it next is not paused."""
    pair.client.data_received(GET)
    pair.upstream.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok")
    pair.client.pause_writing()
    assert pair.far.is_reading_paused
    pair.upstream.data_received(b"ok")  # it was on its way already
    assert not pair.far.is_reading_paused
    assert plane.pool.is_idle


def test_a_response_may_be_silent_for_a_while(pair: Pair, plane: Plane) -> None:
    """Each piece of it begins that anew. While the client is behind, the upstream is not to blame."""
    begin, body_s = plane.ticker.now, Timeouts().response_body_s
    pair.client.data_received(GET)
    pair.upstream.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1")
    assert pair.upstream.deadline == begin + body_s
    plane.ticker.now = begin + 5
    pair.upstream.data_received(b"2")
    assert pair.upstream.deadline == begin + 5 + body_s
    pair.client.pause_writing()
    assert pair.upstream.deadline == float("inf")
    pair.upstream.data_received(b"3")  # it was on its way
    assert pair.upstream.deadline == float("inf")
    plane.ticker.now = begin + 7
    pair.client.resume_writing()
    assert pair.upstream.deadline == begin + 7 + body_s
    plane.ticker.now = pair.upstream.deadline
    pair.upstream.on_deadline()
    assert (pair.far.is_aborted, pair.upstream.deadline) == (True, float("inf"))
    assert plane.metrics.exchange("inbound", "app").faults == {"response-body-timeout": 1}


def answered(plane: Plane, raw: bytes) -> bytes:
    """The status that the client gets where the upstream says `raw`."""
    pair = Pair(plane)
    pair.client.data_received(GET)
    pair.upstream.data_received(raw)
    plane.outbox.flush()
    return pair.near.take()[9:12]


@pytest.mark.parametrize(("size", "status"), [(8 * 1024, b"200"), (8 * 1024 + 1, b"502")])
def test_a_status_line_has_8_kib(plane: Plane, size: int, status: bytes) -> None:
    line = b"HTTP/1.1 200 "
    line += b"x" * (size - len(line))
    assert answered(plane, line + b"\r\nContent-Length: 0\r\n\r\n") == status


@pytest.mark.parametrize(("count", "status"), [(256, b"200"), (257, b"502")])
def test_a_response_has_256_fields(plane: Plane, count: int, status: bytes) -> None:
    fields = b"X-A: 1\r\n" * (count - 1) + b"Content-Length: 0\r\n"
    assert answered(plane, b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n") == status


@pytest.mark.parametrize(("more", "status"), [(0, b"200"), (1, b"502")])
def test_a_response_head_has_64_kib(plane: Plane, more: int, status: bytes) -> None:
    """Of fields."""
    fields = b"Content-Length: 0\r\nX-A: "
    room = RESPONSE_LIMITS.field_bytes - len(fields) - 2
    assert RESPONSE_LIMITS.field_bytes == 64 * 1024
    assert answered(plane, b"HTTP/1.1 200 OK\r\n" + fields + b"x" * (room + more) + b"\r\n\r\n") == status


@pytest.mark.parametrize(("count", "is_flood"), [(32, False), (33, True)])
def test_a_request_has_32_interim_responses(pair: Pair, count: int, is_flood: bool) -> None:
    pair.client.data_received(GET)
    for _ in range(count):
        pair.upstream.data_received(b"HTTP/1.1 103 Early Hints\r\n\r\n")
    assert (b"HTTP/1.1 502 " in pair.near.take()) is is_flood


@pytest.mark.parametrize("status", [102, 199])
def test_whatever_is_below_200_comes_before_the_answer(plane: Plane, pair: Pair, status: int) -> None:
    pair.client.data_received(GET)
    pair.upstream.data_received(b"HTTP/1.1 %d Wait\r\n\r\n" % status)
    assert pair.near.take().startswith(b"HTTP/1.1 %d Wait\r\n" % status)
    pair.upstream.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    plane.outbox.flush()
    assert pair.near.take().startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("end", ["close_notify", "cut"])
def test_the_end_of_a_body_until_close(plane: Plane, is_tls: bool, end: str) -> None:
    """Over TLS it counts once the connection is lost without a fault: an end without close_notify comes with one."""
    pair = Pair(plane)
    if is_tls:
        pair.far = type(pair.far)(peername=("127.0.0.1", 8080), sslcontext=object())
        pair.far.protocol = pair.upstream
        pair.upstream.connection_made(pair.far)
    pair.client.data_received(GET)
    pair.upstream.data_received(b"HTTP/1.1 200 OK\r\nDate: now\r\n\r\npart")
    pair.near.take()
    assert pair.upstream.eof_received() is False
    if is_tls:
        assert pair.near.take() == b"", "whether it was orderly is not known yet"
        pair.upstream.connection_lost(None if end == "close_notify" else ConnectionResetError())
    is_whole = not is_tls or end == "close_notify"
    assert (pair.near.take() == b"0\r\n\r\n") is is_whole


def test_a_connection_forgives_what_the_plan_of_each_request_does(plane: Plane, pair: Pair) -> None:
    """It may have served another plan before."""
    rules = plane.listener.rules
    (upstream,) = rules.plan.router.upstreams()
    statuses = []
    for ways in (frozenset[str](), frozenset({"bare-lf"}), frozenset[str]()):
        plan = replace(rules.plan, router=Router(replace(upstream, leniency=ways), []))
        plane.listener.use(ListenerRules(plan, plane.pools, plane.metrics, Spans(Outlet()), "test"))
        pair.client.data_received(GET)
        pair.upstream.data_received(OK.replace(b"\r\n", b"\n") if ways else OK)
        plane.outbox.flush()
        statuses.append(pair.near.take()[9:12])
    pair.client.data_received(GET)
    pair.upstream.data_received(OK.replace(b"\r\n", b"\n"))
    plane.outbox.flush()
    assert [*statuses, pair.near.take()[9:12]] == [b"200", b"200", b"200", b"502"]
