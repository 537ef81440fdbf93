"""The states of both connections and of the exchange between them, by what each says of itself: the tables atop
`connection`, `kept_connection` and `listener.exchange`, row by row.
"""

from __future__ import annotations

import asyncio

import pytest
from lab.pairs import Pair, Plane
from lab.transports import FakeTransport

from proxy.plan import PoolPlan
from proxy.semantics.faults import Fault, Refusal

GET = b"GET /a HTTP/1.1\r\nHost: app\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\n\r\n"
SMALL = b"POST /a HTTP/1.1\r\nHost: app\r\nContent-Length: 4\r\n\r\n"
UPGRADE = b"GET /a HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"
EARLY = b"HTTP/1.1 103 Early Hints\r\n\r\n"


@pytest.fixture
async def plane() -> Plane:
    return Plane()


@pytest.fixture
def pair(plane: Plane) -> Pair:
    return Pair(plane)


def client(pair: Pair) -> str:
    return repr(pair.client).removeprefix("<ClientConnection 10.0.0.1 ").removesuffix(", 0 bytes to send>")


def upstream(pair: Pair) -> str:
    return repr(pair.upstream).removeprefix("<UpstreamConnection 127.0.0.1 ").removesuffix(" served, 0 bytes to send>")


def test_one_exchange(pair: Pair, plane: Plane) -> None:
    assert (client(pair), upstream(pair)) == ("fresh", "idle, 1")
    pair.client.data_received(GET[:9])
    assert client(pair) == "fresh"
    pair.client.data_received(GET[9:])
    assert (client(pair), upstream(pair)) == ("busy", "asked, 2")
    assert repr(pair.client._exchange) == "<Exchange GET /a asking, status 0, 0 bytes in, 0 out>"
    pair.upstream.data_received(EARLY)
    assert (client(pair), upstream(pair)) == ("busy", "answered, 2")
    pair.upstream.data_received(LONG)
    assert (client(pair), upstream(pair)) == ("busy", "reading a body, 2")
    assert repr(pair.client._exchange) == "<Exchange GET /a answering, status 200, 0 bytes in, 2 out>"
    assert repr(plane.listener) == "<Listener inbound serving, 1 connections, 1 exchanges, 0 tunnels>"
    pair.upstream.data_received(b"1234567")
    assert (client(pair), upstream(pair)) == ("waiting", "idle, 2")
    assert repr(plane.pool) == "<ConnectionPool http://127.0.0.1:8080, 1 connections, 1 idle, 0 being made, 0 waiting>"


def test_a_body_that_comes_in_pieces(pair: Pair) -> None:
    pair.client.data_received(POST)
    assert (client(pair), upstream(pair)) == ("reading a body", "asked, 2")
    pair.client.data_received(b"2\r\n12\r\n")
    assert repr(pair.client._exchange) == "<Exchange POST /a asking, status 0, 2 bytes in, 0 out>"
    pair.client.data_received(b"2\r\n34\r\n0\r\n\r\n")
    assert client(pair) == "busy"


def test_little_content_is_gathered_first(pair: Pair, plane: Plane) -> None:
    """Nobody upstream waits for it."""
    pair.client.data_received(SMALL)
    assert (client(pair), upstream(pair)) == ("reading a body", "idle, 1")
    pair.client.data_received(b"12")
    assert repr(pair.client._exchange) == "<Exchange POST /a gathering, status 0, 2 bytes in, 0 out>"
    pair.client.data_received(b"34")
    assert (client(pair), upstream(pair)) == ("busy", "asked, 2")
    plane.outbox.flush()
    assert pair.far.written.endswith(b"\r\n\r\n1234")


def test_a_client_that_is_lost_while_its_content_is_gathered(pair: Pair, plane: Plane) -> None:
    pair.client.data_received(SMALL + b"12")
    exchange = pair.client._exchange
    pair.client.connection_lost(None)
    assert repr(exchange) == "<Exchange POST /a over, status 0, 2 bytes in, 0 out>"
    assert upstream(pair) == "idle, 1"
    assert "0 connections, 0 exchanges" in repr(plane.listener)


