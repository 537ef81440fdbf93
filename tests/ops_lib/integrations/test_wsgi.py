"""The WSGI middleware, by the letter of PEP 3333 (wsgiref's validator around it) and on a real server."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.trace import StatusCode

import ops_lib as ops
from ops_lib.integrations.wsgi import TraceMiddleware
from tests.ops_lib.integrations.servers import serve_wsgi

TRACE, SPAN = "5af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CALLER = {
    "HTTP_X_B3_TRACEID": TRACE,
    "HTTP_X_B3_SPANID": SPAN,
    "HTTP_X_B3_SAMPLED": "1",
    "HTTP_MIRASCOPE_SESSION_ID": "s-1",
}


def environ(**more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {}
    setup_testing_defaults(made)
    return made | more


def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
    return lambda piece: None


def here() -> str:
    """The trace in force, and its session."""
    session = ops.current_session()
    return f"{trace.get_current_span().get_span_context().trace_id:032x} {session.id if session else None}"


NOWHERE = f"{0:032x} None"


class Body:
    """An app's lazy body that notes where each of its parts runs."""

    def __init__(self, log: list[str], *, fails: bool = False) -> None:
        self._log, self._fails, self._left = log, fails, 2

    def __iter__(self) -> Body:
        return self

    def __next__(self) -> bytes:
        self._log.append(f"piece {here()}")
        if self._fails:
            raise LookupError("out of books")
        self._left -= 1
        if self._left < 0:
            raise StopIteration
        return b"x"

    def close(self) -> None:
        self._log.append(f"close {here()}")


def app_with(body: Any) -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return body

    return TraceMiddleware(app)


def test_every_piece_is_made_in_the_callers_context(spans: Any) -> None:
    """B3 headers in CGI's spelling; two requests interleaved on one thread; the span ends with close()."""
    log: list[str] = []
    first = iter(app_with(Body(log))(environ(**CALLER), start))
    second = iter(app_with(Body(log))(environ(), start))
    assert here() == NOWHERE
    next(first), next(second)
    assert here() == NOWHERE
    assert list(first) == [b"x"]
    assert spans.server == []
    first.close()
    (span,) = spans.server
    second.close()
    assert f"{span.parent.span_id:016x}" == SPAN
    assert log[0] == f"piece {TRACE} s-1"
    assert TRACE not in log[1]
    assert log[2:5] == [f"piece {TRACE} s-1"] * 2 + [f"close {TRACE} s-1"]
    assert here() == NOWHERE


def test_generator_apps(spans: Any) -> None:
    """An app that is a generator runs nothing before its first piece: start_response is called then, and counts."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("503 Service Unavailable", [])
        with ops.span("inside"):
            yield b"a"
            yield here().encode()

    body = TraceMiddleware(app)(environ(**CALLER), start)
    assert list(body) == [b"a", f"{TRACE} s-1".encode()]
    body.close()  # type: ignore[attr-defined]
    (span,), (inside,) = spans.server, spans.internal
    assert inside.parent.span_id == span.context.span_id
    assert span.attributes["http.response.status_code"] == 503
    assert span.status.status_code is StatusCode.ERROR


@pytest.mark.slow
def test_a_body_abandoned_by_the_server_ends_its_span(spans: Any) -> None:
    body = app_with(Body([]))(environ(), start)
    next(body)
    del body
    gc.collect()
    assert len(spans.server) == 1


@pytest.mark.parametrize(
    "make", [lambda: [b"a", b"b"], lambda: (b"a",), lambda: FileWrapper(__import__("io").BytesIO(b"a"))]
)
def test_bodies_with_short_cuts_stay_what_they_are(spans: Any, make: Any) -> None:
    """A list has a length, for Content-Length, and a file wrapper may go by sendfile: the server must see them."""
    body = make()
    assert app_with(body)(environ(**{"wsgi.file_wrapper": FileWrapper}), start) is body
    assert len(spans.server) == 1


def test_a_status_that_is_none_passes(spans: Any) -> None:
    """Against PEP 3333, but not ours to turn into an error."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("OK", [])
        return [b""]

    assert TraceMiddleware(app)(environ(), start) == [b""]
    assert "http.response.status_code" not in spans.server[-1].attributes


def test_exceptions_are_recorded_and_raised(spans: Any) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        raise LookupError("out of books")

    with pytest.raises(LookupError):
        TraceMiddleware(app)(environ(), start)
    log: list[str] = []
    body = app_with(Body(log, fails=True))(environ(**CALLER), start)
    with pytest.raises(LookupError):
        next(body)
    body.close()
    at_once, while_iterating = spans.server
    for span in (at_once, while_iterating):
        assert span.status.status_code is StatusCode.ERROR
        assert span.attributes["error.type"] == "LookupError"
        assert [event.name for event in span.events] == ["exception"]
    assert at_once.attributes["http.response.status_code"] == 500
    assert while_iterating.attributes["http.response.status_code"] == 200, "that much was sent already"
    assert here() == NOWHERE


