"""The heads that the sidecar writes itself. PURE: values in, bytes out."""

from __future__ import annotations

from proxy.http1.request import Request
from proxy.http1.response import Response


def request_head(
    request: Request, *, trace: list[tuple[bytes, bytes]], host: bytes, via: bytes, client: bytes, forwarded: bool
) -> bytes:
    """The head for the upstream.

    `host` is what Host says; `via` our own entry, empty for none; `client` the client's address, empty where it has none;
    `forwarded`: whether X-Forwarded-* are written.
    """
    lines = request.lines
    for name, value in trace:
        lines.append(name + b": " + value)
    if via:
        lines.append(b"Via: " + (b", ".join((*request.via, via)) if request.via else via))
    if forwarded:
        if request.forwarded_for:
            lines.append(
                b"X-Forwarded-For: " + b", ".join((*request.forwarded_for, client) if client else request.forwarded_for)
            )
        elif client:
            lines.append(b"X-Forwarded-For: " + client)
        if not request.has_forwarded_proto:
            lines.append(b"X-Forwarded-Proto: https" if request.scheme == "https" else b"X-Forwarded-Proto: http")
        if request.host and not request.has_forwarded_host:
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
    lines.append(b"\r\n")
    return b"%b %b HTTP/1.1\r\nHost: %b\r\n%b" % (request.method, request.path, host, b"\r\n".join(lines))


def response_head(
    response: Response, *, method: bytes, minor: int, keep_alive: bool, chunked: bool, via: bytes
) -> bytes:
    """The head for a client of HTTP/1.`minor`. `chunked`: the body will be."""
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
    return b"HTTP/1.1 %d %b\r\n%b\r\n\r\n" % (response.status, response.reason, b"\r\n".join(lines))


def interim_head(response: Response) -> bytes:
    """A 1xx, as it came."""
    return b"\r\n".join([b"HTTP/1.1 %d %b" % (response.status, response.reason), *response.lines, b"", b""])


def switching_head(response: Response) -> bytes:
    """101, with the two fields that make it one."""
    lines = [*response.lines, b"Connection: Upgrade", b"Upgrade: " + response.upgrade]
    return b"HTTP/1.1 101 %b\r\n%b\r\n\r\n" % (response.reason or b"Switching Protocols", b"\r\n".join(lines))
