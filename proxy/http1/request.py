"""A request head: what it means to a proxy, and what is sent on. PURE.

One pass over the fields decides by kind (`fields`): forward, drop, translate, or read. The framing rules are those of
RFC 9112, section 6, without any of the recoveries that it allows: what is ambiguous is refused.
"""

from __future__ import annotations

from collections.abc import Callable

from proxy.http1.errors import Fault, Refusal
from proxy.http1.fields import (
    CONNECTION,
    CONTENT_LENGTH,
    DROP,
    EXPECT,
    FORWARDED_FOR,
    FORWARDED_HOST,
    FORWARDED_PROTO,
    HOST,
    MAX_FORWARDS,
    PLAIN,
    TE,
    TRACE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    VIA,
    FieldKinds,
)
from proxy.http1.grammar import OTHER_VERSION, REQUEST_LINE
from proxy.http1.heads import Fields
from proxy.http1.target import Authority, parse_target

# Never upgraded to (they would take the next hop's parser away from under us), whatever the version behind the slash.
_NOT_UPGRADED_TO = (b"h2c", b"h2", b"http", b"tls")
# Safe to send twice: RFC 9110, 9.2.2.
IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE", b"QUERY"))
# Nominated by Connection or not, these are read by us and written anew.
_NEVER_NOMINATED = frozenset((b"host", b"content-length", b"transfer-encoding", b"connection", b"te", b"upgrade"))


class Request:
    """One request head. `lines` are the field lines to forward, without CRLF; trace fields are kept apart in `trace`."""

    __slots__ = (
        "authority",
        "chunked",
        "expects_continue",
        "forwarded_for",
        "has_forwarded_host",
        "has_forwarded_proto",
        "host",
        "host_index",
        "keep_alive",
        "length",
        "lines",
        "max_forwards",
        "method",
        "minor",
        "path",
        "scheme",
        "takes_trailers",
        "trace",
        "upgrade",
        "via",
    )

    def __init__(self, method: bytes, path: bytes, minor: int) -> None:
        self.method = method
        self.path = path  # origin-form or "*"; authority-form for CONNECT
        self.minor = minor  # HTTP/1.minor
        self.scheme = "http"
        self.host = b""  # the authority as it came: of the target, or else of Host
        self.host_index = -1  # where in `lines` Host stands; -1: it did not come
        self.authority = Authority("", 0)
        self.length = 0
        self.chunked = False
        self.keep_alive = minor == 1
        self.expects_continue = False
        self.takes_trailers = False
        self.upgrade = b""  # the protocol, where this is a real upgrade
        self.max_forwards: int | None = None
        self.via: list[bytes] = []
        self.forwarded_for: list[bytes] = []
        self.has_forwarded_host = False
        self.has_forwarded_proto = False
        self.lines: list[bytes] = []
        self.trace: Fields = []

    @property
    def has_body(self) -> bool:
        """Whether content follows the head."""
        return self.chunked or self.length > 0


def check_request_line(line: bytes) -> tuple[bytes, bytes, bytes]:
    """Method, target and minor version. Raises Refusal."""
    match = REQUEST_LINE.fullmatch(line)
    if match is None:
        if OTHER_VERSION.fullmatch(line) and line[-3:-1] != b"1.":
            raise Refusal(Fault.VERSION_NOT_SUPPORTED, "only HTTP/1.0 and HTTP/1.1 are spoken here")
        raise Refusal(Fault.BAD_REQUEST, "malformed request line")
    return match.groups()  # type: ignore[return-value]  # three groups, none optional


def read_request(
    line: bytes, fields: Fields, kinds: FieldKinds, parse_authority: Callable[[bytes], Authority | None]
) -> Request:
    """The request. `parse_authority` is `target.parse_authority`, remembered or not. Raises Refusal."""
    method, target, minor = check_request_line(line)
    request = Request(method, target, 1 if minor == b"1" else 0)
    absolute = None
    if method != b"CONNECT":
        if target[0] != 0x2F:  # "/"; the common form needs no more
            request.path, absolute, request.scheme = parse_target(method, target)
    else:
        absolute = target
    _read_fields(request, fields, kinds)
    came = request.host
    if absolute is not None:
        # RFC 9112, 3.2.2: the authority of the target replaces Host, which had to be well-formed all the same.
        request.host = absolute
        if method != b"CONNECT":
            if request.host_index < 0:
                request.host_index = 0
                request.lines.insert(0, b"Host: " + absolute)
            else:
                request.lines[request.host_index] = b"Host: " + absolute
        if (came or request.minor == 1) and parse_authority(came) is None:
            raise Refusal(Fault.BAD_HOST, "malformed Host")
    if request.host_index >= 0 or absolute is not None:
        authority = parse_authority(request.host)
        if authority is None:
            raise Refusal(
                Fault.BAD_HOST, "malformed authority in the target" if absolute is not None else "malformed Host"
            )
        request.authority = authority
    return request


