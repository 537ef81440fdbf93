"""examples/flask_service.py on Werkzeug's server, called by examples/httpx_client.py over a real socket."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import httpx
import pytest
from flask import Flask
from werkzeug.serving import make_server

import ops_lib as ops
from examples import flask_service
from examples.httpx_client import TracedClient


@pytest.fixture(params=["app", "endpoint_app"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    app: Flask = getattr(flask_service, request.param)
    server = make_server("127.0.0.1", 0, app)  # one thread for all requests: what one leaves behind, the next would see
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_service_continues_the_callers_trace_and_session(url: str) -> None:
    with TracedClient(base_url=url) as client:
        with ops.session(id="reader-7"), ops.span("visit") as span:
            answer = client.get("/books/fantasy").json()
        assert answer == {"book": "a fantasy book", "session": "reader-7", "trace_id": span.trace_id}


def test_nothing_is_left_behind(url: str) -> None:
    """After a request, and after one that fails, the server's thread is in nobody's trace."""
    with TracedClient(base_url=url) as client:
        with ops.session(id="reader-7"), ops.span("visit") as span:
            client.get("/books/fantasy")
            client.get("/broken")
        alone = httpx.get(url + "/books/poetry").json()
        assert alone["session"] is None
        assert alone["trace_id"] != span.trace_id
