"""Request and response as they pass through, over raw sockets: framing both ways, early ends, retries, backpressure."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from proxy.plan import PoolPlan, Timeouts
from proxy.telemetry.process import process_usage

GET = b"GET / HTTP/1.1\r\nHost: app\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: app\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nDate: today\r\nContent-Length: 2\r\n\r\nok"


async def test_chunks_are_framed_anew_on_the_way_up(lab: Any) -> None:
    """Extensions are dropped, trailers pass, forbidden ones do not, and none becomes a header."""
    sidecar, origin = await lab.pair()
    origin.by_hand()
    wire = await sidecar.connect()
    await wire.send(
        POST
        + b"Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
        + b"5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\nContent-Length: 7\r\n".replace(
            b"Content-Length: 7", b"Authorization: me"
        )
        + b"Host: other\r\n\r\n"
    )
    upstream = await origin.accept()
    head = await upstream.head()
    assert head.count(b"Transfer-Encoding: chunked\r\n") == 1
    assert b"Content-Length" not in head
    assert b"\r\nTrailer: X-Sum\r\n" in head
    assert b"X-Sum: 1" not in head
    assert await upstream.until(b"\r\n\r\n") == b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"


async def test_chunks_are_framed_anew_on_the_way_down(lab: Any) -> None:
    sidecar, origin = await lab.pair()
    body = b"5;x\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 1\r\nSet-Cookie: a=b\r\n\r\n"
    origin.answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n" + body)
    wire = await sidecar.connect()
    await wire.send(GET)
    head = await wire.head()
    assert b"\r\nTransfer-Encoding: chunked\r\n" in head
    assert b"\r\nTrailer: X-Sum\r\n" in head
    assert await wire.until(b"\r\n\r\n") == b"6\r\nhello!\r\n0\r\nX-Sum: 1\r\n\r\n"


async def test_a_dripped_response_is_the_same_response(lab: Any) -> None:
    sidecar, origin = await lab.pair()
    origin.by_hand()
    wire = await sidecar.connect()
    await wire.send(CLOSE)
    upstream = await origin.accept()
    await upstream.head()
    await upstream.drip(
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a="b"\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n'
    )
    answer = await wire.rest()
    content = answer.split(b"\r\n\r\n", 1)[1]
    pieces = re.findall(rb"(?s)([0-9a-f]+)\r\n(.*?)\r\n", content.split(b"0\r\nT: u")[0])
    assert b"".join(data for _, data in pieces) == b"abcde"
    assert answer.endswith(b"0\r\nT: u\r\n\r\n")


async def test_a_response_until_close_is_chunked(lab: Any) -> None:
    sidecar, origin = await lab.pair()
    origin.answering(b"HTTP/1.1 200 OK\r\n\r\nhello", close=True)
    wire = await sidecar.connect()
    await wire.send(GET)
    assert b"\r\nTransfer-Encoding: chunked\r\n" in await wire.head()
    assert await wire.until(b"0\r\n\r\n") == b"5\r\nhello\r\n0\r\n\r\n"
    await wire.send(GET)  # and the client's connection goes on
    assert (await wire.head()).startswith(b"HTTP/1.1 200 OK")


async def test_http_1_0_gets_no_chunks_no_1xx(lab: Any) -> None:
    sidecar, origin = await lab.pair()
    origin.answering(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nT: u\r\n\r\n"
    )
    answer = await sidecar.ask(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    head, content = answer.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert b"Transfer-Encoding" not in head
    assert b"\r\nConnection: close" in head
    assert content == b"hello"


@pytest.mark.parametrize(
    ("request_", "response", "expected_length"),
    [
        (b"HEAD / HTTP/1.1\r\nHost: app\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"5"),
        (b"HEAD / HTTP/1.1\r\nHost: app\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", None),
        (GET, b"HTTP/1.1 204 No Content\r\n\r\n", None),
        (GET, b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b"5"),
    ],
)
async def test_responses_without_a_body(
    lab: Any, request_: bytes, response: bytes, expected_length: bytes | None
) -> None:
    """RFC 9112, 6.3: what the fields announce does not come, and the next response follows at once."""
    sidecar, origin = await lab.pair()
    origin.answering(response, OK)
    wire = await sidecar.connect()
    await wire.send(request_)
    head = await wire.head()
    announced = re.search(rb"Content-Length: (\d+)", head)
    assert (announced[1] if announced else None) == expected_length
    assert b"Transfer-Encoding" not in head
    await wire.send(GET)
    assert (await wire.message())[1] == b"ok"
    assert origin.opened == 1


async def test_100_and_103_are_relayed(lab: Any) -> None:
    sidecar, origin = await lab.pair()
    origin.by_hand()
    wire = await sidecar.connect()
    await wire.send(POST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    upstream = await origin.accept()
    assert b"\r\nExpect: 100-continue\r\n" in await upstream.head()
    await upstream.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
    assert await wire.head() == b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    assert await wire.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
    await wire.send(b"hi")
    assert await upstream.exactly(2) == b"hi"
    await upstream.send(OK)
    assert (await wire.message())[1] == b"ok"


async def test_too_many_1xx(lab: Any) -> None:
    sidecar, origin = await lab.pair()
    origin.answering(b"HTTP/1.1 102 Processing\r\n\r\n" * 50)
    assert b"HTTP/1.1 502 Bad Gateway" in await sidecar.ask(CLOSE)


BAD_RESPONSES = {
    "two Content-Lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "TE and CL": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE gzip": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
    "TE in 1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bad status line": b"HTTP/1.1 20 OK\r\n\r\n",
    "status 000": b"HTTP/1.1 000 OK\r\n\r\n",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "not HTTP": b"SSH-2.0-OpenSSH\r\n",
    "obs-fold": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "NUL": b"HTTP/1.1 200 OK\r\nX: a\0\r\nContent-Length: 2\r\n\r\nok",
    "CTL in the reason": b"HTTP/1.1 200 a\x01\r\nContent-Length: 2\r\n\r\nok",
    "oversized head": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
    "bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "101 unasked": b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
}


@pytest.mark.parametrize("name", BAD_RESPONSES)
async def test_a_bad_response_becomes_502(lab: Any, name: str) -> None:
    sidecar, origin = await lab.pair()
    origin.answering(BAD_RESPONSES[name])
    wire = await sidecar.connect()
    await wire.send(GET)
    head, _ = await wire.message()
    assert head.startswith(b"HTTP/1.1 502 Bad Gateway")
    assert b"Proxy-Status: ops-sidecar; error=" in head
    origin.serve = origin.answer_ok
    await wire.send(GET)  # the client's connection is whole, and the upstream's is not used again
    assert (await wire.message())[1] == b"ok"
    assert origin.opened == 2


async def test_bytes_after_a_response_end_the_connection(lab: Any) -> None:
    """They may be the answer to nobody's request; the next one must not get it."""
    sidecar, origin = await lab.pair()
    origin.answering(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    wire = await sidecar.connect()
    await wire.send(GET)
    assert (await wire.message())[1] == b"ok"
    origin.serve = origin.answer_ok
    await wire.send(GET)
    assert (await wire.message())[1] == b"ok"
    assert origin.opened == 2


async def test_bytes_on_an_idle_connection_end_it(lab: Any, eventually: Any) -> None:
    sidecar, origin = await lab.pair()
    origin.answering(OK)
    wire = await sidecar.connect()
    await wire.send(GET)
    await wire.message()
    await (await origin.accept()).send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
    await eventually(lambda: sidecar.metrics.upstream("app").connections_open == 0)
    origin.serve = origin.answer_ok
    await wire.send(GET)
    assert (await wire.message())[1] == b"ok"


async def test_upstream_gone_before_a_response(lab: Any) -> None:
    """On a fresh connection: 502, no second try."""
    sidecar, origin = await lab.pair()
    origin.by_hand()
    wire = await sidecar.connect()
    await wire.send(GET)
    upstream = await origin.accept()
    await upstream.head()
    upstream.reset()
    assert (await wire.message())[0].startswith(b"HTTP/1.1 502 Bad Gateway")
    assert origin.opened == 1


@pytest.mark.parametrize(
    ("second", "retried"),
    [
        (GET, True),
        (b"PUT / HTTP/1.1\r\nHost: app\r\nContent-Length: 2\r\n\r\nhi", True),
        (POST + b"Content-Length: 0\r\n\r\n", False),
        (POST + b"Content-Length: 2\r\n\r\nhi", False),
    ],
)
async def test_a_reused_connection_that_dies_is_retried_once(lab: Any, second: bytes, retried: bool) -> None:
    """For requests that may be repeated, and only while no byte of a response came."""
    sidecar, origin = await lab.pair()
    origin.answering(OK)
    wire = await sidecar.connect()
    await wire.send(GET)
    await wire.message()
    upstream = await origin.accept()
    origin.serve = origin.answer_ok
    await wire.send(second)
    sent = await upstream.head()
    await upstream.close()
    head, body = await wire.message()
    if retried:
        assert body == b"ok"
        assert origin.requests[-1].startswith(sent), "the same request again"
        assert sidecar.metrics.upstream("app").retries == 1
    else:
        assert head.startswith(b"HTTP/1.1 502 ")
        assert origin.opened == 1


async def test_no_retry_once_a_byte_came(lab: Any) -> None:
    sidecar, origin = await lab.pair()
    origin.answering(OK)
    wire = await sidecar.connect()
    await wire.send(GET)
    await wire.message()
    upstream = await origin.accept()
    await wire.send(GET)
    await upstream.head()
    await upstream.send(b"H")
    await upstream.close()
    assert (await wire.message())[0].startswith(b"HTTP/1.1 502 ")
    assert origin.opened == 1


@pytest.mark.parametrize(
    "begun",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
    ],
)
async def test_upstream_gone_in_mid_response(lab: Any, begun: bytes) -> None:
    """The client sees that the response is not whole: no last chunk, and the connection is cut."""
    sidecar, origin = await lab.pair()
    origin.by_hand()
    wire = await sidecar.connect()
    await wire.send(GET)
    upstream = await origin.accept()
    await upstream.head()
    split = begun.index(b"hello") + 5
    await upstream.send(begun[:split])
    await wire.until(b"hello")
    await upstream.send(begun[split:])
    await upstream.close()
    assert not (await wire.rest()).endswith(b"0\r\n\r\n")
    assert sidecar.records[0].error in ("response-incomplete", "bad-response")


