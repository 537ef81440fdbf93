"""Writes forwarded heads in HTTP/1.1, in whatever version they came. PURE: values in, bytes out."""

from __future__ import annotations

from proxy.http1.message.request import Request as Http1Request
from proxy.http1.message.response import Response as Http1Response
from proxy.semantics.hop import Hop
from proxy.semantics.request import Field, Request
from proxy.semantics.response import Response


def request_head(request: Request, trace: list[Field], host: bytes, hop: Hop) -> bytes:
    """The head for the upstream. `host` is the value of Host."""
    if isinstance(request, Http1Request):
        lines = [*request.lines]  # unchanged, so they need not be joined again
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
        lines = _lines([*request.fields(), *trace, *hop.fields(request)])
    if request.max_forwards is not None:
        lines.append(b"Max-Forwards: %d" % (request.max_forwards - 1))
    length = request.length
    if length is None:
        lines.append(b"Transfer-Encoding: chunked")
    elif length:
        lines.append(b"Content-Length: %d" % length)
    if request.upgrade:
        lines.append(b"Connection: Upgrade\r\nUpgrade: " + request.upgrade)
    elif request.takes_trailers:
        lines.append(b"Connection: TE\r\nTE: trailers")
    lines.append(b"\r\n")
    return b"%b %b HTTP/1.1\r\nHost: %b\r\n%b" % (request.method, request.path, host, b"\r\n".join(lines))


def _first_hop(hop: Hop, request: Request) -> bytes:
    """The lines that `hop` adds to each request without an earlier proxy, up to its host."""
    added = b"\r\n".join(_lines(hop.fields(request)))
    return added.removesuffix(request.host) if hop.tells_host else added


def response_head(
    response: Response,
    content: bytes,
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
    start, lines = _start_and_lines(response)
    if date:
        lines.append(b"Date: " + date)
    if via:
        lines.append(b"Via: %b %b" % (response.version, via))
    if trace:
        lines.append(trace)
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
    return b"%b\r\n%b\r\n\r\n%b" % (start, b"\r\n".join(lines), content)


def interim_head(response: Response) -> bytes:
    """A 1xx, unchanged."""
    start, lines = _start_and_lines(response)
    return b"\r\n".join([start, *lines, b"", b""])


def switching_head(response: Response) -> bytes:
    """101, with its two required fields."""
    reason = response.reason if isinstance(response, Http1Response) else b""
    lines = [*_start_and_lines(response)[1], b"Connection: Upgrade", b"Upgrade: " + response.upgrade]
    return b"HTTP/1.1 101 %b\r\n%b\r\n\r\n" % (reason or b"Switching Protocols", b"\r\n".join(lines))


def as_chunks(content: bytes, done: bool, trailer_lines: list[bytes]) -> bytes:
    """`content` as one chunk, or none if it is empty; with `done`, also the end of the body and its trailers."""
    data = b"%x\r\n%b\r\n" % (len(content), content) if content else b""
    if not done:
        return data
    if not trailer_lines:
        return data + b"0\r\n\r\n"
    return b"%b0\r\n%b\r\n\r\n" % (data, b"\r\n".join(trailer_lines))


def _start_and_lines(response: Response) -> tuple[bytes, list[bytes]]:
    if isinstance(response, Http1Response):
        return response.line, response.lines
    return b"HTTP/1.1 %d " % response.status, _lines(response.fields())


def _lines(fields: list[Field]) -> list[bytes]:
    return [name + b": " + value for name, value in fields]