def test_an_answer_before_the_request_is_whole(pair: Pair) -> None:
    """What is left of the request would be taken for the next one, at both ends."""
    pair.client.data_received(POST)
    pair.upstream.data_received(OK)
    assert (client(pair), upstream(pair)) == ("ending", "closing, 2")
    assert pair.near.is_ended
    assert pair.far.is_aborted


def test_a_client_that_is_behind(pair: Pair) -> None:
    """Its next request waits until it has read the answer."""
    pair.client.data_received(GET)
    pair.client.pause_writing()
    pair.upstream.data_received(OK)
    assert client(pair) == "unread"
    pair.client.data_received(GET)
    assert (client(pair), upstream(pair)) == ("unread", "idle, 2")
    pair.client.resume_writing()
    assert client(pair) == "waiting"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", "fresh"),  # a first request may be on its way
        (GET[:9], "fresh"),
        (GET, "busy"),
        (POST, "reading a body"),
    ],
)
def test_a_listener_that_is_shut(pair: Pair, plane: Plane, before: bytes, after: str) -> None:
    if before:
        pair.client.data_received(before)
    plane.listener.shut()
    assert client(pair) == after
    assert "shut" in repr(plane.listener)


def test_a_listener_that_is_shut_ends_who_was_answered_a_while_ago(pair: Pair, plane: Plane) -> None:
    pair.client.data_received(GET)
    pair.upstream.data_received(OK)
    plane.ticker.now += 0.2501  # the time of the last answer is computed, and rounded
    plane.listener.shut()
    assert client(pair) == "ending"


def test_a_listener_that_is_shut_waits_for_the_next_request_of_a_busy_client(pair: Pair, plane: Plane) -> None:
    """It may be on its way, and a POST that meets a closed connection is lost."""
    pair.client.data_received(GET)
    pair.upstream.data_received(OK)
    plane.listener.shut()
    assert client(pair) == "waiting"
    assert pair.client.deadline == pytest.approx(plane.ticker.now + 0.25, abs=1e-6)
    pair.near.take()
    pair.client.data_received(GET)
    pair.upstream.data_received(OK)
    assert b"Connection: close\r\n" in pair.near.take()
    assert client(pair) == "ending"


def test_an_answer_that_began_before_its_listener_was_shut(pair: Pair, plane: Plane) -> None:
    """It has said that the connection goes on, so a next request may be on its way."""
    pair.client.data_received(GET)
    pair.upstream.data_received(LONG)
    plane.listener.shut()
    pair.upstream.data_received(b"1234567")
    assert client(pair) == "waiting"
    assert pair.client.deadline == pytest.approx(plane.ticker.now + 0.25, abs=1e-6)


def test_a_listener_that_takes_leave(plane: Plane) -> None:
    """Answers say so, idle connections stay until they are told, and new ones are welcome."""
    busy, idle = plane.pairs(2)
    busy.client.data_received(GET)
    assert plane.listener.take_leave() == [idle.client]
    assert "draining" in repr(plane.listener)
    idle.upstream.data_received(OK)
    assert client(busy) == "ending"
    late = Pair(plane)
    assert (client(idle), client(late)) == ("fresh", "fresh")
    assert late.client.deadline == plane.ticker.now + 75


async def test_a_client_that_ends_its_side_behind_a_request_has_gone(plane: Plane) -> None:
    """In a later turn, so that an answer that came in the same one still goes out."""
    gone, answered = plane.pairs(2)
    for pair in (gone, answered):
        pair.client.data_received(GET)
        assert pair.client.eof_received()
        assert client(pair) == "busy, half-closed"
    gone.upstream.data_received(OK)  # the first that asked took the connection that was used last
    assert client(answered) == "ending, half-closed"
    await asyncio.sleep(0)
    assert client(gone) == "ending, half-closed"
    assert gone.near.is_aborted
    assert gone.near.take() == b""
    assert answered.near.take().startswith(b"HTTP/1.1 200 ")


