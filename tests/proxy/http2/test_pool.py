"""The shared connections to one upstream: room, queue, idle ones, and how they end; without sockets."""

from __future__ import annotations

import asyncio

import pytest
from lab.http2 import GET, POST, SETTINGS_ACK, Fields, Frame, data, frame, goaway, rst, settings
from lab.shared import Client, SharedPlane, Upstream

from proxy.http2.engine import codes
from proxy.plan import PoolPlan
from proxy.semantics.faults import Fault, Refusal

CALL: Fields = [*POST, (b"content-type", b"application/grpc"), (b"te", b"trailers")]


def heads(frames: list[Frame]) -> list[int]:
    """The streams whose requests begin in `frames`."""
    return [one.id for one in frames if one.kind == codes.HEADERS]


def status(client: Client) -> bytes:
    return client.answer(client.frames())[b":status"]


async def test_streams_share_a_connection_up_to_a_number() -> None:
    plane = SharedPlane(pool=PoolPlan(streams=2, max_connections=1))
    upstream, client = plane.upstream(), plane.client()
    assert (plane.pool.is_idle, plane.pool.is_unused, upstream.connection.room) == (True, False, 2)
    assert upstream.connection.is_lost is False
    client.ask(1, GET)
    assert (upstream.connection.room, upstream.connection.is_idle) == (1, False)
    client.ask(3, GET)
    client.ask(5, GET)
    assert heads(upstream.frames()) == [1, 3]
    assert upstream.connection.room == 0
    told = "<StreamPool http://127.0.0.1:8080, 1 connections, 0 retired, 0 being made, 1 waiting>"
    assert (repr(plane.pool), plane.pool.is_idle) == (told, False)
    assert heads(upstream.answer(1)) == [5]
    assert status(client) == b"200"
    assert repr(upstream.connection) == "<UpstreamConnection 127.0.0.1, 2 streams, 3 served>"
    metrics = plane.metrics.upstream("app")
    assert (metrics.connects, metrics.connections_open, metrics.reused) == (1, 1, 2)
    client.ask(7, GET)
    client.ask(9, GET)
    assert [heads(upstream.answer(id)) for id in (3, 5, 7)] == [[7], [9], []]


async def test_the_upstream_may_take_fewer() -> None:
    plane = SharedPlane(pool=PoolPlan(max_connections=1))
    upstream, client = plane.upstream(hello=settings((3, 1)) + SETTINGS_ACK), plane.client()
    client.ask(1, GET)
    client.ask(3, GET)
    assert heads(upstream.frames()) == [1]
    assert heads(upstream.get(settings((3, 2)))) == [3]
    assert upstream.connection.room == 0


async def test_a_new_connection_serves_those_that_wait() -> None:
    plane = SharedPlane(pool=PoolPlan(streams=1, max_connections=2))
    first, client = plane.upstream(), plane.client()
    client.ask(1, GET)
    client.ask(3, GET)
    assert heads(first.frames()) == [1]
    second = plane.upstream()
    assert repr(second.connection) == "<UpstreamConnection 127.0.0.1, 1 streams, 1 served>"
    assert plane.metrics.upstream("app").reused == 0
    plane.pool.abort()


async def test_a_connection_without_streams_is_kept_for_30_s() -> None:
    plane = SharedPlane()
    upstream, client = plane.upstream(), plane.client()
    await plane.at(1020.0)
    client.ask(1, GET)
    await plane.at(1025.0)
    upstream.answer(1)
    await plane.at(1054.9)
    assert upstream.frames() == []
    await plane.at(1055.0)
    assert upstream.frames() == [Frame(codes.GOAWAY, 0, 0, bytes(8) + b"idle")]
    assert upstream.transport.is_closing()
    metrics = plane.metrics.upstream("app")
    assert (metrics.idle_closed, metrics.connections_open, plane.descriptors.upstreams) == ({"timeout": 1}, 1, 1)
    upstream.connection.connection_lost(None)
    assert (metrics.connections_open, plane.descriptors.upstreams, plane.pool.is_unused) == (0, 0, True)
    assert metrics.http2.connections_open == 0