async def test_http_1_0_sees_a_cut_response_by_a_reset(lab: Any) -> None:
    """Its response ends at close, so only a reset tells a cut from an end."""
    sidecar, origin = await lab.pair()
    origin.by_hand()
    wire = await sidecar.connect()
    await wire.send(b"GET / HTTP/1.0\r\n\r\n")
    upstream = await origin.accept()
    await upstream.head()
    await upstream.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    await wire.until(b"hello")
    await upstream.close()
    assert await wire.rest() == b"<reset>"


async def test_client_gone_aborts_the_upstream(lab: Any, eventually: Any) -> None:
    sidecar, origin = await lab.pair()
    origin.by_hand()
    wire = await sidecar.connect()
    await wire.send(GET)
    upstream = await origin.accept()
    await upstream.head()
    wire.reset()
    assert await upstream.rest() in (b"", b"<reset>")
    await eventually(lambda: sidecar.plane.in_flight() == 0)
    assert sidecar.records[0].error == "client-gone"
    assert sidecar.records[0].status == 0


async def test_an_early_response(lab: Any) -> None:
    """The upstream answers before the body was sent: the client gets that and a close, the upstream no more body."""
    sidecar, origin = await lab.pair()
    origin.by_hand()
    wire = await sidecar.connect()
    await wire.send(POST + b"Content-Length: 1000000\r\n\r\nbegin")
    upstream = await origin.accept()
    await upstream.head()
    await upstream.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig")
    head, body = await wire.message()
    assert head.startswith(b"HTTP/1.1 413 ")
    assert b"\r\nConnection: close\r\n" in head
    assert body == b"big"
    await wire.send(b"x" * 100_000)
    assert await wire.rest() == b""