def test_a_client_that_is_lost(pair: Pair, plane: Plane) -> None:
    pair.client.data_received(GET)
    exchange = pair.client._exchange
    pair.client.connection_lost(None)
    assert repr(pair.client) == "<ClientConnection 10.0.0.1 closed, 0 bytes to send>"
    assert upstream(pair) == "closing, 2"
    assert repr(exchange) == "<Exchange GET /a over, status 0, 0 bytes in, 0 out>"
    pair.client.refuse(Refusal(Fault.BAD_REQUEST, "too late"))
    assert "closed" in repr(pair.client)
    assert "0 connections, 0 exchanges" in repr(plane.listener)


def test_a_switch(pair: Pair, plane: Plane) -> None:
    pair.client.data_received(UPGRADE)
    pair.upstream.data_received(SWITCH)
    assert (client(pair), upstream(pair)) == ("tunnel", "detached, 2")
    assert repr(pair.near.protocol) == "<TunnelSide 10.0.0.1 open, 0 bytes to send>"
    assert repr(plane.listener) == "<Listener inbound serving, 1 connections, 1 exchanges, 1 tunnels>"
    assert plane.metrics.listener("inbound").tunnels_total == {"upgrade": 1}


@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_a_kept_connection_that_closes_without_a_word(pair: Pair, plane: Plane, method: bytes) -> None:
    """What is safe to send twice is (RFC 9112, 9.3.1)."""
    pair.client.data_received(GET.replace(b"GET", method))
    exchange = pair.client._exchange
    pair.upstream.connection_lost(None)
    assert repr(pair.upstream) == "<UpstreamConnection 127.0.0.1 lost, 2 served, 0 bytes to send>"
    if method == b"GET":
        assert repr(exchange) == "<Exchange GET /a queued, status 0, 0 bytes in, 0 out>"
        assert "0 connections, 0 idle, 1 being made, 1 waiting" in repr(plane.pool)
        pair.client.connection_lost(None)
    else:
        assert repr(exchange) == "<Exchange POST /a over, status 0, 0 bytes in, 0 out>"
        assert pair.near.written.startswith(b"HTTP/1.1 502 ")
    plane.pool.abort()
    await plane.pool.wait_closed()


def test_one_that_closes_after_a_byte(pair: Pair) -> None:
    pair.client.data_received(GET)
    pair.upstream.data_received(OK[:9])
    assert upstream(pair) == "answered, 2"
    pair.upstream.connection_lost(None)
    assert b'details="the upstream closed in the middle of its response"' in pair.near.written


def test_a_fresh_connection_is_not_tried_twice(plane: Plane) -> None:
    pair = Pair(plane, kept=False)
    fresh, far = plane.pool.new_protocol(), FakeTransport(peername=("127.0.0.1", 8080))
    fresh.connection_made(far)
    assert repr(fresh) == "<UpstreamConnection 127.0.0.1 idle, 0 served, 0 bytes to send>"
    plane.pool.adopt(fresh)
    pair.client.data_received(GET)
    assert repr(fresh) == "<UpstreamConnection 127.0.0.1 asked, 1 served, 0 bytes to send>"
    fresh.connection_lost(None)
    assert b'details="the upstream closed without a response"' in pair.near.written


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n",
        OK + b"surplus",
    ],
)
def test_a_response_that_retires_its_connection(pair: Pair, response: bytes) -> None:
    pair.client.data_received(GET)
    pair.upstream.data_received(response)
    assert (client(pair), upstream(pair)) == ("waiting", "closing, 2")


def test_bytes_that_nobody_asked_for_end_a_connection(pair: Pair) -> None:
    """They would pass for the next response."""
    pair.client.data_received(GET)
    pair.upstream.data_received(OK)
    pair.near.take()
    pair.upstream.data_received(OK)
    assert (client(pair), upstream(pair)) == ("waiting", "closing, 2")
    assert (pair.far.is_aborted, pair.near.take()) == (True, b"")


def test_a_retired_connection_serves_its_exchange_to_the_end(pair: Pair) -> None:
    pair.client.data_received(GET)
    pair.upstream.data_received(LONG)
    pair.upstream.is_retired = True  # as the pool does when the name has moved
    assert upstream(pair) == "reading a body, retired, 2"
    pair.upstream.data_received(b"1234567")
    assert (client(pair), upstream(pair)) == ("waiting", "closing, 2")


