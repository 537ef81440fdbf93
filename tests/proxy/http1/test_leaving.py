"""A client that leaves while its answer is being read: how long the answer still has."""

from __future__ import annotations

import asyncio
import socket

import pytest
from lab.pairs import Pair, Plane

from proxy.http1.message.bodies import CHUNKS_A_FEED
from proxy.plan import Clients

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nDate: now\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"1\r\nx\r\n"
END = b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("feeds", "is_whole"), [(1, True), (2, True), (12, True), (17, True), (18, False), (19, False), (40, False)]
)
async def test_an_answer_that_has_come_gets_16_more_turns(feeds: int, is_whole: bool) -> None:
    """So many pieces of it as are parsed at once: one with the read, one with the end, and one in each turn."""
    plane = Plane()
    [pair] = plane.pairs(1)
    pair.client.data_received(GET)
    pair.upstream.data_received(HEAD + CHUNK * (CHUNKS_A_FEED * feeds) + END)
    pair.client.eof_received()
    for _ in range(40):
        await asyncio.sleep(0)
    assert pair.near.is_closing()
    assert pair.near.written.endswith(END) is is_whole
    assert pair.near.written.count(b"x") == CHUNKS_A_FEED * min(feeds, 18)
    assert pair.near.is_aborted is not is_whole


async def test_a_client_that_leaves_before_its_answer_is_gone_at_once() -> None:
    plane = Plane()
    [pair] = plane.pairs(1)
    pair.client.data_received(GET)
    pair.client.eof_received()
    await asyncio.sleep(0)
    assert pair.near.is_aborted
    assert pair.far.is_closing()


class Endpoint:
    """A socket that notes whether its end is to be a reset."""

    def __init__(self) -> None:
        self.family = socket.AF_INET
        self.is_reset = False

    def fileno(self) -> int:
        return -1

    def setsockopt(self, level: int, option: int, value: object) -> None:
        self.is_reset |= (level, option) == (socket.SOL_SOCKET, socket.SO_LINGER)


@pytest.mark.parametrize(
    ("version", "answer", "is_reset"),
    [
        (b"1.0", b"HTTP/1.1 200 OK\r\n\r\npart", True),
        (b"1.0", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart", False),
        (b"1.1", b"HTTP/1.1 200 OK\r\n\r\npart", False),
        (b"1.0", b"", False),
    ],
)
async def test_an_answer_that_ends_with_its_connection_is_not_cut_unnoticed(
    version: bytes, answer: bytes, is_reset: bool
) -> None:
    """A client that has only ended its own side would take a clean end for the end of the answer."""
    plane = Plane()
    endpoint = Endpoint()
    pair = Pair(plane, socket=endpoint)
    pair.client.data_received(GET.replace(b"1.1", version))
    if answer:
        pair.upstream.data_received(answer)
    pair.client.eof_received()
    for _ in range(20):
        await asyncio.sleep(0)
    assert (pair.near.is_aborted, endpoint.is_reset) == (True, is_reset)


async def test_a_client_that_is_not_read_is_watched_until_it_is_lost() -> None:
    """Its number may be another connection's from then on."""
    plane = Plane()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        pair = Pair(plane, socket=ours)
        pair.client.data_received(GET + GET)
        assert (pair.near.is_reading_paused, len(plane.ticker.ends)) == (True, 1)
        pair.client.connection_lost(None)
        assert len(plane.ticker.ends) == 0


@pytest.mark.parametrize("is_behind", [False, True])
async def test_a_client_that_ends_its_side_may_be_served_all_the_same(is_behind: bool) -> None:
    """Where the settings say so; and where it only has to read what is written."""
    plane = Plane(clients=Clients(half_close="abandon" if is_behind else "serve"))
    [pair] = plane.pairs(1)
    pair.client.data_received(GET)
    if is_behind:
        pair.client.pause_writing()
        pair.upstream.data_received(b"HTTP/1.1 204 No Content\r\nDate: now\r\n\r\n")
    assert pair.client.eof_received() is True
    await asyncio.sleep(0)
    assert not pair.near.is_closing()
    if is_behind:
        pair.client.resume_writing()
    else:
        pair.upstream.data_received(b"HTTP/1.1 204 No Content\r\nDate: now\r\n\r\n")
    assert (pair.near.is_closing(), pair.near.is_aborted) == (True, False)
    assert pair.near.take().startswith(b"HTTP/1.1 204 ")
