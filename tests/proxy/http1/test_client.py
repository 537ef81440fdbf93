"""The client's side, over raw sockets: what is refused, in which order answers come, how a connection ends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxy.plan import Limits, Timeouts

HOST = b"Host: app\r\n"
GET = b"GET / HTTP/1.1\r\nHost: app\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: app\r\n"

REFUSED = {
    "TE and CL": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "CL and TE": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE gzip": POST + b"Transfer-Encoding: gzip\r\n\r\n",
    "TE gzip, chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "TE chunked twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "TE in two fields": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE identity": POST + b"Transfer-Encoding: identity\r\n\r\n",
    "TE in HTTP/1.0": b"POST / HTTP/1.0\r\nHost: app\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "CL differing": POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "CL twice": POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "CL list": POST + b"Content-Length: 5, 5\r\n\r\nhello",
    "CL plus": POST + b"Content-Length: +5\r\n\r\nhello",
    "CL underscore": POST + b"Content-Length: 1_0\r\n\r\nhellohello",
    "CL hex": POST + b"Content-Length: 0x5\r\n\r\nhello",
    "CL empty": POST + b"Content-Length: \r\n\r\n",
    "CL negative": POST + b"Content-Length: -1\r\n\r\n",
    "CL huge": POST + b"Content-Length: 99999999999999999999\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    "empty Host": b"GET / HTTP/1.1\r\nHost: \r\n\r\n",
    "Host with userinfo": b"GET / HTTP/1.1\r\nHost: me@app\r\n\r\n",
    "Host with path": b"GET / HTTP/1.1\r\nHost: app/x\r\n\r\n",
    "space before colon": b"GET / HTTP/1.1\r\nHost : app\r\n\r\n",
    "obs-fold": b"GET / HTTP/1.1\r\nHost: app\r\nX: a\r\n b\r\n\r\n",
    "bare LF": b"GET / HTTP/1.1\nHost: app\n\n",
    "bare LF in a field": b"GET / HTTP/1.1\r\nHost: app\nX: y\r\n\r\n",
    "bare CR in a value": b"GET / HTTP/1.1\r\nHost: app\r\nX: a\rb\r\n\r\n",
    "NUL in a value": b"GET / HTTP/1.1\r\nHost: app\r\nX: a\0b\r\n\r\n",
    "CTL in a value": b"GET / HTTP/1.1\r\nHost: app\r\nX: a\x01b\r\n\r\n",
    "DEL in a value": b"GET / HTTP/1.1\r\nHost: app\r\nX: a\x7fb\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\nHost: app\r\nfoo\r\n\r\n",
    "empty name": b"GET / HTTP/1.1\r\nHost: app\r\n: x\r\n\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\nHost: app\r\n\r\n",
    "two spaces before the version": b"GET /  HTTP/1.1\r\nHost: app\r\n\r\n",
    "tab in the request line": b"GET\t/ HTTP/1.1\r\nHost: app\r\n\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "8-bit target": b"GET /\xff HTTP/1.1\r\nHost: app\r\n\r\n",
    "RTSP": b"GET / RTSP/1.0\r\nHost: app\r\n\r\n",
    "relative target": b"GET foo HTTP/1.1\r\nHost: app\r\n\r\n",
    "* for GET": b"GET * HTTP/1.1\r\nHost: app\r\n\r\n",
    "other scheme": b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "userinfo in the target": b"GET http://me@app/ HTTP/1.1\r\nHost: app\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    "chunk size negative": POST + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    "chunk size with space": POST + b"Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n",
    "chunk extension bare": POST + b"Transfer-Encoding: chunked\r\n\r\n5;\r\nhello\r\n0\r\n\r\n",
    "chunk overrun": POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
    "chunk LF": POST + b"Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
    "chunk extension LF": POST + b"Transfer-Encoding: chunked\r\n\r\n5;a\nhello\r\n0\r\n\r\n",
    "trailer fold": POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\r\n b\r\n\r\n",
    "trailer LF": POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\n\r\n\r\n",
    "TRACE with a body": b"TRACE / HTTP/1.1\r\nHost: app\r\nContent-Length: 1\r\n\r\nx",
    "empty lines": b"\r\n" * 20 + GET,
}


@pytest.mark.parametrize("pieces", ["whole", "drip"])
@pytest.mark.parametrize("name", REFUSED)
async def test_refused_with_400_and_close(lab: Any, name: str, pieces: str) -> None:
    """However it is cut, and although a good request follows, nothing of it reaches the upstream as a request."""
    sidecar, origin = await lab.pair()
    origin.by_hand()
    wire = await sidecar.connect()
    if pieces == "whole":
        await wire.send(REFUSED[name] + GET)
    else:
        await wire.drip(REFUSED[name] + GET)
    answer = await wire.rest()
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.count(b"\r\n\r\n") == 1
    assert b"\r\nConnection: close\r\n" in answer
    head, body = answer.split(b"\r\n\r\n", 1)
    assert b"\r\nContent-Type: application/problem+json\r\n" in head
    assert b"\r\nProxy-Status: ops-sidecar; error=" in head
    assert json.loads(body)["status"] == 400
    if origin.opened:  # the head was good, and the body came to grief on the way
        assert not (await (await origin.accept()).rest()).endswith(b"0\r\n\r\n")


STATUSES = {
    "HTTP/2.0": (b"GET / HTTP/2.0\r\nHost: app\r\n\r\n", 505),
    "HTTP/3.7": (b"GET / HTTP/3.7\r\nHost: app\r\n\r\n", 505),
    "CONNECT": (b"CONNECT app:80 HTTP/1.1\r\nHost: app:80\r\n\r\n", 405),
    "expectation": (POST + b"Content-Length: 1\r\nExpect: 200-maybe\r\n\r\n", 417),
    "long line": (b"GET /" + b"a" * 200 + b" HTTP/1.1\r\nHost: app\r\n\r\n", 414),
    "long line without end": (b"GET /" + b"a" * 2000, 414),
    "large head": (b"GET / HTTP/1.1\r\nHost: app\r\nX: " + b"a" * 1100 + b"\r\n\r\n", 431),
    "large head without end": (b"GET / HTTP/1.1\r\nHost: app\r\nX: " + b"a" * 3000, 431),
    "many fields": (b"GET / HTTP/1.1\r\nHost: app\r\n" + b"X: a\r\n" * 10 + b"\r\n", 431),
    "large body": (POST + b"Content-Length: 101\r\n\r\n", 413),
    "large chunked body": (POST + b"Transfer-Encoding: chunked\r\n\r\n65\r\n" + b"a" * 101 + b"\r\n", 413),
    "Max-Forwards of TRACE": (b"TRACE / HTTP/1.1\r\nHost: app\r\nMax-Forwards: 0\r\n\r\n", 405),
}


@pytest.mark.parametrize("name", STATUSES)
async def test_refused_with_the_status_of_its_limit(lab: Any, name: str) -> None:
    limits = Limits(request_line_bytes=100, header_bytes=1000, header_count=8, body_bytes=100)
    sidecar, origin = await lab.pair(limits=limits)
    data, status = STATUSES[name]
    answer = await sidecar.ask(data)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert origin.requests == []


async def test_requests_of_one_connection_are_answered_in_order(lab: Any) -> None:
    """Pipelined in one packet; one is in flight at a time."""
    sidecar, origin = await lab.pair()
    origin.by_hand()
    wire = await sidecar.connect()
    await wire.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: app\r\n\r\n" % number for number in range(4)))
    upstream = await origin.accept()
    for number in range(4):
        head = await upstream.head()
        assert head.startswith(b"GET /%d " % number)
        assert not upstream.reader._buffer, "the next request is not sent before this one is answered"
        await upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)
        assert (await wire.message())[1] == b"%d" % number
    assert origin.opened == 1


async def test_pipelined_behind_a_body(lab: Any) -> None:
    """Where a body ends, the next request begins; the last one closes the connection, what follows it is not read."""
    sidecar, origin = await lab.pair()
    wire = await sidecar.connect()
    two = POST + b"Content-Length: 5\r\n\r\nhello" + POST + b"Content-Length: 3\r\n\r\nabc"
    await wire.send(two + CLOSE + GET)
    assert (await wire.rest()).count(b"HTTP/1.1 200 OK") == 3
    assert [request.rpartition(b"\r\n")[2] for request in origin.requests] == [b"hello", b"abc", b""]


async def test_a_dripped_request_is_the_same_request(lab: Any) -> None:
    sidecar, origin = await lab.pair()
    wire = await sidecar.connect()
    await wire.drip(b"\r\n" + POST + b"Content-Length: 5\r\nX: y\r\n\r\nhello")
    await wire.message()
    await wire.send(POST + b"Content-Length: 5\r\nX: y\r\n\r\nhello")
    await wire.message()
    assert origin.requests[0] == origin.requests[1]


async def test_keep_alive_of_http_1_0(lab: Any) -> None:
    """Only where it is asked for, and then the response says so."""
    sidecar, _ = await lab.pair()
    assert b"Connection: close" in await sidecar.ask(b"GET / HTTP/1.0\r\n\r\n")
    wire = await sidecar.connect()
    for _ in range(2):
        await wire.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        head, _ = await wire.message()
        assert b"\r\nConnection: keep-alive\r\n" in head


async def test_header_read_timeout(lab: Any) -> None:
    sidecar, _ = await lab.pair(timeouts=Timeouts(header_read_s=0.2))
    assert (await sidecar.ask(b"GET / HTTP/1.1\r\nHost: a")).startswith(b"HTTP/1.1 408 ")


async def test_body_read_timeout(lab: Any) -> None:
    sidecar, _ = await lab.pair(timeouts=Timeouts(body_read_s=0.2))
    assert (await sidecar.ask(POST + b"Content-Length: 5\r\n\r\nhe")).startswith(b"HTTP/1.1 408 ")


async def test_idle_timeout_is_silent(lab: Any) -> None:
    sidecar, _ = await lab.pair(timeouts=Timeouts(idle_s=0.2))
    assert await sidecar.ask(b"") == b""


async def test_half_closed_in_mid_request_is_refused(lab: Any) -> None:
    sidecar, origin = await lab.pair()
    origin.by_hand()
    wire = await sidecar.connect()
    await wire.send(POST + b"Content-Length: 5\r\n\r\nhe")
    upstream = await origin.accept()
    await upstream.head()
    wire.half_close()
    assert (await wire.rest()).startswith(b"HTTP/1.1 400 ")
    assert await upstream.rest() in (b"he", b"<reset>"), "the upstream sees that the request is not whole"


async def test_too_many_connections(lab: Any, eventually: Any) -> None:
    sidecar, _ = await lab.pair(limits=Limits(connections=1))
    first = await sidecar.connect()
    await first.send(GET)
    await first.message()
    second = await sidecar.connect()
    assert await second.rest() in (b"", b"<reset>")
    await first.send(GET)
    await first.message()
    assert sidecar.metrics.listener("inbound").connections_refused == {"limit": 1}
    await first.close()
    await eventually(lambda: sidecar.metrics.listener("inbound").connections_open == 0)
    third = await sidecar.connect()
    await third.send(GET)
    await third.message()


async def test_options_with_max_forwards(lab: Any) -> None:
    """RFC 9110, 7.6.2: 0 is answered here, more is counted down."""
    sidecar, origin = await lab.pair()
    wire = await sidecar.connect()
    await wire.send(b"OPTIONS * HTTP/1.1\r\nHost: app\r\nMax-Forwards: 0\r\n\r\n")
    head, _ = await wire.message()
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert b"\r\nAllow: " in head
    assert b"\r\nConnection: close" not in head
    assert origin.requests == []
    assert [(record.method, record.path, record.status) for record in sidecar.records] == [("OPTIONS", "*", 200)]
    await wire.send(b"OPTIONS * HTTP/1.1\r\nHost: app\r\nMax-Forwards: 3\r\n\r\n")
    await wire.message()
    assert origin.requests[0].startswith(b"OPTIONS * HTTP/1.1\r\n")
    assert b"\r\nMax-Forwards: 2\r\n" in origin.requests[0]
    await wire.send(b"OPTIONS * HTTP/1.1\r\nHost: app\r\nMax-Forwards: 0\r\nConnection: close\r\n\r\n")
    assert b"\r\nConnection: close\r\n" in await wire.rest()


async def test_an_unknown_method_passes(lab: Any) -> None:
    """A method is a token; which ones there are is the app's business."""
    sidecar, origin = await lab.pair()
    wire = await sidecar.connect()
    await wire.send(b"BREW /pot HTTP/1.1\r\nHost: app\r\n\r\n")
    await wire.message()
    assert origin.requests[0].startswith(b"BREW /pot HTTP/1.1\r\n")


async def test_a_refusal_to_head_has_no_body(lab: Any) -> None:
    sidecar, _ = await lab.pair(limits=Limits(body_bytes=1))
    answer = await sidecar.ask(b"HEAD / HTTP/1.1\r\nHost: app\r\nContent-Length: 5\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.endswith(b"\r\n\r\n")
