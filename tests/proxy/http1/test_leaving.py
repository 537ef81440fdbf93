"""A client that leaves while its answer is being read: how long the answer still has."""

from __future__ import annotations

import asyncio
import socket

import pytest
from lab.pairs import Pair, Plane

from proxy.http1.message.bodies import CHUNKS_A_FEED

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
