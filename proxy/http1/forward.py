"""The heads that the sidecar writes itself. PURE: values in, bytes out."""

from __future__ import annotations

from proxy.http1.request import Request
from proxy.http1.response import Response


def request_head(
    request: Request, *, trace: list[tuple[bytes, bytes]], host_line: bytes, via: bytes, client: bytes, forwarded: bool
) -> bytes:
    """The head for the upstream.

    `host_line` replaces Host where it is not empty; `via` is our own entry, empty for none; `client` the client's address,
    empty where it has none; `forwarded`: whether X-Forwarded-* are written.
    """
    lines = request.lines
    if host_line:
        if request.host_index < 0:
            lines.insert(0, host_line)
        else:
            lines[request.host_index] = host_line
    for name, value in trace:
        lines.append(name + b": " + value)
    if via:
        lines.append(b"Via: " + b", ".join([*request.via, via]))
    if forwarded:
        if client:
            if request.forwarded_for:
                client = b", ".join([*request.forwarded_for, client])
            lines.append(b"X-Forwarded-For: " + client)
        elif request.forwarded_for:
            lines.append(b"X-Forwarded-For: " + b", ".join(request.forwarded_for))
        if not request.has_forwarded_proto:
            lines.append(b"X-Forwarded-Proto: http")
        if not request.has_forwarded_host and request.host:
            lines.append(b"X-Forwarded-Host: " + request.host)
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
    return b"%b %b HTTP/1.1\r\n%b\r\n\r\n" % (request.method, request.path, b"\r\n".join(lines))


def response_head(
    response: Response, *, method: bytes, minor: int, keep_alive: bool, chunked: bool, via: bytes, date: bytes
) -> bytes:
    """The head for a client of HTTP/1.`minor`. `chunked`: the body will be; `date` is used where none came."""
    lines = response.lines
    if not response.has_date:
        lines.append(b"Date: " + date)
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
    return b"HTTP/1.1 %d %b\r\n%b\r\n\r\n" % (response.status, response.reason, b"\r\n".join(lines))


def interim_head(response: Response) -> bytes:
    """A 1xx, as it came."""
    return b"\r\n".join([b"HTTP/1.1 %d %b" % (response.status, response.reason), *response.lines, b"", b""])


def switching_head(response: Response) -> bytes:
    """101, with the two fields that make it one."""
    lines = [*response.lines, b"Connection: Upgrade", b"Upgrade: " + response.upgrade]
    return b"HTTP/1.1 101 %b\r\n%b\r\n\r\n" % (response.reason or b"Switching Protocols", b"\r\n".join(lines))
