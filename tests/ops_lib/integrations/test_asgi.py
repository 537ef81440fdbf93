"""The ASGI middleware: on uvicorn with FastAPI, and message by message where a server would not show it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import BackgroundTasks, FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from opentelemetry import trace
from opentelemetry.trace import StatusCode
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from websockets.sync.client import connect

import ops_lib as ops
from ops_lib.integrations.asgi import TraceMiddleware
from tests.ops_lib.integrations.servers import serve_asgi

TRACE, SPAN = "5af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADERS = {"Traceparent": f"00-{TRACE}-{SPAN}-01", "X-Mirascope-Session-Id": "s-1"}


CALLER = b"00-5af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def parent_of(span: Any) -> str:
    return f"{span.context.trace_id:032x}-{span.parent.span_id:016x}"


def application(app: FastAPI, done: list[str | None]) -> FastAPI:
    app.add_middleware(TraceMiddleware)

    @app.get("/books/{genre}")
    async def read_book(genre: str) -> dict[str, str | None]:
        session = ops.current_session()
        with ops.span("inside") as span:
            return {"session": session.id if session else None, "trace_id": span.trace_id}

    @app.get("/sync")
    def read_in_a_thread() -> dict[str, str | None]:
        with ops.span("inside") as span:
            return {"trace_id": span.trace_id}

    @app.get("/broken")
    async def broken() -> None:
        raise LookupError("out of books")

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            for piece in (b"a", b"b"):
                with ops.span("piece"):
                    yield piece

        return StreamingResponse(pieces())

    @app.get("/background")
    async def background(tasks: BackgroundTasks) -> str:
        def task() -> None:
            with ops.span("task") as span:
                done.append(span.trace_id)

        tasks.add_task(task)
        return "queued"

    @app.websocket("/socket/{room}")
    async def socket(websocket: WebSocket, room: str) -> None:
        await websocket.accept()
        with ops.span("message") as span:
            await websocket.send_text(f"{span.trace_id} {ops.current_session()}")
        await websocket.close()

    return app


def test_on_uvicorn_with_fastapi(spans: Any) -> None:
    """Endpoints, threads, streams, background tasks, failures and WebSockets, all in the caller's trace."""
    done: list[str | None] = []
    with serve_asgi(application(FastAPI(), done)) as url, httpx.Client(base_url=url, headers=HEADERS) as client:
        assert client.get("/books/fantasy?token=secret").json() == {"session": "s-1", "trace_id": TRACE}
        (span,) = spans.server
        assert span.name == "GET /books/{genre}"
        assert parent_of(span) == f"{TRACE}-{SPAN}"
        port = int(url.rsplit(":", 1)[1])
        assert dict(span.attributes) == {
            "http.request.method": "GET",
            "http.response.status_code": 200,
            "http.route": "/books/{genre}",
            "url.path": "/books/fantasy",
            "url.scheme": "http",
            "server.address": "127.0.0.1",
            "server.port": port,
            "network.protocol.version": "1.1",
            "client.address": "127.0.0.1",
            "user_agent.original": f"python-httpx/{httpx.__version__}",
            "session.id": "s-1",
        }
        assert spans.internal[0].parent.span_id == span.context.span_id

        assert client.get("/sync").json() == {"trace_id": TRACE}

        spans.clear()
        assert httpx.get(url + "/broken").status_code == 500  # a connection of its own: uvicorn closes it
        (span,) = spans.server
        assert span.status.status_code is StatusCode.ERROR
        assert span.attributes["http.response.status_code"] == 500
        assert span.attributes["error.type"] == "LookupError"
        assert [event.name for event in span.events] == ["exception"]

        spans.clear()
        assert client.get("/stream").text == "ab"
        assert client.get("/missing").status_code == 404
        streamed, missing = spans.server
        assert [span.parent.span_id for span in spans.internal] == [streamed.context.span_id] * 2
        assert all(span.end_time <= streamed.end_time for span in spans.internal), (
            "the span lasts as long as the stream"
        )
        assert missing.name == "GET"
        assert missing.status.status_code is StatusCode.UNSET, "a 4xx is the client's error"

        client.get("/background")

        spans.clear()
        with connect(url.replace("http", "ws") + "/socket/7", additional_headers=HEADERS) as websocket:
            assert TRACE in str(websocket.recv())
    (span,) = spans.server  # uvicorn has stopped, so the connection's span has ended
    assert span.name == "GET /socket/{room}"
    assert span.attributes["http.response.status_code"] == 101
    assert done == [TRACE]