def test_attributes(spans: Any) -> None:
    given = environ(
        REQUEST_METHOD="POST",
        SCRIPT_NAME="/shop",
        PATH_INFO="/b\u00c3\u00bccher",  # PEP 3333: the bytes of the path as latin-1
        QUERY_STRING="token=secret",
        HTTP_HOST="[::1]:8080",
        REMOTE_ADDR="192.0.2.7",
        HTTP_USER_AGENT="test",
    )
    app_with([b""])(given, start)
    (span,) = spans.server
    assert span.name == "POST"
    assert dict(span.attributes) == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "url.path": "/shop/bücher",
        "url.scheme": "http",
        "server.address": "::1",
        "server.port": 8080,
        "network.protocol.version": "1.0",
        "client.address": "192.0.2.7",
        "user_agent.original": "test",
    }


def test_a_path_that_the_server_has_decoded_itself(spans: Any) -> None:
    """PEP 3333 forbids it; adapters and test clients do it."""
    for path in ("/\u20ac", "/\udcff"):
        assert TraceMiddleware(lambda environ, start_response: [b"x"])(environ(PATH_INFO=path), start) == [b"x"]
    assert [span.attributes["url.path"] for span in spans.server] == ["/\u20ac", r"/\udcff"]


@pytest.mark.parametrize("broken", [{"PATH_INFO": b"/"}, {"REQUEST_METHOD": None}, {"SERVER_PROTOCOL": 1}])
def test_an_environ_against_the_letter_is_nobodys_error(broken: dict[str, Any], caplog: Any) -> None:
    """Tracing fails open: the app runs, in its caller's trace."""
    seen = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(here())
        start_response(200, [])
        return [b"x"]

    assert TraceMiddleware(app)(environ(**CALLER, **broken), start) == [b"x"]
    assert seen == [f"{TRACE} s-1"]
    assert "the request goes on" in caplog.text


def test_by_the_letter_on_a_server(spans: Any) -> None:
    """PEP 3333's validator on both sides of the middleware finds nothing; every thread is clean afterwards."""
    ended = threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        assert callable(write)

        def pieces() -> Iterator[bytes]:
            try:
                yield here().encode()
                yield b"!"
            finally:
                ended.set()

        return pieces()

    with serve_wsgi(validator(TraceMiddleware(validator(app)))) as url:
        answer = httpx.get(url, headers={"uber-trace-id": f"{TRACE}:{SPAN}:0:1", "X-Mirascope-Session-Id": "s-1"})
    assert answer.text == f"{TRACE} s-1!"
    assert ended.is_set()
    (span,) = spans.server
    assert f"{span.context.trace_id:032x}" == TRACE


@pytest.mark.parametrize("status", ["20x OK", "20", "", "2000 OK", "abc", "404 Not Found"])
def test_a_status_that_is_none_is_the_servers_to_complain_of(status: str) -> None:
    """It reaches the server as the app wrote it."""
    told = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response(status, [])
        return [b"x"]

    request: dict[str, Any] = {}
    setup_testing_defaults(request)
    body = TraceMiddleware(app)(request, lambda *said: told.append(said))
    assert list(body) == [b"x"]
    assert told == [(status, [])]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, {"url.path": "/", "url.scheme": "http"}),
        ({"SCRIPT_NAME": "/shop", "PATH_INFO": "/books"}, {"url.path": "/shop/books", "url.scheme": "http"}),
        ({"PATH_INFO": "/\xc3\xa9"}, {"url.path": "/é", "url.scheme": "http"}),
        ({"SERVER_NAME": "shop", "wsgi.url_scheme": "https"}, {"server.address": "shop", "url.scheme": "https"}),
        ({"SERVER_NAME": "here", "HTTP_HOST": "shop"}, {"server.address": "shop"}),
        ({"SERVER_PROTOCOL": "HTTP/1.1"}, {"network.protocol.version": "1.1"}),
        ({"SERVER_PROTOCOL": "INCLUDED"}, {"network.protocol.version": None}),  # CGI, RFC 3875 4.1.16
        ({"REMOTE_ADDR": "10.0.0.9"}, {"client.address": "10.0.0.9"}),
        ({"HTTP_USER_AGENT": "curl/8"}, {"user_agent.original": "curl/8"}),
    ],
)
def test_what_an_environ_tells(given: dict[str, str], told: dict[str, str | None], spans: Any) -> None:
    """Servers need not set all of it (PEP 3333, "environ Variables")."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b""]

    TraceMiddleware(app)({"REQUEST_METHOD": "GET", **given}, start)
    (span,) = spans.server
    assert {name: span.attributes.get(name) for name in told} == told
