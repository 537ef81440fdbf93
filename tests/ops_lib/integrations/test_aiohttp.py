"""aiohttp's server middleware, on a real server; its client is in test_outgoing.py, with the others."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry import trace
from opentelemetry.baggage import get_all
from opentelemetry.trace import StatusCode
from yarl import URL

import ops_lib as ops
from ops_lib.integrations import aiohttp as ops_aiohttp
from tests.ops_lib.integrations.servers import Recorder

TRACE, SPAN = "5af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADERS = {"Uber-Trace-Id": f"{TRACE}:{SPAN}:0:1", "X-Mirascope-Session-Id": "s-1"}


async def read_book(request: web.Request) -> web.Response:
    session = ops.current_session()
    with ops.span("inside") as span:
        return web.json_response({"session": session.id if session else None, "trace_id": span.trace_id})


async def stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(2):
        with ops.span("piece"):
            await response.write(b"x")
    return response


async def broken(request: web.Request) -> web.Response:
    raise LookupError("out of books")


async def moved(request: web.Request) -> web.Response:
    raise web.HTTPFound("/books/fantasy")


async def unavailable(request: web.Request) -> web.Response:
    raise web.HTTPServiceUnavailable


async def baggage(request: web.Request) -> web.Response:
    with ops.span("inside") as span:
        return web.json_response({**get_all(), "trace_id": span.trace_id})


async def forgetful(request: web.Request) -> None:
    """Of its return statement."""


@pytest.fixture
async def url() -> Any:
    app = web.Application(middlewares=[ops_aiohttp.middleware()])
    app.router.add_get("/books/{genre}", read_book)
    handlers: list[Any] = [stream, broken, moved, unavailable, forgetful, baggage]
    for handler in handlers:
        app.router.add_get(f"/{handler.__name__}", handler)
    async with TestServer(app, host="127.0.0.1") as server:
        yield str(server.make_url(""))


async def test_requests_run_in_the_callers_trace(url: str, spans: Any) -> None:
    async with aiohttp.ClientSession(url, headers=HEADERS) as session:
        async with session.get("books/fantasy?token=secret") as response:
            assert await response.json() == {"session": "s-1", "trace_id": TRACE}
        (span,) = spans.server
        assert span.name == "GET /books/{genre}"
        assert f"{span.parent.span_id:016x}" == SPAN
        expected = {
            "http.request.method": "GET",
            "http.response.status_code": 200,
            "http.route": "/books/{genre}",
            "url.path": "/books/fantasy",
            "url.scheme": "http",
            "server.address": "127.0.0.1",
            "network.protocol.version": "1.1",
            "client.address": "127.0.0.1",
            "session.id": "s-1",
        }
        assert expected.items() <= dict(span.attributes).items()

        spans.clear()
        async with session.get("stream") as response:
            assert await response.read() == b"xx"
        assert {piece.parent.span_id for piece in spans.internal} == {spans.server[0].context.span_id}
    assert not trace.get_current_span().get_span_context().is_valid


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [("missing", 404, None), ("moved", 302, None), ("unavailable", 503, "503"), ("broken", 500, "LookupError")],
)
async def test_failures(url: str, spans: Any, path: str, status: int, error: str | None) -> None:
    """An HTTPException is an answer; only a 5xx and an unexpected exception are errors."""
    async with aiohttp.ClientSession(url) as session, session.get(path, allow_redirects=False) as response:
        assert response.status == status
    (span,) = spans.server
    assert span.attributes["http.response.status_code"] == status
    assert span.attributes.get("error.type") == error
    assert (span.status.status_code is StatusCode.ERROR) is (error is not None)
    assert [event.name for event in span.events] == (["exception"] if path == "broken" else [])


@pytest.mark.parametrize(("sent", "read"), [("José".encode(), "José"), (b"x\x80", "x\ufffd")])
async def test_headers_are_read_as_the_bytes_that_came(url: str, sent: bytes, read: str) -> None:
    """aiohttp's own text of them is UTF-8 with surrogates for what is none, which no other framework gives."""
    address = URL(url)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    told = f"Uber-Trace-Id: {HEADERS['Uber-Trace-Id']}".encode()
    writer.write(b"GET /baggage HTTP/1.0\r\nHost: app\r\n%b\r\nBaggage: name=%b\r\n\r\n" % (told, sent))
    answer = await reader.read()
    writer.close()
    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == {"name": read, "trace_id": TRACE}


async def test_no_response_is_for_aiohttp_to_complain_of(url: str, spans: Any, caplog: Any) -> None:
    async with aiohttp.ClientSession(url) as session, session.get("forgetful") as response:
        assert response.status == 500
    assert "Missing return statement" in caplog.text
    (span,) = spans.server
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["http.response.status_code"] == 500


async def test_handshake_of_a_websocket_carries_the_context(spans: Any) -> None:
    ops_aiohttp.instrument()
    with Recorder() as server:
        async with aiohttp.ClientSession() as session:
            with ops.session(id="s-1"), ops.span("app") as app, pytest.raises(aiohttp.WSServerHandshakeError):
                await session.ws_connect(server.url)
        assert server.headers()["traceparent"].split("-")[1] == app.trace_id
        assert server.headers()["x-mirascope-session-id"] == "s-1"