def _read_fields(request: Request, fields: Fields, kinds: FieldKinds) -> None:
    lines = request.lines
    hosts = 0
    length: bytes | None = None
    coding: bytes | None = None
    connection: list[bytes] = []
    upgrade = trailer = expect = b""
    for name, value in fields:
        kind = kinds[name]
        if kind == PLAIN:
            lines.append(name + b": " + value)
        elif kind == TRACE:
            request.trace.append((name, value))
        elif kind == HOST:
            hosts += 1
            request.host = value
            request.host_index = len(lines)
            lines.append(name + b": " + value)
        elif kind == CONTENT_LENGTH:
            if length is not None:
                raise Refusal(Fault.BAD_FRAMING, "more than one Content-Length")
            length = value
        elif kind == TRANSFER_ENCODING:
            if coding is not None:
                raise Refusal(Fault.BAD_FRAMING, "more than one Transfer-Encoding")
            coding = value
        elif kind == CONNECTION:
            connection.append(value)
        elif kind == TE:
            request.takes_trailers |= b"trailers" in tokens(value)
        elif kind == TRAILER:
            trailer = value if not trailer else trailer + b", " + value
        elif kind == UPGRADE:
            upgrade = value if not upgrade else upgrade + b", " + value
        elif kind == EXPECT:
            expect = value if not expect else expect + b", " + value
        elif kind == VIA:
            request.via.append(value)
        elif kind == FORWARDED_FOR:
            request.forwarded_for.append(value)
        elif kind == FORWARDED_HOST:
            request.has_forwarded_host = True
            lines.append(name + b": " + value)
        elif kind == FORWARDED_PROTO:
            request.has_forwarded_proto = True
            lines.append(name + b": " + value)
        elif kind == MAX_FORWARDS:
            if request.method in (b"TRACE", b"OPTIONS") and value.isdigit() and len(value) < 10:
                request.max_forwards = int(value)
            else:
                lines.append(name + b": " + value)
        else:
            assert kind == DROP, kind
    if hosts > 1 or (hosts == 0 and request.minor == 1):
        raise Refusal(
            Fault.BAD_HOST, "an HTTP/1.1 request needs exactly one Host" if not hosts else "more than one Host"
        )
    if connection:
        options = tokens(b",".join(connection))
        nominated = options - _NEVER_NOMINATED - {b"close", b"keep-alive"}
        if any(name.lower() in nominated for name, _ in fields):
            _start_again(request, [field for field in fields if field[0].lower() not in nominated], kinds)
            return
        if b"close" in options:
            request.keep_alive = False
        elif b"keep-alive" in options:
            request.keep_alive = True
        if upgrade and b"upgrade" in options and request.minor == 1:
            request.upgrade = _real_upgrade(upgrade)
    if length is not None or coding is not None:
        _read_framing(request, length, coding)
    if trailer and request.chunked:
        lines.append(b"Trailer: " + trailer)
    if expect and request.minor == 1:
        if expect.lower() != b"100-continue":
            raise Refusal(Fault.EXPECTATION_FAILED, "the only expectation known is 100-continue")
        if request.has_body:
            request.expects_continue = True
            lines.append(b"Expect: 100-continue")


def _start_again(request: Request, fields: Fields, kinds: FieldKinds) -> None:
    """Read `fields` as if those that Connection named had never been there. Rare, so the common pass need not know of it."""
    fresh = Request(request.method, request.path, request.minor)
    fresh.scheme = request.scheme
    _read_fields(fresh, fields, kinds)
    for slot in Request.__slots__:
        setattr(request, slot, getattr(fresh, slot))


def _read_framing(request: Request, length: bytes | None, coding: bytes | None) -> None:
    """RFC 9112, 6.1 to 6.3."""
    if coding is not None:
        if length is not None:
            raise Refusal(Fault.BAD_FRAMING, "both Transfer-Encoding and Content-Length")
        if request.minor == 0:
            raise Refusal(Fault.BAD_FRAMING, "Transfer-Encoding in HTTP/1.0")
        if coding.lower() != b"chunked":
            raise Refusal(Fault.BAD_FRAMING, "the only transfer coding taken is chunked")
        request.chunked = True
    elif length is not None:
        if not length.isdigit() or len(length) > 18:
            raise Refusal(Fault.BAD_FRAMING, "malformed Content-Length")
        request.length = int(length)
        if not request.length:
            request.lines.append(b"Content-Length: 0")


def _real_upgrade(value: bytes) -> bytes:
    """The protocols of an Upgrade field that may be switched to, b"" if there are none."""
    wanted = [part.strip(b" \t") for part in value.split(b",")]
    return b", ".join(part for part in wanted if part and part.lower().split(b"/")[0] not in _NOT_UPGRADED_TO)


def tokens(value: bytes) -> set[bytes]:
    """The members of a comma-separated list, lower case, without parameters."""
    return {part.split(b";")[0].strip(b" \t").lower() for part in value.split(b",")}
