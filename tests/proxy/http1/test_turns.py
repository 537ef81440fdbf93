"""The work of one turn of the event loop is bounded, whatever peers send: counted in what comes out, not in time."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, cast

import pytest
from lab.pairs import Plane

from proxy.http1.message.bodies import CHUNKS_A_FEED
from proxy.transport.turns import FULL_READ_BYTES, PIECES_A_TURN

READ_BYTES = 256_000  # what uvloop reads at once
POST = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKS = b"1\r\nx\r\n" * (READ_BYTES // 6)
OK = b"HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 2\r\n\r\nok"


async def turns_until(is_done: Callable[[], bool], work: Callable[[], int]) -> list[int]:
    """Take turns until `is_done`; how much `work` each has done."""
    done, before = [], work()
    while not is_done():
        await asyncio.sleep(0)
        done.append(work() - before)
        before = work()
        assert len(done) < 10_000, "it never ends"
    return done


def content(data: bytes | bytearray) -> int:
    """The bytes of content in what was written: all of it is `x`."""
    return data.count(b"x")


@pytest.fixture
async def plane() -> Plane:
    return Plane()


@pytest.mark.parametrize("connections", [1, 4, 12])
async def test_chunks_from_clients(plane: Plane, connections: int) -> None:
    """Many in one read: some at once, some in each later turn, and nothing is read meanwhile."""
    pairs = plane.pairs(connections)
    for pair in reversed(pairs):  # the idle connection that was used last is taken first
        pair.client.data_received(POST)
        pair.client.data_received(CHUNKS)
        assert content(pair.far.written) <= CHUNKS_A_FEED
        assert pair.near.is_reading_paused
    done = await turns_until(
        lambda: not any(pair.near.is_reading_paused for pair in pairs),
        lambda: sum(content(pair.far.written) for pair in pairs),
    )
    assert max(done) <= PIECES_A_TURN * CHUNKS_A_FEED
    assert all(content(pair.far.written) == len(CHUNKS) // 6 for pair in pairs)
    pairs[0].client.data_received(b"0\r\n\r\n")
    assert pairs[0].far.written.endswith(b"\r\n0\r\n\r\n")


@pytest.mark.parametrize("connections", [1, 4, 12])
async def test_chunks_from_upstreams(plane: Plane, connections: int) -> None:
    pairs = plane.pairs(connections)
    for pair in reversed(pairs):
        pair.client.data_received(GET)
        pair.upstream.data_received(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS)
        assert content(pair.near.written) <= CHUNKS_A_FEED
        assert pair.far.is_reading_paused
    done = await turns_until(
        lambda: not any(pair.far.is_reading_paused for pair in pairs),
        lambda: sum(content(pair.near.written) for pair in pairs),
    )
    assert max(done) <= PIECES_A_TURN * CHUNKS_A_FEED
    assert all(content(pair.near.written) == len(CHUNKS) // 6 for pair in pairs)
    pairs[0].upstream.data_received(b"0\r\n\r\n")
    assert pairs[0].near.written.endswith(b"\r\n0\r\n\r\n")
    assert pairs[0].upstream in plane.pool._idle


@pytest.mark.parametrize("connections", [1, 40])
async def test_pipelined_requests(plane: Plane, connections: int) -> None:
    """One after another, a few in each turn, whosever they are; here the sidecar answers them itself."""
    options = b"OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n"
    count = READ_BYTES // len(options) // connections
    pairs = plane.pairs(connections)
    for pair in pairs:
        pair.client.data_received(options * count)
        assert pair.near.written.count(b" 200 OK") == 1
        assert pair.near.is_reading_paused
    done = await turns_until(
        lambda: not any(pair.near.is_reading_paused for pair in pairs),
        lambda: sum(pair.near.written.count(b" 200 OK") for pair in pairs),
    )
    assert max(done) <= PIECES_A_TURN
    assert all(pair.near.written.count(b" 200 OK") == count for pair in pairs)


async def test_pipelined_requests_with_bodies(plane: Plane) -> None:
    """Heads and bodies that lie anywhere in what was put aside are read whole, and in order."""
    [pair] = plane.pairs(1)
    count = 400
    wire = b"".join(
        b"POST /%d HTTP/1.1\r\nHost: a\r\nX: %b\r\n%b" % (
            number,
            b"y" * (number * 37 % 3000),
            [b"Content-Length: 3\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"][number % 2],
        )
        for number in range(count)
    )  # fmt: skip
    pair.client.data_received(wire)
    for number in range(count):
        await turns_until(lambda: b"abc" in pair.far.written, lambda: 0)
        assert pair.far.take().startswith(b"POST /%d HTTP/1.1\r\n" % number)
        pair.upstream.data_received(OK)
    await turns_until(lambda: pair.near.written.count(b" 200 OK") == count, lambda: 0)
    assert not pair.near.is_reading_paused


async def test_interim_responses(plane: Plane) -> None:
    """One head is one piece of work, however many come at once."""
    [pair] = plane.pairs(1)
    pair.client.data_received(GET)
    pair.upstream.data_received(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 20 + OK)
    assert pair.near.written.count(b" 103 ") == 1
    assert pair.far.is_reading_paused
    done = await turns_until(
        lambda: pair.near.written.endswith(b"\r\n\r\nok"), lambda: pair.near.written.count(b" 103 ")
    )
    assert max(done) <= PIECES_A_TURN
    assert pair.near.written.count(b" 103 ") == 20
    assert not pair.far.is_reading_paused
    assert pair.upstream in plane.pool._idle


@pytest.mark.parametrize("framing", [b"Content-Length: 999999999", b"Connection: close"])
async def test_full_reads_of_a_response(plane: Plane, framing: bytes) -> None:
    """libuv would go on reading in the same turn."""
    [pair] = plane.pairs(1)
    pair.client.data_received(GET)
    pair.upstream.data_received(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % framing)
    pair.upstream.data_received(b"x" * FULL_READ_BYTES)
    assert pair.far.is_reading_paused
    await asyncio.sleep(0)
    assert not pair.far.is_reading_paused
    pair.upstream.data_received(b"x" * (FULL_READ_BYTES - 1))
    assert not pair.far.is_reading_paused


async def test_full_reads_of_a_request(plane: Plane) -> None:
    [pair] = plane.pairs(1)
    pair.client.data_received(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n")
    pair.client.data_received(b"x" * FULL_READ_BYTES)
    assert pair.near.is_reading_paused
    await asyncio.sleep(0)
    assert not pair.near.is_reading_paused
    assert content(pair.far.written) == FULL_READ_BYTES


async def test_a_slow_peer_holds_up_what_is_behind(plane: Plane) -> None:
    """Turns do not lift the backpressure of the other side."""
    [pair] = plane.pairs(1)
    pair.client.data_received(POST)
    pair.client.data_received(CHUNKS)
    pair.upstream.pause_writing()
    await turns_until(lambda: content(pair.far.written) == len(CHUNKS) // 6, lambda: 0)
    assert pair.near.is_reading_paused
    pair.upstream.resume_writing()
    assert not pair.near.is_reading_paused
    pair.client.data_received(b"0\r\n\r\n")
    pair.upstream.data_received(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS)
    pair.client.pause_writing()
    await turns_until(lambda: content(pair.near.written) == len(CHUNKS) // 6, lambda: 0)
    assert pair.far.is_reading_paused
    pair.client.resume_writing()
    assert not pair.far.is_reading_paused


@pytest.mark.parametrize("is_chunked", [True, False])
async def test_what_comes_of_a_response_while_its_connection_is_paused_waits_for_its_turn(
    plane: Plane, is_chunked: bool
) -> None:
    """A transport may hand over what it has read already. It is passed on once, behind what came before."""
    [pair] = plane.pairs(1)
    pair.client.data_received(GET)
    framing = b"Transfer-Encoding: chunked" if is_chunked else b"Content-Length: %d" % (FULL_READ_BYTES + 2)
    pair.upstream.data_received(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % framing)
    pair.upstream.data_received(CHUNKS if is_chunked else b"x" * FULL_READ_BYTES)
    before = len(pair.near.written)
    for piece in (b"1\r\ny\r\n", b"1\r\nz\r\n0\r\n\r\n") if is_chunked else (b"y", b"z"):
        pair.upstream.data_received(piece)
    assert len(pair.near.written) == before
    await turns_until(lambda: not pair.far.is_reading_paused, lambda: 0)
    _, _, written = pair.near.take().partition(b"\r\n\r\n")
    assert content(written) == (len(CHUNKS) // 6 if is_chunked else FULL_READ_BYTES)
    assert (written.count(b"y"), written.count(b"z")) == (1, 1)
    assert written.rindex(b"x") < written.index(b"y") < written.index(b"z")
    assert written.endswith(b"\r\n0\r\n\r\n") is is_chunked
    assert pair.upstream in plane.pool._idle


async def test_surplus_bytes_that_waited_behind_a_response_end_its_connection(plane: Plane) -> None:
    """The next request on it would be answered with them."""
    [pair] = plane.pairs(1)
    pair.client.data_received(GET)
    pair.upstream.data_received(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    pair.upstream.data_received(CHUNKS + b"0\r\n\r\n")
    pair.upstream.data_received(OK)
    await turns_until(lambda: pair.near.written.endswith(b"\r\n0\r\n\r\n"), lambda: 0)
    assert content(pair.near.written) == len(CHUNKS) // 6
    assert pair.far.is_closing()
    assert pair.upstream not in plane.pool._idle


async def test_last_words_of_a_lost_upstream_are_read_behind_what_waits(plane: Plane) -> None:
    """The kernel has the end of a response whose middle waits for its turn."""
    [pair] = plane.pairs(1)
    pair.client.data_received(GET)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"1\r\ny\r\n0\r\n\r\n")
        ours.setblocking(False)
        pair.upstream._fd = ours.fileno()
        pair.upstream.data_received(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS)
        pair.far.abort()
        pair.upstream.connection_lost(ConnectionResetError())
    await turns_until(lambda: pair.near.written.endswith(b"\r\n0\r\n\r\n"), lambda: 0)
    _, _, written = pair.near.take().partition(b"\r\n\r\n")
    assert (content(written), written.count(b"y")) == (len(CHUNKS) // 6, 1)
    assert not pair.near.is_closing()


async def test_a_malformed_chunk_behind_many_is_found_in_its_turn(plane: Plane) -> None:
    [pair] = plane.pairs(1)
    pair.client.data_received(POST)
    pair.client.data_received(CHUNKS + b"oops\r\n")
    await turns_until(lambda: bool(pair.near.written), lambda: 0)
    assert pair.near.written.startswith(b"HTTP/1.1 400 ")
    assert pair.far.is_aborted


@pytest.mark.parametrize("ends", [True, False])
async def test_what_an_upstream_sent_before_it_was_lost_is_passed_on(plane: Plane, ends: bool) -> None:
    """The end of its connection does not overtake what came before."""
    [pair] = plane.pairs(1)
    pair.client.data_received(GET)
    last = b"0\r\n\r\n" if ends else b""
    pair.upstream.data_received(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS + last)
    pair.far.abort()
    pair.upstream.connection_lost(ConnectionResetError())
    await turns_until(lambda: content(pair.near.written) == len(CHUNKS) // 6, lambda: 0)
    for _ in range(3):
        await asyncio.sleep(0)
    assert pair.near.written.endswith(b"\r\n0\r\n\r\n") is ends
    assert pair.near.is_closing() is not ends


async def test_a_client_that_is_gone_leaves_nothing_to_do(plane: Plane) -> None:
    [pair] = plane.pairs(1)
    pair.client.data_received(POST)
    pair.client.data_received(CHUNKS)
    pair.client.connection_lost(None)
    written = bytes(pair.far.written)
    for _ in range(5):
        await asyncio.sleep(0)
    assert pair.far.written == written
    assert pair.far.is_aborted


async def test_an_upstream_switches_protocols_behind_an_interim_response(plane: Plane) -> None:
    """The tunnel has the transports then; a turn that was asked for before does not touch them."""
    [pair] = plane.pairs(1)
    pair.client.data_received(GET[:-2] + b"Connection: upgrade\r\nUpgrade: echo\r\n\r\n")
    interim, switch = (
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
        b"HTTP/1.1 101 Now\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n",
    )
    near = cast(Any, pair.near)
    near.buffered = 0
    pair.upstream.data_received(interim + switch + b"hello")
    await turns_until(lambda: pair.near.written.endswith(b"hello"), lambda: 0)
    side = cast(Any, pair.near.protocol)
    side.pause_writing()  # of the tunnel: the client takes no more
    assert pair.far.is_reading_paused
    for _ in range(3):
        await asyncio.sleep(0)
    assert pair.far.is_reading_paused