async def test_what_came_before_a_loss_is_read(plane: Plane) -> None:
    """More than one turn takes: the connection is gone, and its last bytes still go to the client."""
    (pair,) = plane.pairs(1)
    pair.client.data_received(GET)
    chunks = b"1\r\nx\r\n" * 2000 + b"0\r\n\r\n"
    pair.upstream.data_received(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
    assert upstream(pair) == "reading a body, 2"
    pair.upstream.connection_lost(None)
    assert upstream(pair) == "lost, still read, 2"
    for _ in range(10):  # turns
        await asyncio.sleep(0)
    assert (client(pair), upstream(pair)) == ("waiting", "lost, 2")
    assert pair.near.written.count(b"x") == 2000


async def test_an_exchange_that_waits() -> None:
    """For its turn in the pool's queue; a deadline ends it."""
    plane = Plane(PoolPlan(max_connections=1))
    first, second = plane.pairs(2)
    plane.pool._idle.remove(second.upstream)
    plane.pool._all.discard(second.upstream)
    first.client.data_received(GET)
    second.client.data_received(GET)
    exchange = second.client._exchange
    assert repr(exchange) == "<Exchange GET /a queued, status 0, 0 bytes in, 0 out>"
    assert exchange is not None
    exchange.on_deadline()
    assert repr(exchange) == "<Exchange GET /a over, status 0, 0 bytes in, 0 out>"
    assert client(second) == "waiting"
    assert second.near.written.startswith(b"HTTP/1.1 503 ")


# --- how slow a client may be: edges that a clock on the wire cannot show

LATER_S = 1000.0


def judged(pair: Pair, plane: Plane, after_s: float) -> str:
    """So much later, at a deadline."""
    plane.ticker.now += after_s
    pair.client.on_deadline()
    return client(pair)


@pytest.mark.parametrize(("came", "state"), [(240 * 60, "reading a body"), (240 * 60 - 1, "ending")])
def test_the_least_that_has_to_come_of_a_body(plane: Plane, came: int, state: str) -> None:
    """240 bytes a second over 60 s, all by default."""
    pair = Pair(plane)
    pair.client.data_received(b"POST /a HTTP/1.1\r\nHost: app\r\nContent-Length: 100000\r\n\r\n")
    began = plane.ticker.now
    plane.ticker.now += 59
    pair.client.data_received(bytes(came))
    assert pair.client.deadline == began + 60
    assert judged(pair, plane, 1) == state
    if state == "ending":
        assert b" 408 " in pair.near.take()
    else:
        assert pair.client.deadline == began + 59 + 60, "silent for too long"


def test_the_time_in_which_a_body_is_not_read_does_not_count(plane: Plane) -> None:
    pair = Pair(plane)
    pair.client.data_received(b"POST /a HTTP/1.1\r\nHost: app\r\nContent-Length: 100000\r\n\r\n")
    pair.upstream.pause_writing()
    plane.ticker.now += LATER_S
    pair.upstream.resume_writing()
    assert pair.client.deadline == plane.ticker.now + 60
    pair.client.data_received(b"x")
    assert judged(pair, plane, 59) == "reading a body"
    assert judged(pair, plane, 1) == "ending"


@pytest.mark.parametrize(("taken", "is_cut"), [(240 * 75, False), (240 * 75 - 1, True)])
def test_the_least_that_has_to_be_taken_of_an_answer(plane: Plane, taken: int, is_cut: bool) -> None:
    """240 bytes a second over 75 s, all by default. What is written meanwhile does not count against the client."""
    pair = Pair(plane)
    pair.client.data_received(GET)
    pair.upstream.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    pair.near.buffered = 100_000
    pair.client.pause_writing()
    pair.upstream.data_received(bytes(50_000))  # which was on its way
    pair.near.buffered = 150_000 - taken
    plane.ticker.now += 75
    pair.client.on_deadline()
    assert pair.near.is_aborted is is_cut
    faults = plane.metrics.exchange("inbound", "app").faults
    assert faults == ({"client-too-slow": 1} if is_cut else {})
    if is_cut:
        assert "closing" in repr(pair.upstream)