async def test_a_connection_that_nobody_has_used_is_kept_for_30_s() -> None:
    plane = SharedPlane()
    upstream = plane.upstream()
    await plane.at(1029.9)
    assert not upstream.transport.is_closing()
    await plane.at(1030.0)
    assert upstream.transport.is_closing()


async def test_an_idle_connection_makes_room_for_a_descriptor() -> None:
    plane = SharedPlane()
    busy, idle, client = plane.upstream(), plane.upstream(), plane.client()
    client.ask(1, GET)
    assert heads(busy.frames()) == [1]
    assert plane.pool.shed() is True
    assert (busy.transport.is_closing(), idle.connection.is_lost or idle.connection.is_retired) == (False, True)
    await asyncio.sleep(0)
    idle.connection.connection_lost(None)
    assert plane.pool.shed() is False
    assert plane.metrics.upstream("app").idle_closed == {"file-descriptors": 1}


async def test_a_goodbye_retires_a_connection_until_its_streams_are_over() -> None:
    plane = SharedPlane(pool=PoolPlan(max_connections=1))
    upstream, client = plane.upstream(), plane.client()
    client.ask(1, GET)
    upstream.frames()
    upstream.get(goaway(1))
    assert repr(upstream.connection) == "<UpstreamConnection 127.0.0.1, 1 streams, retired, 1 served>"
    told = "<StreamPool http://127.0.0.1:8080, 0 connections, 1 retired, 0 being made, 0 waiting>"
    assert (repr(plane.pool), upstream.connection.room, plane.pool.is_idle) == (told, 0, False)
    assert not plane.pool.is_unused
    frames = upstream.answer(1)
    assert status(client) == b"200"
    assert frames[-1] == Frame(codes.GOAWAY, 0, 0, bytes(8) + b"no more streams are open")
    assert upstream.transport.is_closing()
    assert plane.metrics.upstream("app").http2.goaways == {("received", "NO_ERROR"): 1, ("sent", "NO_ERROR"): 1}
    assert plane.metrics.upstream("app").connections_open == 1
    assert upstream.connection.is_lost is True
    upstream.connection.connection_lost(None)
    assert plane.metrics.upstream("app").connections_open == 0
    upstream.connection.connection_lost(None)  # of one that is forgotten
    assert plane.metrics.upstream("app").connections_open == 0


async def test_those_that_wait_are_connected_for_when_a_connection_is_retired() -> None:
    plane = SharedPlane(pool=PoolPlan(streams=1))
    upstream, client = plane.upstream(), plane.client()
    plane.descriptors.most = 1  # another pool has the others
    client.ask(1, GET)
    client.ask(3, GET)
    told = "<StreamPool http://127.0.0.1:8080, 1 connections, 0 retired, 0 being made, 1 waiting>"
    assert (repr(plane.pool), heads(upstream.frames())) == (told, [1])
    plane.descriptors.most = 2  # it has left one
    upstream.get(goaway(1))
    told = "<StreamPool http://127.0.0.1:8080, 0 connections, 1 retired, 1 being made, 1 waiting>"
    assert repr(plane.pool) == told
    plane.pool.abort()


async def test_those_that_wait_are_connected_for_when_another_pool_has_left_a_descriptor() -> None:
    """With the next tick: the pools do not know each other."""
    plane = SharedPlane(pool=PoolPlan(streams=1))
    upstream, client = plane.upstream(), plane.client()
    plane.descriptors.most = 1
    client.ask(1, GET)
    client.ask(3, GET)
    assert heads(upstream.frames()) == [1]
    plane.descriptors.most = 2
    await plane.at(1000.1)
    assert repr(plane.pool).endswith(" 1 connections, 0 retired, 1 being made, 1 waiting>")
    plane.pool.abort()