class Wire:
    """One scope run by hand: what went out, and the span's state as each message went."""

    def __init__(self, app: Any, scope: dict[str, Any]) -> None:
        self.sent: list[dict[str, Any]] = []
        self._app, self._scope = app, {"headers": [], "path": "/", "method": "GET", **scope}

    async def run(self) -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request"}

        async def send(message: Any) -> None:
            self.sent.append(message)

        await self._app(self._scope, receive, send)


def body(piece: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.response.body", "body": piece, "more_body": more}


START = {"type": "http.response.start", "status": 200, "headers": []}


async def test_span_ends_with_the_last_piece_and_context_with_the_app(
    spans: Any, caplog: pytest.LogCaptureFixture
) -> None:
    ended: list[int] = []
    current: list[bool] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in (START, body(b"a", more=True), body(b"", more=False)):
            ended.append(len(spans.server))
            await send(message)
        ended.append(len(spans.server))
        current.append(trace.get_current_span().get_span_context().is_valid)

    wire = Wire(TraceMiddleware(app), {"type": "http"})
    await wire.run()
    assert ended == [0, 0, 0, 1]
    assert current == [True]
    assert wire.sent == [START, body(b"a", more=True), body(b"", more=False)], "messages pass as they are"
    assert not trace.get_current_span().get_span_context().is_valid, "detached"
    assert caplog.records == [], "ended once"


async def test_trailers_are_part_of_the_response(spans: Any) -> None:
    ended: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in (
            START | {"trailers": True},
            body(b"a", more=False),
            {"type": "http.response.trailers", "headers": [], "more_trailers": False},
        ):
            await send(message)
            ended.append(len(spans.server))

    await Wire(TraceMiddleware(app), {"type": "http"}).run()
    assert ended == [0, 0, 1]


@pytest.mark.parametrize("error", [LookupError("x"), asyncio.CancelledError()])
async def test_what_the_app_raises_is_raised(spans: Any, error: BaseException) -> None:
    """A failure is recorded; a cancelled request (the client is gone) is not a failed one. Detached either way."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        await Wire(TraceMiddleware(app), {"type": "http"}).run()
    assert raised.value is error
    (span,) = spans.server
    failed = isinstance(error, Exception)
    assert (span.status.status_code is StatusCode.ERROR) is failed
    assert not trace.get_current_span().get_span_context().is_valid


async def test_a_refused_websocket_is_a_403(spans: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.close", "code": 1008})

    scope = {"type": "websocket", "http_version": "2", "client": None, "server": None}
    del scope["server"]
    await Wire(TraceMiddleware(app), scope).run()
    (span,) = spans.server
    assert span.attributes["http.response.status_code"] == 403
    assert span.attributes["url.scheme"] == "ws"
    assert "client.address" not in span.attributes


async def test_a_websocket_may_be_refused_with_a_response(spans: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.http.response.start", "status": 503, "headers": []})
        await send({"type": "websocket.http.response.body"})

    await Wire(TraceMiddleware(app), {"type": "websocket", "http_version": "1.1"}).run()
    (span,) = spans.server
    assert span.attributes["http.response.status_code"] == 503
    assert span.status.status_code is StatusCode.ERROR


async def test_headers_that_can_be_read_once(spans: Any) -> None:
    """ASGI asks for an iterable only; the app has to find them as well."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend(scope["headers"])

    pairs = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
    scope: Any = {"type": "http", "method": "GET", "path": "/", "headers": iter(pairs)}
    await TraceMiddleware(app)(scope, None, None)  # type: ignore[arg-type]  # the app asks for nothing
    assert seen == pairs
    assert parent_of(spans.server[-1]) == f"{TRACE}-{SPAN}"


async def test_lifespan_passes_untouched(spans: Any) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend((scope, receive, send))

    given: tuple[Any, Any, Any] = ({"type": "lifespan"}, object(), object())
    await TraceMiddleware(app)(*given)
    assert seen == list(given)
    assert spans.server == []


async def test_tracing_fails_open(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever goes wrong in the tracing, the request gets its answer."""

    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("tracing is broken")

    monkeypatch.setattr("ops_lib.integrations.incoming.start_in", lambda *given: Broken())

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"a", more=False))

    wire = Wire(TraceMiddleware(app), {"type": "http"})
    await wire.run()
    assert wire.sent == [START, body(b"a", more=False)]
    assert "the request goes on" in caplog.text


async def test_malformed_headers_are_nobodys_error(spans: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"", more=False))

    headers = [(b"traceparent", b"\xff\xfe"), (b"host", b"[::1]:x"), (b"x-mirascope-session-id", b"a b")]
    await Wire(TraceMiddleware(app), {"type": "http", "headers": headers, "method": "BREW"}).run()
    (span,) = spans.server
    assert span.parent is None
    assert span.name == "HTTP"
    assert span.attributes["http.request.method"] == "_OTHER"
    assert span.attributes["http.request.method_original"] == "BREW"
    assert "session.id" not in span.attributes


@pytest.mark.parametrize(
    "broken",
    [{}, {"method": "GET"}, {"method": "GET", "path": "/", "headers": [(b"traceparent", CALLER), None]}],
)
async def test_a_scope_against_the_letter_is_nobodys_error(broken: dict[str, Any], spans: Any) -> None:
    """Tracing fails open, whatever adapters and test clients leave out: the app runs."""
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert "headers" not in scope or ops.current_span().trace_id == CALLER[3:35].decode()
        await send(START)

    async def send(message: Any) -> None:
        sent.append(message)

    await TraceMiddleware(app)({"type": "http", **broken}, send, send)
    assert sent == [START]


@pytest.mark.parametrize(
    ("path", "route"),
    [("/inner/item/7", "/inner/item/{id}"), ("/top", "/top"), ("/files/readme", "/files")],
)
async def test_mounted_routes_say_where_they_are(spans: Any, path: str, route: str) -> None:
    def answer(request: Any) -> PlainTextResponse:
        return PlainTextResponse("ok")

    inner = Starlette(routes=[Route("/item/{id}", answer)])
    routes = [Mount("/inner", app=inner), Route("/top", answer), Mount("/files", app=PlainTextResponse("file"))]
    app = TraceMiddleware(Starlette(routes=routes))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://books.example") as client:
        assert (await client.get(path)).status_code == 200
    (span,) = spans.server
    assert span.name == f"GET {route}"
    assert span.attributes["server.address"] == "books.example"
    assert "server.port" not in span.attributes


@pytest.mark.parametrize(
    ("scope", "told"),
    [
        ({"type": "http", "method": "GET"}, {"url.scheme": "http", "server.address": None, "client.address": None}),
        ({"type": "http", "method": "GET", "scheme": "https"}, {"url.scheme": "https"}),
        ({"type": "http", "method": "PUT", "client": ("10.0.0.9", 4000)}, {"client.address": "10.0.0.9"}),
        ({"type": "http", "method": "GET", "http_version": "2"}, {"network.protocol.version": "2"}),
        ({"type": "websocket"}, {"url.scheme": "ws", "http.request.method": "GET"}),
        (
            {"type": "http", "method": "GET", "headers": [(b"host", b"shop"), (b"user-agent", b"curl/8")]},
            {"server.address": "shop", "user_agent.original": "curl/8"},
        ),
    ],
)
async def test_what_a_scope_tells(scope: dict[str, Any], told: dict[str, str | None], spans: Any) -> None:
    """ASGI, "HTTP Connection Scope": what may be left out has a default."""

    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    async def nothing(*message: Any) -> Any: ...

    await TraceMiddleware(app)({"path": "/books", "headers": [], **scope}, nothing, nothing)
    (span,) = spans.server
    assert {name: span.attributes.get(name) for name in told} == told
    assert span.attributes["url.path"] == "/books"
