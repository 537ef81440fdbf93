"""What a client of HTTP/1.1 asks goes to an upstream of HTTP/2, and what that answers comes back; without sockets."""

from __future__ import annotations

import asyncio

import pytest
from lab.http2 import Fields, data
from lab.pairs import Pair
from lab.shared import SharedPlane, Upstream

from proxy.http2.engine import codes
from proxy.http2.engine.codes import END_STREAM
from proxy.plan import PoolPlan

FORWARDED: Fields = [
    (b"x-forwarded-for", b"10.0.0.1"),
    (b"x-forwarded-proto", b"http"),
    (b"x-forwarded-host", b"app"),
    (b"via", b"1.1 test"),
]


async def asked(*pieces: bytes) -> tuple[Pair, Upstream, Fields, bytes, Fields]:
    """What the upstream gets: the fields, the content, the trailers."""
    plane = SharedPlane(pool=PoolPlan(max_connections=1))
    upstream, pair = plane.upstream(), Pair(plane.plane, kept=False)
    frames = []
    for piece in pieces:
        pair.client.data_received(piece)
        for _ in range(3):
            await asyncio.sleep(0)
        frames += upstream.frames()
    assert [one for one in frames if one.flags & END_STREAM and one.kind < 2] == frames[-1:]
    blocks = [upstream.peer.fields(one.payload) for one in frames if one.kind == codes.HEADERS]
    content = b"".join(one.payload for one in frames if one.kind == codes.DATA)
    return pair, upstream, blocks[0], content, blocks[1] if blocks[1:] else []


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"M-SEARCH"])
async def test_a_request_without_content(method: bytes) -> None:
    _, _, fields, content, _ = await asked(
        method + b" /a?b HTTP/1.1\r\nHost: app\r\nX-A: 1\r\nConnection: x-b\r\nX-B: 2\r\nKeep-Alive: 5\r\n\r\n"
    )
    pseudo: Fields = [(b":method", method), (b":scheme", b"http"), (b":path", b"/a?b"), (b":authority", b"app")]
    assert fields[:4] == pseudo
    assert sorted(fields[4:]) == sorted([(b"x-a", b"1"), *FORWARDED])
    assert content == b""


@pytest.mark.parametrize("length", [0, 5])
async def test_a_request_of_a_length(length: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: app\r\nContent-Length: %d\r\n\r\n" % length
    _, _, fields, content, _ = await asked(head + b"a" * length)
    told = [value for name, value in fields if name == b"content-length"]
    assert (content, told) == (b"a" * length, [b"%d" % length])


@pytest.mark.parametrize("cut", [None, 51, 70, 76, 82])
async def test_chunks_and_trailers(cut: int | None) -> None:
    """In one piece, or in two."""
    wire = b"POST / HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-End: 1\r\n\r\n"
    _, _, fields, content, trailers = await asked(*([wire] if cut is None else [wire[:cut], wire[cut:]]))
    assert not {b"content-length", b"transfer-encoding"} & {name for name, _ in fields}
    assert (content, trailers) == (b"abc", [(b"x-end", b"1")])


async def test_an_answer_comes_back_with_its_trailers() -> None:
    pair, upstream, *_ = await asked(b"GET / HTTP/1.1\r\nHost: app\r\nTE: trailers\r\n\r\n")
    wire = [upstream.peer.headers(1, [(b":status", b"200"), (b"x-a", b"1")]), data(1, b"abc")]
    upstream.get(*wire, upstream.peer.headers(1, [(b"x-end", b"1")], end=True))
    await asyncio.sleep(0)
    head, _, content = pair.near.take().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 \r\n")  # HTTP/2 has no reason phrases
    assert b"\r\nx-a: 1" in head
    assert content == b"3\r\nabc\r\n0\r\nx-end: 1\r\n\r\n"