async def test_a_pool_that_closes_retires_its_connections() -> None:
    plane = SharedPlane()
    busy, client = plane.upstream(), plane.client()
    client.ask(1, GET)
    busy.frames()
    idle = plane.upstream()
    plane.pool.close()
    await asyncio.sleep(0)
    assert [one.transport.is_closing() for one in (busy, idle)] == [False, True]
    busy.answer(1)
    assert busy.transport.is_closing()
    late = plane.upstream()
    await asyncio.sleep(0)
    assert late.transport.is_closing()


async def test_a_pool_that_is_aborted_closes_all_at_once() -> None:
    plane = SharedPlane()
    first, second, client = plane.upstream(), plane.upstream(), plane.client()
    client.ask(1, GET)
    first.get(goaway(1))
    plane.pool.abort()
    assert [one.transport.is_aborted for one in (first, second)] == [True, True]
    assert [one.connection.is_retired for one in (first, second)] == [True, True]


async def test_a_pool_that_is_aborted_keeps_no_connection_that_is_made_late() -> None:
    plane = SharedPlane()
    plane.pool.abort()
    late = plane.upstream()
    await asyncio.sleep(0)
    assert late.transport.is_closing()


async def test_an_upstream_that_has_moved_gets_no_more_streams() -> None:
    plane = SharedPlane()
    stays, client = plane.upstream(), plane.client()
    client.ask(1, GET)
    plane.pool._leave(frozenset(("127.0.0.1",)))
    assert not stays.connection.is_retired
    plane.pool._leave(frozenset(("127.0.0.2",)))
    assert (stays.connection.is_retired, plane.metrics.upstream("app").idle_closed) == (True, {"moved": 1})
    assert (stays.connection.room, stays.transport.is_closing()) == (0, False)


def made(plane: SharedPlane) -> Upstream:
    """A connection that is not greeted yet."""
    return Upstream(plane.pool.new_protocol())  # type: ignore[arg-type]  # what the pool makes


async def test_the_first_stream_of_a_connection_knows_how_long_connecting_took() -> None:
    upstream = SharedPlane().upstream()
    upstream.connection.connect_s = 0.5
    first, second = upstream.connection.stream(), upstream.connection.stream()
    assert [one.connect_s for one in (first, second)] == [0.5, 0.0]
    assert (first.remote, first.is_pinned, first.process) == ((b"127.0.0.1", 8080), False, -1)


async def test_an_upstream_on_a_unix_socket_has_no_address() -> None:
    upstream = Upstream(SharedPlane().pool.new_protocol(), peername="")  # type: ignore[arg-type]  # what the pool makes
    assert repr(upstream.connection) == "<UpstreamConnection unix, 0 streams, 0 served>"
    assert upstream.connection.stream().remote == (b"", 0)


async def test_a_silent_upstream_with_open_streams_is_asked_and_lost_20_s_later() -> None:
    plane = SharedPlane(pool=PoolPlan(ping_s=30.0))
    upstream, client = plane.upstream(), plane.client()
    client.ask(1, CALL)
    upstream.frames()
    await plane.at(1029.9)
    assert upstream.frames() == []
    await plane.at(1030.0)
    assert upstream.frames() == [Frame(codes.PING, 0, 0, b"ops-ping")]
    await plane.at(1049.9)
    assert not upstream.transport.is_aborted
    await plane.at(1050.0)
    assert upstream.transport.is_aborted


