"""A request on a kept connection is held until the turn ends: what the turn tells of the connection comes first."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest
from lab.pairs import Pair, Plane

from proxy.plan import PoolPlan
from proxy.semantics.faults import Fault, Refusal

POST = b"POST /a HTTP/1.1\r\nHost: app\r\nContent-Length: %d\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
MOST = 64 * 1024  # that is kept for another connection


@pytest.fixture
async def plane() -> Plane:
    return Plane(held=asyncio.get_running_loop())


@pytest.fixture
def pairs(plane: Plane) -> tuple[Pair, Pair]:
    """Two clients, and two idle connections: the second one's is used first."""
    first, second = plane.pairs(2)
    return first, second


async def turn() -> None:
    await asyncio.sleep(0)


def post(pair: Pair, content: bytes = b"hi") -> None:
    pair.client.data_received(POST % len(content) + content)


def surplus(pair: Pair) -> None:
    pair.upstream.data_received(OK.replace(b"ok", b"no"))


def end(pair: Pair) -> None:
    pair.upstream.eof_received()


def loss(pair: Pair) -> None:
    pair.upstream.connection_lost(ConnectionResetError())


async def test_a_request_is_sent_when_its_turn_ends(plane: Plane, pairs: tuple[Pair, Pair]) -> None:
    first, second = pairs
    post(first)
    assert (second.far.written, plane.pool._metrics.reused) == (b"", 0)
    assert "held" in repr(second.upstream)
    await turn()
    assert second.far.written.endswith(b"\r\n\r\nhi")
    assert plane.pool._metrics.reused == 1
    assert "asked" in repr(second.upstream)
    second.upstream.data_received(OK)
    await turn()
    assert first.near.written.endswith(b"ok")


@pytest.mark.parametrize(
    ("news", "reason"), [(surplus, "surplus-bytes"), (end, "peer"), (loss, "peer")], ids=["surplus", "end", "loss"]
)
async def test_news_of_the_connection_sends_it_elsewhere(
    plane: Plane, pairs: tuple[Pair, Pair], news: Callable[[Pair], None], reason: str
) -> None:
    """A POST as well, for nothing was sent; and it is no retry."""
    first, second = pairs
    post(first)
    news(second)
    await turn()
    assert second.far.written == b""
    assert first.far.written.endswith(b"\r\n\r\nhi")
    first.upstream.data_received(OK)
    await turn()
    assert first.near.written.endswith(b"ok")
    metrics = plane.pool._metrics
    assert (metrics.idle_closed, metrics.retries, metrics.reused) == ({reason: 1}, 0, 1)


async def test_unread_bytes_of_a_lost_connection_are_no_answer(pairs: tuple[Pair, Pair]) -> None:
    """They would be, if the request had been sent: an upstream's last words."""
    first, second = pairs
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(OK.replace(b"ok", b"no"))
        second.upstream._fd = ours.fileno()
        post(first)
        loss(second)
        await turn()
        assert first.far.written.endswith(b"\r\n\r\nhi")
        first.upstream.data_received(OK)
        await turn()
    assert first.near.written.endswith(b"ok")


@pytest.mark.parametrize(("error", "is_read"), [(ConnectionResetError(), True), (None, False)], ids=["reset", "end"])
async def test_last_words_are_looked_for_where_a_write_failed(
    pairs: tuple[Pair, Pair], error: Exception | None, is_read: bool
) -> None:
    """At an orderly end the event loop has read all that came."""
    _, pair = pairs
    post(pair)
    await turn()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(OK)
        ours.setblocking(False)
        pair.upstream._fd = ours.fileno()
        pair.upstream.connection_lost(error)
        await turn()
        await turn()
    assert pair.near.written.endswith(b"ok") is is_read


async def test_without_another_connection_it_waits_for_a_new_one(plane: Plane, pairs: tuple[Pair, Pair]) -> None:
    first, second = pairs
    post(first)
    end(second)
    end(first)
    await turn()
    assert (first.far.written, second.far.written) == (b"", b"")
    assert "1 being made, 1 waiting" in repr(plane.pool)
    assert "queued" in repr(first.client._exchange)


async def test_a_request_that_was_given_up_is_not_sent(pairs: tuple[Pair, Pair]) -> None:
    first, second = pairs
    post(first)
    first.client.connection_lost(None)
    await turn()
    assert (first.far.written, second.far.written) == (b"", b"")
    assert second.far.is_aborted


async def test_a_connection_that_is_closing_gets_no_request(pairs: tuple[Pair, Pair]) -> None:
    """A write of the event loop has failed; it tells of the loss one turn later."""
    first, second = pairs
    post(first)
    second.far.close()
    await turn()
    assert second.far.written == b""
    loss(second)
    await turn()
    assert first.far.written.endswith(b"\r\n\r\nhi")


@pytest.mark.parametrize(("size", "is_held"), [(MOST, True), (MOST + 1, False)])
async def test_only_what_is_kept_is_held(pairs: tuple[Pair, Pair], size: int, is_held: bool) -> None:
    """Of more, nothing is left for another connection: the kernel is asked instead, and it is sent."""
    first, second = pairs
    post(first, b"x" * size)
    assert ("held" in repr(second.upstream)) is is_held
    await turn()
    assert second.far.written.endswith(b"x" * size)


async def test_a_request_that_is_still_coming_is_not_held(pairs: tuple[Pair, Pair]) -> None:
    first, second = pairs
    first.client.data_received(POST.replace(b"%d", b"999999") + b"hi")
    assert second.far.written.endswith(b"\r\n\r\nhi")


async def test_a_connection_that_was_just_made_is_used_at_once(pairs: tuple[Pair, Pair]) -> None:
    """Its end is an answer to this request: a server that ends each connection is not asked again and again."""
    first, second = pairs
    second.upstream.served = 0
    post(first)
    assert "asked" in repr(second.upstream)
    end(second)
    await turn()
    assert first.near.written.startswith(b"HTTP/1.1 502")
    assert first.far.written == b""


async def test_a_retry_is_not_held() -> None:
    """It gets a connection that has served nobody. What a server says there unasked is no news of an old one."""
    plane = Plane(PoolPlan(max_connections=1), held=asyncio.get_running_loop())
    pair = Pair(plane)
    pair.client.data_received(b"GET / HTTP/1.1\r\nHost: app\r\n\r\n")
    await turn()
    pair.upstream.connection_lost(None)
    fresh = plane.pool.new_protocol()
    fresh.connection_made(pair.far)
    pair.far.take()
    plane.pool.adopt(fresh)
    fresh.data_received(b"220 hello\r\n\r\n")
    await turn()
    assert pair.near.written.startswith(b"HTTP/1.1 502")


async def test_a_refusal_of_the_pool_is_told(plane: Plane, pairs: tuple[Pair, Pair]) -> None:
    """The request that has come back may find no connection at all."""
    first, second = pairs
    post(first)
    end(first)
    end(second)
    exchange = first.client._exchange
    assert exchange is not None
    plane.pool.give_up(exchange)
    exchange.on_unconnected(Refusal(Fault.CONNECTION_REFUSED, "refused"))
    await turn()
    assert first.near.written.startswith(b"HTTP/1.1 502")
