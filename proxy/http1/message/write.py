"""Writes forwarded heads in HTTP/1.1, in whatever version they came. PURE: values in, bytes out."""

from __future__ import annotations

from typing import Final

from proxy.http1.message.request import Request as Http1Request
from proxy.http1.message.response import Response as Http1Response
from proxy.semantics.hop import Hop
from proxy.semantics.request import Field, Request
from proxy.semantics.response import Response

_END: Final = b"\r\n"
_MOST_LENGTHS: Final = 512  # whose lines are remembered, for speed
_length_lines: dict[int, bytes] = {}


def request_head(request: Request, *, trace: list[Field], host: bytes, hop: Hop) -> bytes:
    """The head for the upstream. `host` is the value of Host."""
    begins = b"".join((request.method, b" ", request.path, b" HTTP/1.1\r\nHost: ", host))
    if isinstance(request, Http1Request):
        lines = [begins, *request.lines]  # unchanged, so they need not be joined again
        for name, value in trace:
            lines.append(name + b": " + value)
        if hop.is_first(request):  # then only its host is new; for speed
            kept = hop.kept[request.minor]
            if kept is None:
                kept = hop.kept[request.minor] = _first_hop(hop, request)
            if hop.tells_host:
                lines.append(kept + request.host)
            elif kept:
                lines.append(kept)
        else:
            lines += _lines(hop.fields(request))
    else:
        lines = [begins, *_lines([*request.fields(), *trace, *hop.fields(request)])]
    if request.max_forwards is not None:
        lines.append(b"Max-Forwards: %d" % (request.max_forwards - 1))
    length = request.length
    if length is None:
        lines.append(b"Transfer-Encoding: chunked")
    elif length:
        lines.append(_length_line(length))
    if request.upgrade:
        lines.append(b"Connection: Upgrade\r\nUpgrade: " + request.upgrade)
    elif request.takes_trailers:
        lines.append(b"Connection: TE\r\nTE: trailers")
    lines.append(_END)
    return _END.join(lines)


def _first_hop(hop: Hop, request: Request) -> bytes:
    """The lines that `hop` adds to each request without an earlier proxy, up to its host."""
    added = _END.join(_lines(hop.fields(request)))
    return added.removesuffix(request.host) if hop.tells_host else added


def response_head(
    response: Response,
    content: bytes,
    *,
    minor: int,
    keep_alive: bool,
    chunked: bool,
    via: bytes,
    date: bytes,
    trace: bytes = b"",
) -> bytes:
    """The head for a client of HTTP/1.`minor`, and `content` after it. `chunked`: the body will be chunked.

    `via` is our name there, `date` the time, `trace` a line that tells the caller its trace; each empty for none.
    """
    start, lines = _start_and_lines(response)  # the response's own, so that a console is told of all that goes out
    if date:
        lines.append(b"Date: " + date)
    if via:
        lines.append(b"".join((b"Via: ", response.version, b" ", via)))
    if trace:
        lines.append(trace)
    if chunked:
        if response.trailer:
            lines.append(b"Trailer: " + response.trailer)
        lines.append(b"Transfer-Encoding: chunked")
    elif response.length is not None and response.status != 204:
        lines.append(_length_line(response.length))
    if not keep_alive:
        lines.append(b"Connection: close")
    elif minor == 0:
        lines.append(b"Connection: keep-alive")
    return _END.join([start, *lines, b"", content])


def interim_head(response: Response) -> bytes:
    """A 1xx, unchanged."""
    start, lines = _start_and_lines(response)
    return _END.join([start, *lines, b"", b""])


def switching_head(response: Response) -> bytes:
    """101, with its two required fields."""
    reason = response.reason if isinstance(response, Http1Response) else b""
    lines = [*_start_and_lines(response)[1], b"Connection: Upgrade", b"Upgrade: " + response.upgrade]
    return b"HTTP/1.1 101 %b\r\n%b\r\n\r\n" % (reason or b"Switching Protocols", _END.join(lines))


def as_chunks(content: bytes, done: bool, trailer_lines: list[bytes]) -> bytes:
    """`content` as one chunk, or none if it is empty; with `done`, also the end of the body and its trailers."""
    data = b"%x\r\n%b\r\n" % (len(content), content) if content else b""
    if not done:
        return data
    if not trailer_lines:
        return data + b"0\r\n\r\n"
    return b"%b0\r\n%b\r\n\r\n" % (data, _END.join(trailer_lines))


def _length_line(length: int) -> bytes:
    line = _length_lines.get(length)
    if line is None:
        line = b"Content-Length: %d" % length
        if len(_length_lines) < _MOST_LENGTHS:
            _length_lines[length] = line
    return line


def _start_and_lines(response: Response) -> tuple[bytes, list[bytes]]:
    if isinstance(response, Http1Response):
        return response.line, response.lines
    return b"HTTP/1.1 %d " % response.status, _lines(response.fields())


def _lines(fields: list[Field]) -> list[bytes]:
    return [name + b": " + value for name, value in fields]
