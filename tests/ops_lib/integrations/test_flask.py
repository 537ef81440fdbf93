"""Flask: routes and handled exceptions reach the server span."""

from __future__ import annotations

from typing import Any
from unittest.mock import ANY

import httpx
from flask import Flask, got_request_exception, request, request_started, stream_with_context
from opentelemetry.trace import StatusCode
from werkzeug.middleware.proxy_fix import ProxyFix

import ops_lib as ops
from ops_lib.integrations.flask import instrument_app
from tests.ops_lib.integrations.servers import serve_wsgi

TRACE, SPAN = "5af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADERS = {"b3": f"{TRACE}-{SPAN}-1", "X-Mirascope-Session-Id": "s-1"}


def application() -> Flask:
    app = Flask("books")

    @app.before_request
    def guard() -> Any:
        return ("no", 403) if request.path == "/books/forbidden" else None

    @app.get("/books/<genre>")
    def read_book(genre: str) -> dict[str, str | None]:
        session = ops.current_session()
        with ops.span("inside") as span:
            return {"session": session.id if session else None, "trace_id": span.trace_id}

    @app.get("/broken")
    def broken() -> str:
        raise LookupError("out of books")

    @app.get("/stream")
    def stream() -> Any:
        @stream_with_context
        def pieces() -> Any:
            with ops.span("piece") as span:
                yield str(span.trace_id)

        return pieces()

    return instrument_app(instrument_app(app))


def test_on_a_server(spans: Any) -> None:
    with serve_wsgi(application()) as url, httpx.Client(base_url=url, headers=HEADERS) as client:
        assert client.get("/books/fantasy").json() == {"session": "s-1", "trace_id": TRACE}
        assert client.get("/books/forbidden").status_code == 403
        assert client.get("/broken").status_code == 500
        assert client.get("/stream").text == TRACE
        assert client.get("/missing").status_code == 404
    served = sorted(spans.server, key=lambda span: span.start_time)  # the server has a thread for each
    assert [span.name for span in served] == [
        "GET /books/<genre>",
        "GET /books/<genre>",
        "GET /broken",
        "GET /stream",
        "GET",
    ]
    read, forbidden, broken, stream, missing = served
    assert f"{read.parent.span_id:016x}" == SPAN
    assert read.attributes["http.route"] == "/books/<genre>"
    assert read.attributes["session.id"] == "s-1"
    assert forbidden.status.status_code is StatusCode.UNSET
    assert missing.attributes["http.response.status_code"] == 404
    assert broken.attributes["http.response.status_code"] == 500
    assert broken.status.status_code is StatusCode.ERROR
    assert [event.attributes["exception.type"] for event in broken.events] == ["LookupError"]
    (piece,) = (span for span in spans.internal if span.name == "piece")
    assert piece.parent.span_id == stream.context.span_id


def test_without_a_server_the_app_runs_untraced() -> None:
    """Flask's own way to run a request in a test goes round the middleware."""
    app = application()
    with app.test_request_context("/books/fantasy"):
        assert app.full_dispatch_request().json == {"session": None, "trace_id": ANY}
    with app.test_request_context("/broken"):
        assert app.handle_exception(LookupError("out of books")).status_code == 500


def test_a_second_call_changes_nothing_behind_another_middleware(spans: Any) -> None:
    app = application()
    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]  # Flask documents this assignment
    instrument_app(app).test_client().get("/books/fantasy")
    assert [span.name for span in spans.server] == ["GET /books/<genre>"]


def test_uninstrument_leaves_what_was_instrumented_by_hand(spans: Any) -> None:
    app = application()
    before = dict(request_started.receivers), dict(got_request_exception.receivers)
    ops.instrument("flask")
    ops.uninstrument("flask")
    assert (request_started.receivers, got_request_exception.receivers) == before
    for path in ("/books/fantasy", "/broken"):
        app.test_client().get(path).close()
    assert [span.name for span in spans.server] == ["GET /books/<genre>", "GET /broken"]
    assert [event.name for event in spans.server[1].events] == ["exception"]
