"""How a client's connection ends, by a clock that the test sets, and what it is told about a bad request."""

from __future__ import annotations

import asyncio

import pytest
from lab.pairs import Plane

from proxy.transport.turns import FULL_READ_BYTES


async def test_the_lingering_close_follows_a_client_that_still_sends() -> None:
    """3 s of silence end it, and 30 s in all, whatever comes."""
    plane = Plane()
    [pair] = plane.pairs(1)
    clock = plane.ticker
    begin = clock.now
    pair.client.data_received(b"nonsense\r\n\r\n")
    assert pair.client.deadline == begin + 3
    for second in range(2, 28, 2):
        clock.now = begin + second
        pair.client.data_received(b"more of the body")
        assert pair.client.deadline == begin + second + 3
    for second in (28, 29, 30):
        clock.now = begin + second
        pair.client.data_received(b"more of the body")
        assert pair.client.deadline == begin + 30


@pytest.mark.parametrize(
    ("begins", "has_content"), [(b"HEAD /", False), (b"\r\nHEAD /", False), (b"HEADS /", True), (b"GET /", True)]
)
async def test_a_refusal_of_head_has_no_content(begins: bytes, has_content: bool) -> None:
    """Even where the request could not be read: the client would take it for the next response."""
    plane = Plane()
    [pair] = plane.pairs(1)
    pair.client.data_received(begins + b" HTTP/1.1\r\nHost: a b\r\n\r\n")
    head, _, content = pair.near.take().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert bool(content) is has_content


@pytest.mark.parametrize(
    "part",
    [b"GET / HTT", b"GET / HTTP/1.1\r\nHost: a\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab"],
)
async def test_a_client_that_ends_in_the_middle_of_its_request_is_told(part: bytes) -> None:
    """It may have ended its own side alone."""
    plane = Plane()
    [pair] = plane.pairs(1)
    pair.client.data_received(part)
    assert pair.client.eof_received() is True
    said = pair.near.take()
    assert said.startswith(b"HTTP/1.1 400 ")
    assert b"the client closed in the middle of its request" in said
    assert pair.near.is_closing() and not pair.near.is_aborted


async def test_a_client_without_a_request_may_end_at_any_time() -> None:
    plane = Plane()
    [pair] = plane.pairs(1)
    assert pair.client.eof_received() is False
    assert pair.near.take() == b""


async def test_a_client_is_read_again_when_all_it_sent_is_answered() -> None:
    """Until then what comes early would only pile up."""
    plane = Plane()
    [pair] = plane.pairs(1)
    get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    pair.client.data_received(get + get)
    assert pair.near.is_reading_paused
    for _ in range(2):
        pair.upstream.data_received(b"HTTP/1.1 204 No Content\r\nDate: now\r\n\r\n")
        await asyncio.sleep(0)
    assert not pair.near.is_reading_paused
    assert pair.near.take().count(b"HTTP/1.1 204 ") == 2


async def test_a_client_that_sends_before_its_answer_is_not_read_until_then() -> None:
    """What has come is kept, in order."""
    plane = Plane()
    [pair] = plane.pairs(1)
    pair.client.data_received(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert not pair.near.is_reading_paused
    for piece in (b"GET /2 HT", b"TP/1.1\r\nHost: a\r\n\r\n"):
        pair.client.data_received(piece)
        assert pair.near.is_reading_paused
    assert pair.far.take().count(b"GET /") == 1
    pair.upstream.data_received(b"HTTP/1.1 204 No Content\r\nDate: now\r\n\r\n")
    await asyncio.sleep(0)
    assert pair.far.take().startswith(b"GET /2 HTTP/1.1\r\n")
    assert not pair.near.is_reading_paused


async def test_a_client_that_sends_while_it_does_not_read_its_answer_is_not_read() -> None:
    plane = Plane()
    [pair] = plane.pairs(1)
    pair.client.data_received(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
    pair.client.pause_writing()
    pair.upstream.data_received(b"HTTP/1.1 204 No Content\r\nDate: now\r\n\r\n")
    assert not pair.near.is_reading_paused
    pair.client.data_received(b"nonsense\r\n\r\n")
    assert pair.near.is_reading_paused
    await asyncio.sleep(0)
    assert pair.near.is_reading_paused
    assert b" 400 " not in pair.near.take()
    pair.client.resume_writing()
    await asyncio.sleep(0)
    assert b" 400 " in pair.near.take()


@pytest.mark.parametrize(("size", "waits"), [(FULL_READ_BYTES - 1, False), (FULL_READ_BYTES, True)])
async def test_what_follows_a_refusal_is_not_read_faster_than_the_rest(size: int, waits: bool) -> None:
    plane = Plane()
    [pair] = plane.pairs(1)
    pair.client.data_received(b"nonsense\r\n\r\n")
    pair.client.data_received(bytes(size))
    assert pair.near.is_reading_paused is waits
    await asyncio.sleep(0)
    assert not pair.near.is_reading_paused
