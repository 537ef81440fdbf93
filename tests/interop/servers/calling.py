"""An app that makes a call for each request and forwards nothing, for the servers that people run.

`GET /NAME?port=PORT` calls `http://127.0.0.1:PORT/NAME`. `wsgi` is for gunicorn, `asgi` for uvicorn.
`python calling.py` is Flask's own server, with a thread for each request. It prints the address that it listens on.
"""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Awaitable, Callable
from typing import Any

import flask
from werkzeug.serving import make_server

wsgi = flask.Flask(__name__)


@wsgi.get("/<name>")
def call(name: str) -> str:
    """Blocks until the other has answered."""
    connection = http.client.HTTPConnection("127.0.0.1", int(flask.request.args["port"]), timeout=20)
    connection.request("GET", f"/{name}")
    body = connection.getresponse().read()
    connection.close()
    return body.decode()


async def asgi(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
    """One event loop for all requests."""
    assert scope["type"] == "http"
    port = int(scope["query_string"].removeprefix(b"port="))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {scope['path']} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    await reader.read()
    writer.close()
    await writer.wait_closed()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


if __name__ == "__main__":
    server = make_server("127.0.0.1", 0, wsgi, threaded=True)
    print(f"listening on http://127.0.0.1:{server.port}", flush=True)
    server.serve_forever()
