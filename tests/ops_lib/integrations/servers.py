"""Servers on loopback, on a port of the system's choice, each in a thread of its own, for as long as a `with` block
lasts."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import socketserver
import threading
import wsgiref.simple_server
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import uvicorn


class Recorder:
    """An HTTP server that answers {"path", "headers"} and keeps what it saw; `/redirect?URL` redirects to URL."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, list[tuple[str, str]]]] = []
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                recorder.seen.append((self.path, self.headers.items()))
                body = json.dumps({"path": self.path, "headers": self.headers.items()}).encode()
                path, _, query = self.path.partition("?")
                self.send_response({"/redirect": 302, "/broken": 503, "/missing": 404}.get(path, 200))
                if path == "/redirect":
                    self.send_header("Location", query)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that goes away between two requests is no news."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def headers(self, index: int = -1) -> dict[str, str]:
        """The headers of one request, by lower-case name; a name that came twice is an error."""
        pairs = [(name.lower(), value) for name, value in self.seen[index][1]]
        assert len({name for name, _ in pairs}) == len(pairs), f"a header came twice: {pairs}"
        return dict(pairs)

    def __enter__(self) -> Recorder:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextlib.contextmanager
def serve_asgi(app: Any) -> Iterator[str]:
    """`app` on uvicorn; gives its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=5, ws="websockets-sansio")
    server = uvicorn.Server(config)
    ready = threading.Event()
    startup = server.startup

    async def announce(sockets: list[socket.socket] | None = None) -> None:
        await startup(sockets)
        ready.set()

    server.startup = announce  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    assert ready.wait(30), "uvicorn did not start"
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@contextlib.contextmanager
def serve_wsgi(app: Callable[..., Any]) -> Iterator[str]:
    """`app` on the standard library's WSGI server; gives its URL."""

    class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
        daemon_threads = False  # server_close waits for them: a span ends after its answer has gone out

    class Quiet(wsgiref.simple_server.WSGIRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def get_stderr(self) -> Any:
            return io.StringIO()

    server = wsgiref.simple_server.make_server("127.0.0.1", 0, app, server_class=Server, handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
