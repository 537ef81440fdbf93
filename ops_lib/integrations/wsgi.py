"""WSGI: every request runs in its caller's trace and session, in a server span of its own.

Needs no framework.
Knows PEP 3333; `incoming` handles formats and spans.
The server pulls the body piece by piece after the app has returned, perhaps between pieces of other responses.
So the context is attached during each pull only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ops_lib.headers.propagators import check_propagator
from ops_lib.integrations.incoming import Incoming, Request

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
App = Callable[[Environ, StartResponse], Iterable[bytes]]

# environ: the request's `Incoming`, for frameworks that know more (route, handled exceptions).
# If there is one, a second middleware adds nothing.
INCOMING_KEY = "ops.incoming"


class TraceMiddleware:
    """WSGI middleware: `app = TraceMiddleware(app)`; for Flask
    `ops_lib.integrations.flask.instrument_app(app)`, which knows routes.

    The span ends when the server closes the body (PEP 3333), or
    with the app's exception, which is recorded and raised again.
    A body that is a list, a tuple or the server's file wrapper passes unchanged, so that the server keeps its short
    cuts (Content-Length, sendfile).
    The span then ends when the app returns.
    """

    def __init__(self, app: App) -> None:
        """Raises ConfigurationError if the environment names an unknown format."""
        check_propagator()
        self.app = app

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Run the app on one request. Raises what the app raises."""
        if INCOMING_KEY in environ:
            return self.app(environ, start_response)
        incoming = environ[INCOMING_KEY] = Incoming(_headers(environ), lambda: _request(environ))

        def watched_start(status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], object]:
            if isinstance(status, str) and status[:3].isdecimal():  # else the server complains
                incoming.status(int(status[:3]))
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        try:
            with incoming.attached():
                body = self.app(environ, watched_start)
        except BaseException as error:
            incoming.fail(error)
            incoming.end()
            raise
        file_wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(body, (list, tuple)) or (isinstance(file_wrapper, type) and isinstance(body, file_wrapper)):
            incoming.end()
            return body
        return _TracedBody(body, incoming)


class _TracedBody:
    """The app's body, each piece made in the request's context; ends the span when closed, or when
    collected unclosed.
    """

    def __init__(self, body: Iterable[bytes], incoming: Incoming) -> None:
        self._body = body
        self._pieces: Iterator[bytes] | None = None
        self._incoming = incoming

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with self._recorded(), self._incoming.attached():
            if self._pieces is None:
                self._pieces = iter(self._body)
            return next(self._pieces)

    def close(self) -> None:
        """PEP 3333: called by the server when the response is complete or the client is gone."""
        try:
            with self._recorded(), self._incoming.attached():
                close = getattr(self._body, "close", None)
                if close is not None:
                    close()
        finally:
            self._incoming.end()

    def _recorded(self) -> _Recorded:
        return _Recorded(self._incoming)

    def __del__(self) -> None:
        self._incoming.end()


class _Recorded:
    """Records an exception on the request's span and lets it pass; the end of an iterator does not count."""

    __slots__ = ("_incoming",)

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None and not isinstance(error, StopIteration):
            self._incoming.fail(error)


def _headers(environ: Environ) -> dict[str, str]:
    """The request's headers by their HTTP names; CGI's spelling (HTTP_X_B3_TRACEID) undone."""
    return {name[5:].replace("_", "-"): value for name, value in environ.items() if name.startswith("HTTP_")}


def _request(environ: Environ) -> Request:
    protocol = environ.get("SERVER_PROTOCOL", "")
    return Request(
        method=environ["REQUEST_METHOD"],
        path=_path(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")) or "/",
        scheme=environ.get("wsgi.url_scheme", "http"),
        host=environ.get("HTTP_HOST") or environ.get("SERVER_NAME"),
        protocol_version=protocol[5:] if protocol.startswith("HTTP/") else None,
        client=environ.get("REMOTE_ADDR"),
        user_agent=environ.get("HTTP_USER_AGENT"),
    )


def _path(text: str) -> str:
    """The path, decoded from WSGI's latin-1; unchanged if the server has decoded it already."""
    try:
        return text.encode("latin-1").decode("utf-8", "replace")
    except UnicodeEncodeError:
        return text