async def test_an_upstream_is_greeted_by_its_settings() -> None:
    plane = SharedPlane()
    upstream = made(plane)
    await asyncio.sleep(0)
    (first,) = [one for one in upstream.frames() if one.kind == codes.SETTINGS]
    assert first.payload[:6] == b"\0\2\0\0\0\0"
    assert not upstream.connection.greeted.done()
    upstream.get(settings())
    assert upstream.connection.greeted.result() is None
    assert (upstream.connection.peer, upstream.connection.remote) == ("127.0.0.1", (b"127.0.0.1", 8080))
    upstream.connection.abort()


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "the upstream does not speak HTTP/2: a frame of more than 16384 bytes"),
        (frame(codes.PING, 0, 0, bytes(8)), "the upstream does not speak HTTP/2: the first frame is not SETTINGS"),
        (None, "the upstream closed the connection instead of beginning HTTP/2"),
    ],
)
async def test_an_upstream_that_is_none_says_why(wire: bytes | None, words: str) -> None:
    upstream = made(SharedPlane())
    if wire is None:
        upstream.connection.connection_lost(None)
    else:
        upstream.get(wire)
        upstream.connection.connection_lost(None)
    refusal = upstream.connection.greeted.result()
    assert isinstance(refusal, Refusal)
    assert (refusal.fault, refusal.detail) == (Fault.NO_HTTP2, words)


async def test_an_upstream_that_breaks_a_rule_is_retired_at_once() -> None:
    plane = SharedPlane(pool=PoolPlan(max_connections=1))
    upstream, client = plane.upstream(), plane.client()
    client.ask(1, GET)
    upstream.frames()
    assert [one.kind for one in upstream.get(frame(codes.PING, 0, 1, bytes(8)))] == [codes.GOAWAY]
    assert status(client) == b"502"
    assert (upstream.transport.is_closing(), upstream.connection.is_retired) == (True, True)
    assert repr(plane.pool).startswith("<StreamPool http://127.0.0.1:8080, 0 connections, 1 retired, ")


# --- what becomes of a request


async def test_a_stream_that_the_upstream_resets_fails_its_request() -> None:
    plane = SharedPlane(pool=PoolPlan(max_connections=1))
    upstream, client = plane.upstream(), plane.client()
    client.ask(1, GET)
    upstream.frames()
    upstream.get(rst(1, codes.INTERNAL_ERROR))
    assert status(client) == b"502"
    assert upstream.connection.is_idle
    client.ask(3, CALL)
    upstream.get(rst(3, codes.ENHANCE_YOUR_CALM))
    assert client.frames() == [Frame(codes.RST_STREAM, 0, 3, codes.ENHANCE_YOUR_CALM.to_bytes(4, "big"))]


async def test_an_answer_that_is_malformed_fails_its_request() -> None:
    plane = SharedPlane()
    upstream, client = plane.upstream(), plane.client()
    client.ask(1, GET)
    upstream.frames()
    frames = upstream.get(upstream.peer.headers(1, [(b":status", b"200"), (b"connection", b"close")]))
    assert frames == [Frame(codes.RST_STREAM, 0, 1, codes.PROTOCOL_ERROR.to_bytes(4, "big"))]
    assert status(client) == b"502"
    client.ask(3, GET)
    upstream.get(rst(3, codes.INTERNAL_ERROR))  # which is not malformed
    assert plane.metrics.exchange("inbound", "app").faults == {"bad-response": 1, "stream-reset": 1}


@pytest.mark.parametrize(("fields", "wait_s"), [(GET, 60.0)])
async def test_an_answer_is_waited_for_a_minute(fields: Fields, wait_s: float) -> None:
    plane = SharedPlane()
    upstream, client = plane.upstream(), plane.client()
    client.ask(1, fields)
    upstream.frames()
    await plane.at(1000.0 + wait_s - 0.1)
    assert client.frames() == []
    await plane.at(1000.0 + wait_s)
    assert status(client) == b"504"
    assert upstream.frames() == [Frame(codes.RST_STREAM, 0, 1, codes.CANCEL.to_bytes(4, "big"))]


async def test_an_answer_that_is_silent_in_its_middle_is_cut() -> None:
    plane = SharedPlane()
    upstream, client = plane.upstream(), plane.client()
    client.ask(1, GET)
    upstream.answer(1, end=False)
    await plane.at(1050.0)
    upstream.get(data(1, b"a"))
    client.frames()
    await plane.at(1109.9)
    assert client.frames() == []
    await plane.at(1110.0)
    assert [one.kind for one in client.frames()] == [codes.RST_STREAM]