async def test_an_early_response_from_an_upstream_that_closes(lab: Any) -> None:
    """It closes with our bytes unread, so its kernel resets: the answer must survive that."""
    sidecar, origin = await lab.pair()

    async def refuse(wire: Any) -> None:
        await wire.head()
        wire.writer.transport.pause_reading()
        await wire.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig")
        await wire.close()

    origin.serve = refuse
    for _ in range(20):
        wire = await sidecar.connect()
        await wire.send(POST + b"Content-Length: 3000000\r\n\r\n")
        sending = asyncio.create_task(wire.send(b"x" * 3_000_000))
        head, body = await wire.message()
        assert head.startswith(b"HTTP/1.1 413 ")
        assert body == b"big"
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def test_response_timeouts(lab: Any) -> None:
    sidecar, origin = await lab.pair(timeouts=Timeouts(response_head_s=0.2, response_body_s=0.2))
    origin.by_hand()
    wire = await sidecar.connect()
    await wire.send(GET)
    assert (await wire.message())[0].startswith(b"HTTP/1.1 504 Gateway Timeout")
    await wire.send(GET)
    await origin.accept()
    upstream = await origin.accept()
    await upstream.head()
    await upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
    assert (await wire.rest()).endswith(b"hello")


async def test_queue(lab: Any, eventually: Any) -> None:
    """One connection, one may wait: the third is told to come back, the second is served in its turn."""
    sidecar, origin = await lab.pair(pool=PoolPlan(max_connections=1, max_queue=1))
    origin.by_hand()
    first, second, third = [await sidecar.connect() for _ in range(3)]
    await first.send(GET)
    upstream = await origin.accept()
    await upstream.head()
    await second.send(b"GET /second HTTP/1.1\r\nHost: app\r\n\r\n")
    await eventually(lambda: sidecar.metrics.upstream("app").queued == 1)
    await third.send(GET)
    head, _ = await third.message()
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable")
    assert b"\r\nRetry-After: " in head
    await upstream.send(OK)
    assert (await first.message())[1] == b"ok"
    assert (await upstream.head()).startswith(b"GET /second ")
    await upstream.send(OK)
    assert (await second.message())[1] == b"ok"
    assert origin.opened == 1


