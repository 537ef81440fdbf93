"""A response head: what it means to a proxy, and what is sent on. PURE. Framing: RFC 9112, section 6.3."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, final

from proxy.compiling import mypyc_attr
from proxy.http1.message.grammar import KEEP_ALIVE_TIMEOUT, STATUS_LINE, read_length
from proxy.http1.message.head import Head
from proxy.http1.message.lists import field_name, field_of, is_too_long, list_of, members, real_upgrade
from proxy.semantics import response as semantics
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import (
    AUTHENTICATE,
    CONNECTION,
    CONTENT_LENGTH,
    KEEP_ALIVE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    FieldKinds,
    announced,
    binds_connection,
)
from proxy.semantics.request import Field

# How many status lines are remembered: 16 KiB of them, and only short ones.
_REMEMBERED_STARTS: Final = 256
_REMEMBERED_START_BYTES: Final = 64
_NEVER_NOMINATED: Final = frozenset((b"close", b"keep-alive", b"upgrade", b""))


@final
class Start:
    """A parsed status line. A plain class, not a NamedTuple, for speed."""

    __slots__ = ("line", "minor", "reason", "status")

    def __init__(self, status: int, reason: bytes, minor: int, line: bytes) -> None:
        """`minor`: of HTTP/1.`minor`; `line`: as forwarded."""
        self.status = status
        self.reason = reason
        self.minor = minor
        self.line = line


@final
@mypyc_attr(free_list_len=1)
class Response(semantics.Response):
    """One response head of HTTP/1.x."""

    chunked = False
    keep_alive_s: int | None = None  # how long the upstream keeps an idle connection, by its own word

    def __init__(self, start: Start, lines: list[bytes]) -> None:
        """`lines`: the field lines to forward as they came."""
        self.status = start.status
        self.reason = start.reason
        self.minor = start.minor
        self.line = start.line
        self.keep_alive = start.minor == 1  # of the connection to the upstream
        self.lines = lines  # without CRLF; framing is not among them

    def has_date(self) -> bool:
        for line in self.lines:
            if line.startswith(b"Date:") or line.startswith(b"date:"):  # noqa: PIE810 - compiled, a tuple costs more
                return True
        return any(field_name(line) == b"date" for line in self.lines)

    def __repr__(self) -> str:
        return f"<Response {self.status}, HTTP/1.{self.minor}>"

    @property
    def version(self) -> bytes:
        return b"1.1" if self.minor else b"1.0"

    def fields(self) -> list[Field]:
        return [field_of(line) for line in self.lines]


def read_start(line: bytes) -> Start:
    """A status line. Raises Refusal. Remembered, for speed: few of them exist, and most are one."""
    if line == _OK.line:
        return _OK
    return _known_start(line) if len(line) <= _REMEMBERED_START_BYTES else _read_start(line)


def _read_start(line: bytes) -> Start:
    match = STATUS_LINE.fullmatch(line)
    if match is None:
        raise Refusal(Fault.BAD_RESPONSE, "the upstream's answer does not begin with an HTTP/1.x status line")
    status, reason = match[2], match[3] or b""
    return Start(int(status), reason, 1 if match[1] == b"1" else 0, b"HTTP/1.1 %b %b" % (status, reason))


_OK: Final = _read_start(b"HTTP/1.1 200 OK")
_known_start: Final = lru_cache(_REMEMBERED_STARTS)(_read_start)


def read_response(head: Head, kinds: FieldKinds) -> Response:
    """The response. The fields of `head` were sorted by `kinds`. Raises Refusal."""
    start = read_start(head.line)
    minor = start.minor
    lines = head.lines
    response = Response(start, lines)
    connection = b""
    length: int | None = None
    coding: bytes | None = None
    for kind, name, value in head.special:
        if kind == CONTENT_LENGTH:
            if length is not None:
                raise Refusal(Fault.BAD_RESPONSE, "more than one Content-Length in the upstream's response")
            length = read_length(value)
            if length < 0:
                raise Refusal(Fault.BAD_RESPONSE, "malformed Content-Length in the upstream's response")
            response.length = length
        elif kind == CONNECTION:
            connection = list_of(connection, value) if connection else value
        elif kind == TRANSFER_ENCODING:
            if coding is not None:
                raise Refusal(Fault.BAD_RESPONSE, "more than one Transfer-Encoding in the upstream's response")
            coding = value
        elif kind == TRAILER:
            response.trailer = list_of(response.trailer, value)
        elif kind == UPGRADE:
            response.upgrade = list_of(response.upgrade, value)
        elif kind == AUTHENTICATE:
            response.binds_connection |= binds_connection(value)
            lines.append(name + b": " + value)
        elif kind == KEEP_ALIVE:
            hint = KEEP_ALIVE_TIMEOUT.search(value)
            response.keep_alive_s = int(hint[1]) if hint is not None else None
        # every other kind is dropped
    if connection and (connection != b"keep-alive" or minor == 0):
        if is_too_long(connection):
            raise Refusal(Fault.RESPONSE_HEAD_TOO_LARGE, "Connection has too many members in the upstream's response")
        _read_connection(response, members(connection), minor)
    elif response.upgrade:
        response.upgrade = b""  # only an offer, without its connection option
    if response.upgrade and response.status == 426:
        _pass_on_demand(response)
    if response.trailer:
        response.trailer = announced(response.trailer, kinds)
    if coding is not None:
        if length is not None:
            raise Refusal(Fault.BAD_RESPONSE, "both Transfer-Encoding and Content-Length in the upstream's response")
        if minor == 0 or coding.lower() != b"chunked":
            raise Refusal(Fault.BAD_RESPONSE, "a transfer coding other than chunked in the upstream's response")
        response.chunked = True
    return response


def _pass_on_demand(response: Response) -> None:
    """A 426 must name the protocols that it asks for (RFC 9110, 15.5.22): keep those that we can switch to."""
    wanted = real_upgrade(response.upgrade)
    if wanted:
        response.lines += [b"Connection: Upgrade", b"Upgrade: " + wanted]


def _read_connection(response: Response, options: frozenset[bytes], minor: int) -> None:
    if b"close" in options:
        response.keep_alive = False
    elif b"keep-alive" in options and minor == 0:
        response.keep_alive = True
    if b"upgrade" not in options:
        response.upgrade = b""
    nominated = options - _NEVER_NOMINATED
    if nominated:
        response.lines = [line for line in response.lines if field_name(line) not in nominated]
