"""A response head: what it means to a proxy, and what is sent on. PURE. Framing: RFC 9112, section 6.3."""

from __future__ import annotations

from proxy.http1.errors import Fault, Refusal
from proxy.http1.fields import (
    CONNECTION,
    CONTENT_LENGTH,
    DATE,
    PLAIN,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    FieldKinds,
)
from proxy.http1.grammar import STATUS_LINE
from proxy.http1.heads import Fields
from proxy.http1.request import tokens


class Response:
    """One response head. `lines` are the field lines to forward, without CRLF and without any framing."""

    __slots__ = (
        "chunked",
        "has_date",
        "is_final",
        "keep_alive",
        "length",
        "lines",
        "reason",
        "status",
        "trailer",
        "upgrade",
    )

    def __init__(self, status: int, reason: bytes, minor: int) -> None:
        self.status = status
        self.reason = reason
        self.is_final = status >= 200
        self.keep_alive = minor == 1  # of the connection to the upstream
        self.length: int | None = None  # as announced, whether or not a body follows; None: not announced
        self.chunked = False
        self.trailer = b""
        self.upgrade = b""
        self.has_date = False
        self.lines: list[bytes] = []

    def has_body(self, method: bytes) -> bool:
        """Whether a body follows (it may still be empty): RFC 9112, 6.3 rules 1 and 2."""
        return not (method == b"HEAD" or self.status in (204, 304) or self.status < 200)


def check_status_line(line: bytes) -> tuple[int, bytes, int]:
    """Status, reason and minor version. Raises Refusal."""
    match = STATUS_LINE.fullmatch(line)
    if match is None:
        raise Refusal(Fault.BAD_RESPONSE, "the upstream's answer does not begin with an HTTP/1.x status line")
    return int(match[2]), match[3] or b"", 1 if match[1] == b"1" else 0


def read_response(line: bytes, fields: Fields, kinds: FieldKinds) -> Response:
    """The response. Raises Refusal."""
    status, reason, minor = check_status_line(line)
    response = Response(status, reason, minor)
    lines = response.lines
    connection: list[bytes] = []
    coding: bytes | None = None
    for name, value in fields:
        kind = kinds[name]
        if kind == PLAIN:
            lines.append(name + b": " + value)
        elif kind == DATE:
            response.has_date = True
            lines.append(name + b": " + value)
        elif kind == CONTENT_LENGTH:
            if response.length is not None:
                raise Refusal(Fault.BAD_RESPONSE, "more than one Content-Length in the upstream's response")
            if not value.isdigit() or len(value) > 18:
                raise Refusal(Fault.BAD_RESPONSE, "malformed Content-Length in the upstream's response")
            response.length = int(value)
        elif kind == TRANSFER_ENCODING:
            if coding is not None:
                raise Refusal(Fault.BAD_RESPONSE, "more than one Transfer-Encoding in the upstream's response")
            coding = value
        elif kind == CONNECTION:
            connection.append(value)
        elif kind == TRAILER:
            response.trailer = value if not response.trailer else response.trailer + b", " + value
        elif kind == UPGRADE:
            response.upgrade = value if not response.upgrade else response.upgrade + b", " + value
        # every other kind is dropped
    if connection:
        _read_connection(response, tokens(b",".join(connection)), minor)
    if coding is not None:
        if response.length is not None:
            raise Refusal(Fault.BAD_RESPONSE, "both Transfer-Encoding and Content-Length in the upstream's response")
        if minor == 0 or coding.lower() != b"chunked":
            raise Refusal(Fault.BAD_RESPONSE, "a transfer coding other than chunked in the upstream's response")
        response.chunked = True
    return response


def _read_connection(response: Response, options: set[bytes], minor: int) -> None:
    if b"close" in options:
        response.keep_alive = False
    elif b"keep-alive" in options and minor == 0:
        response.keep_alive = True
    if b"upgrade" not in options:
        response.upgrade = b""
    nominated = options - {b"close", b"keep-alive", b"upgrade"}
    if nominated:
        response.lines = [line for line in response.lines if line.split(b":", 1)[0].lower() not in nominated]
