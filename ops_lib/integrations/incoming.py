"""The server's side of a request: the caller's context, attached, and a server span with the stable HTTP conventions.

Shared by asgi, wsgi and aiohttp, which know their protocols.
May know contexts and spans.
Must not know a protocol.
Tracing fails open: failures here are logged, and the request continues.

Source of names: OpenTelemetry semantic conventions 1.23 and later, "HTTP server".
`url.query` is left out: queries carry secrets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from opentelemetry import context as otel_context
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.util.types import AttributeValue

from ops_lib.headers.propagators import extract_context
from ops_lib.spans.attributes import attributes_of, name_of
from ops_lib.spans.exceptions import record_exception
from ops_lib.spans.failures import FAILURES
from ops_lib.spans.span import start_in
from ops_lib.spans.start import end_span

# RFC 9110 section 9 and RFC 5789.
# The conventions require `_OTHER` for the rest, which clients can invent without limit.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})


class Request(NamedTuple):
    """What a protocol knows of an incoming request; None for unknown values."""

    method: str
    path: str  # decoded, without the query
    scheme: str
    host: str | None  # authority: name or address, perhaps with a port
    protocol_version: str | None  # "1.1"
    client: str | None  # address of the peer
    user_agent: str | None


class Incoming:
    """One request: reads the caller's context and starts the span when made, and ends it once.
    Its methods never raise.
    """

    __slots__ = ("_context", "_ended", "_error", "_method", "_span", "answered", "has_failed", "route")

    def __init__(self, headers: Any, describe: Callable[[], Request]) -> None:
        """`headers`: any carrier for `ops.extract_context`.
        `describe` may raise: not every server follows its protocol.
        """
        self.route: str | None = None  # its template, "/books/{genre}", once known
        self.answered = False  # a status has been seen
        self.has_failed = False  # with a status that counts as the server's error
        self._ended = False
        self._error: BaseException | None = None  # the exception recorded last, since two callers may report it
        self._method = ""
        self._span: Span = INVALID_SPAN
        self._context = otel_context.get_current()
        with _fails_open():
            self._context = extract_context(headers, context=self._context)
            request = describe()
            self._method = request.method if request.method in METHODS else "HTTP"
            self._span = start_in(self._context, self._method, _attributes(request), SpanKind.SERVER)
            self._context = set_span_in_context(self._span, self._context)

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Attaches the request's context for a block; detaches it on exceptions, too."""
        token = otel_context.attach(self._context)
        try:
            yield
        finally:
            otel_context.detach(token)

    def status(self, code: int) -> None:
        """Note the response's status; a 5xx is an error of the server."""
        self.answered = True
        with _fails_open():
            self._span.set_attribute("http.response.status_code", code)
            if code >= 500:
                self.has_failed = True
                self._span.set_attribute("error.type", str(code))
                self._span.set_status(Status(StatusCode.ERROR))

    def fail(self, error: BaseException) -> None:
        """Record an exception that leaves the app, or that the framework turns into a 500."""
        if error is self._error:
            return
        self._error = error
        with _fails_open():
            if isinstance(error, Exception) and not self.answered:
                self._span.set_attribute("http.response.status_code", 500)  # every server's answer to it
            record_exception(self._span, error)

    def end(self) -> None:
        """End the span, named by its route if there is one; only the first call counts."""
        if self._ended:
            return
        self._ended = True
        self._error = None  # its frames may hold this
        with _fails_open():
            if self.route is not None:
                route = name_of(self.route)
                self._span.update_name(f"{self._method} {route}")
                self._span.set_attribute("http.route", route)
            end_span(self._span)


@contextmanager
def _fails_open() -> Iterator[None]:
    try:
        yield
    except Exception:  # the outermost edge: samplers and span processors may be anyone's
        FAILURES.tell("tracing of a request failed; the request goes on")


def _attributes(request: Request) -> dict[str, object]:
    address, port = _authority(request.host)
    attributes: dict[str, AttributeValue | None] = {
        "http.request.method": request.method if request.method in METHODS else "_OTHER",
        "http.request.method_original": None if request.method in METHODS else request.method[:64],
        "url.path": request.path,
        "url.scheme": request.scheme,
        "server.address": address,
        "server.port": port,
        "network.protocol.version": request.protocol_version,
        "client.address": request.client,
        "user_agent.original": request.user_agent,
    }
    return attributes_of({name: value for name, value in attributes.items() if value is not None})


def _authority(text: str | None) -> tuple[str | None, int | None]:
    """Host and port of a Host header (RFC 9110 section 7.2); no port if it is missing or invalid."""
    if not text:
        return None, None
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or (":" in host and not host.endswith("]")):
        host, port = text, ""
    return host.strip("[]"), int(port) if port and int(port) < 65536 else None