async def test_queue_timeout(lab: Any) -> None:
    sidecar, origin = await lab.pair(pool=PoolPlan(max_connections=1), timeouts=Timeouts(queue_s=0.2))
    origin.by_hand()
    first, second = await sidecar.connect(), await sidecar.connect()
    await first.send(GET)
    await (await origin.accept()).head()
    await second.send(GET)
    assert (await second.message())[0].startswith(b"HTTP/1.1 503 ")
    assert sidecar.metrics.upstream("app").queue_refused == {"timeout": 1}


@pytest.mark.slow
@pytest.mark.parametrize("way", ["up", "down"])
async def test_a_slow_reader_costs_no_memory(lab: Any, way: str) -> None:
    """200 MB here (1 GiB in the soak test): what the reader has not taken waits in the sender, not in us."""
    size, piece = 200_000_000, b"x" * 1_000_000
    sidecar, origin = await lab.pair()
    origin.by_hand()
    wire = await sidecar.connect()
    await wire.send(POST + b"Content-Length: %d\r\n\r\n" % (size if way == "up" else 0))
    upstream = await origin.accept()
    await upstream.head()
    if way == "down":
        await upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        await wire.head()
    sender, reader = (wire, upstream) if way == "up" else (upstream, wire)

    async def send() -> None:
        for _ in range(size // len(piece)):
            await sender.send(piece)

    sending = asyncio.create_task(send())
    before = most = process_usage().resident_bytes  # now: the peak of the process may be that of another test
    taken = 0
    while taken < size:
        if taken < 20_000_000:
            await asyncio.sleep(0.002)  # slow at first: whatever can fill up does
        taken += len(await reader.reader.read(100_000))
        most = max(most, process_usage().resident_bytes)
    await sending
    assert most - before < 20 * 1024 * 1024
