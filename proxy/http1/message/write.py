"""The heads that the sidecar writes itself. PURE: values in, bytes out."""

from __future__ import annotations

from proxy.http1.message.request import Request
from proxy.http1.message.response import Response


class Hop:
    """What this hop adds to the requests of one connection: values that do not change from one to the next."""

    __slots__ = ("_first", "_forwarded", "_via", "client")

    def __init__(self, *, via: tuple[bytes, bytes], client: bytes, forwarded: bool) -> None:
        """`via`: our entry for a request of HTTP/1.0 and of HTTP/1.1, empty for none.

        `client`: its address, empty where it has none; `forwarded`: whether X-Forwarded-* are written.
        """
        self.client = client
        self._via = via
        self._forwarded = forwarded
        # Most requests have not been through a proxy yet, and then all of it is the same each time (0.4 µs less).
        self._first = (self._lines_of(0), self._lines_of(1))

    def _lines_of(self, minor: int) -> list[bytes]:
        lines = []
        if self._via[minor]:
            lines.append(b"Via: " + self._via[minor])
        if self._forwarded:
            if self.client:
                lines.append(b"X-Forwarded-For: " + self.client)
            lines.append(b"X-Forwarded-Proto: http")
        return [b"\r\n".join(lines)] if lines else []

    def add_to(self, request: Request) -> None:
        """Append the lines for `request`."""
        lines = request.lines
        if not (request.via or request.forwarded_for or request.has_forwarded_proto or request.scheme == "https"):
            lines += self._first[request.minor]
        else:
            self._add_further(request)
        if self._forwarded and request.host and not request.has_forwarded_host:
            lines.append(b"X-Forwarded-Host: " + request.host)

    def _add_further(self, request: Request) -> None:
        lines = request.lines
        if via := self._via[request.minor]:
            lines.append(b"Via: " + b", ".join((*request.via, via)))
        if not self._forwarded:
            return
        clients = (*request.forwarded_for, self.client) if self.client else request.forwarded_for
        if clients:
            lines.append(b"X-Forwarded-For: " + b", ".join(clients))
        if not request.has_forwarded_proto:
            lines.append(b"X-Forwarded-Proto: https" if request.scheme == "https" else b"X-Forwarded-Proto: http")


def request_head(request: Request, *, trace: list[tuple[bytes, bytes]], host: bytes, hop: Hop) -> bytes:
    """The head for the upstream. `host` is what Host says."""
    lines = request.lines
    for name, value in trace:
        lines.append(name + b": " + value)
    hop.add_to(request)
    if request.max_forwards is not None:
        lines.append(b"Max-Forwards: %d" % (request.max_forwards - 1))
    if request.chunked:
        lines.append(b"Transfer-Encoding: chunked")
    elif request.length:
        lines.append(b"Content-Length: %d" % request.length)
    if request.upgrade:
        lines.append(b"Connection: Upgrade\r\nUpgrade: " + request.upgrade)
    elif request.takes_trailers:
        lines.append(b"Connection: TE\r\nTE: trailers")
    lines.append(b"\r\n")
    return b"%b %b HTTP/1.1\r\nHost: %b\r\n%b" % (request.method, request.path, host, b"\r\n".join(lines))


def response_head(
    response: Response, content: bytes, *, minor: int, keep_alive: bool, chunked: bool, via: bytes
) -> bytes:
    """The head for a client of HTTP/1.`minor`, and `content` behind it. `chunked`: the body will be."""
    lines = response.lines
    if via:
        lines.append(b"Via: " + via)
    if chunked:
        if response.trailer:
            lines.append(b"Trailer: " + response.trailer)
        lines.append(b"Transfer-Encoding: chunked")
    elif response.length is not None and response.status != 204:
        lines.append(b"Content-Length: %d" % response.length)
    if not keep_alive:
        lines.append(b"Connection: close")
    elif minor == 0:
        lines.append(b"Connection: keep-alive")
    return b"%b\r\n%b\r\n\r\n%b" % (response.line, b"\r\n".join(lines), content)


def interim_head(response: Response) -> bytes:
    """A 1xx, as it came."""
    return b"\r\n".join([response.line, *response.lines, b"", b""])


def switching_head(response: Response) -> bytes:
    """101, with the two fields that make it one."""
    lines = [*response.lines, b"Connection: Upgrade", b"Upgrade: " + response.upgrade]
    return b"HTTP/1.1 101 %b\r\n%b\r\n\r\n" % (response.reason or b"Switching Protocols", b"\r\n".join(lines))


def as_chunks(content: bytes, done: bool, trailer_lines: list[bytes]) -> bytes:
    """`content` as one chunk of our own, none where it is empty; with `done` the end of the body and its trailers."""
    data = b"%x\r\n%b\r\n" % (len(content), content) if content else b""
    if not done:
        return data
    if not trailer_lines:
        return data + b"0\r\n\r\n"
    return b"%b0\r\n%b\r\n\r\n" % (data, b"\r\n".join(trailer_lines))
