"""ASGI: every request runs in its caller's trace and session, in a server span of its own.

Needs no framework.
Knows the ASGI message types (ASGI specification 3.0, HTTP and WebSocket 2.5).
`incoming` handles headers and spans.
Never changes a message, never swallows an exception, never calls `receive` or `send` by itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

from ops_lib.headers.propagators import check_propagator
from ops_lib.integrations.incoming import Incoming, Request

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


INCOMING_KEY = "ops.incoming"  # scope: the request's `Incoming`; if there is one, a second middleware adds nothing


class TraceMiddleware:
    """ASGI middleware: `app.add_middleware(TraceMiddleware)` (Starlette,
    FastAPI), or `app = TraceMiddleware(app)` around any other.

    HTTP: the span ends with the last piece of the response, streaming included, or with the app's exception, which is
    recorded and raised again.
    The context stays until the app returns, for Starlette's background tasks.
    WebSocket: one span for the whole connection.
    Any other scope (lifespan) passes unchanged.
    """

    def __init__(self, app: App) -> None:
        """Raises ConfigurationError if the environment names an unknown format."""
        check_propagator()
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app on one scope. Raises what the app raises."""
        if scope["type"] not in ("http", "websocket") or INCOMING_KEY in scope:
            await self.app(scope, receive, send)
            return
        headers = scope.get("headers", ())
        if not isinstance(headers, (list, tuple)):  # any iterable will do (ASGI, "HTTP connection scope")
            headers = list(headers)
            scope = {**scope, "headers": headers}
        incoming = scope[INCOMING_KEY] = Incoming(headers, lambda: _request(scope, headers))
        watch = _http_end if scope["type"] == "http" else _websocket_status
        trailers = False

        async def watched_send(message: Message) -> None:
            nonlocal trailers
            trailers = trailers or bool(message.get("trailers", False))
            await send(message)
            # After a 5xx the app may still raise: frameworks answer first, and let the server know afterwards.
            if watch(incoming, message, trailers) and not incoming.has_failed:
                incoming.route = _route(scope) or incoming.route
                incoming.end()

        with incoming.attached():
            try:
                await self.app(scope, receive, watched_send)
            except Exception as error:
                incoming.fail(error)
                raise
            finally:
                incoming.route = _route(scope) or incoming.route
                incoming.end()


def _http_end(incoming: Incoming, message: Message, trailers: bool) -> bool:
    """Take note of a response message; whether it is the last one of the response."""
    if message["type"] == "http.response.start":
        incoming.status(message["status"])
    elif message["type"] == "http.response.trailers":
        return not message.get("more_trailers", False)
    elif message["type"] == "http.response.body":
        return not trailers and not message.get("more_body", False)
    # Zero copy and path send (server extensions) carry a body as
    # well, with no other sign of its end than the app's return.
    return False


def _websocket_status(incoming: Incoming, message: Message, trailers: bool) -> bool:
    """Take note of the answer to the handshake; the connection ends with the app, not with a message."""
    if message["type"] == "websocket.accept":
        incoming.status(101)
    elif message["type"] == "websocket.http.response.start":
        incoming.status(message["status"])
    elif message["type"] == "websocket.close" and not incoming.answered:
        incoming.status(403)  # what a server must answer to a handshake that the app closes
    return False


def _request(scope: Scope, headers: Iterable[tuple[bytes, bytes]]) -> Request:
    client, host, user_agent = scope.get("client"), None, None
    for name, value in headers:
        if name == b"host":
            host = value.decode("latin-1")
        elif name == b"user-agent":
            user_agent = value.decode("latin-1")
    websocket = scope["type"] == "websocket"
    return Request(
        method="GET" if websocket else scope["method"],
        path=scope["path"],
        scheme=scope.get("scheme", "ws" if websocket else "http"),
        host=host,
        protocol_version=scope.get("http_version"),
        client=client[0] if client else None,
        user_agent=user_agent,
    )


def _route(scope: Mapping[str, Any]) -> str | None:
    """The template of the route that FastAPI or Starlette chose ("/books/{genre}"), mounts included.

    None elsewhere, and with a Starlette before 1.7, which does not tell.
    """
    route = scope.get("route")
    path = getattr(route, "path", None)
    if not isinstance(path, str):
        return None
    root: str = scope.get("root_path", "")
    mounted = root[len(scope.get("app_root_path", root)) :]
    return mounted if hasattr(route, "routes") else mounted + path  # a Mount with no route of its own below it
