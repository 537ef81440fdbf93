"""A request head: what it means to a proxy, and what is sent on. PURE.

The fields come sorted by kind (`heads`).
Those with a meaning for a proxy are read here.
The framing rules are those of RFC 9112, section 6, without its optional recoveries: ambiguous requests are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from proxy.compiling import mypyc_attr
from proxy.http1.message.grammar import ONLY_VISIBLE, OTHER_VERSION, REQUEST_LINE, read_length
from proxy.http1.message.head import Head
from proxy.http1.message.lists import (
    MAX_OPTIONS,
    field_name,
    field_of,
    is_too_long,
    list_of,
    members,
    real_upgrade,
    takes_trailers,
)
from proxy.http1.message.target import parse_target
from proxy.semantics import request as semantics
from proxy.semantics.authority import Authority
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import (
    AUTHORIZATION,
    CONNECTION,
    CONTENT_LENGTH,
    DROP,
    EXPECT,
    FORWARDED_FOR,
    FORWARDED_HOST,
    FORWARDED_PROTO,
    HOST,
    MAX_FORWARDS,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    VIA,
    FieldKinds,
    Special,
    announced,
    binds_connection,
)

_COLON: Final = ord(":")
_COMMON_METHODS: Final = semantics.IDEMPOTENT | {b"POST", b"PATCH", b"CONNECT"}
# We read these and write them again, whether or not Connection nominates them.
_NEVER_NOMINATED: Final = frozenset(
    (b"host", b"content-length", b"transfer-encoding", b"connection", b"te", b"upgrade", b"close", b"keep-alive", b"")
) | {b"via", b"max-forwards"}  # for every recipient: must not be nominated (9110, 7.6.1), or a loop could hide


@final
@mypyc_attr(free_list_len=1)
class Request(semantics.Request):
    """One request head of HTTP/1.x. `host` is the target's authority, else Host's."""

    def __init__(
        self, method: bytes, path: bytes, minor: int, lines: list[bytes], trace: list[semantics.Field] | None = None
    ) -> None:
        """`lines`: the field lines to forward as they came; `trace`: the fields for the translator, none if None."""
        self.method = method
        self.path = path
        self.minor = minor  # HTTP/1.minor
        if not minor:
            self.version = b"1.0"
        self.keep_alive = minor == 1
        self.lines = lines  # without CRLF; Host, framing, trace and Via are not among them
        self.trace = [] if trace is None else trace

    def __repr__(self) -> str:
        return f"<Request {self.method.decode('latin-1')} {self.path.decode('latin-1')}, HTTP/1.{self.minor}>"

    def fields(self) -> list[semantics.Field]:
        return [field_of(line) for line in self.lines]

    def field(self, name: bytes) -> bytes:
        size = len(name)
        for line in self.lines:
            if len(line) > size and line[size] == _COLON and line[:size].lower() == name:
                return line[size + 1 :].strip(b" \t")
        return b""

    def weigh(self) -> tuple[int, int]:
        lines = self.lines
        return len(lines), sum(map(len, lines)) + 2 * len(lines) + len(self.path)

    def forward(self, name: bytes, value: bytes) -> None:
        self.lines.append(name + b": " + value)


def check_request_line(line: bytes) -> tuple[bytes, bytes, bytes]:
    """Method, target and minor version. Raises Refusal."""
    if line.startswith(b"GET /") and line.endswith(b" HTTP/1.1"):  # mostly; for speed
        target = line[4:-9]
        if target.translate(ONLY_VISIBLE) == target:
            return b"GET", target, b"1"
    parts = line.split(b" ")
    if len(parts) == 3:  # nearly always; faster than the pattern
        method, target, version = parts
        if version == b"HTTP/1.1" and method in _COMMON_METHODS and target and target.translate(ONLY_VISIBLE) == target:
            return method, target, b"1"
    match = REQUEST_LINE.fullmatch(line)
    if match is None:
        if OTHER_VERSION.fullmatch(line) and line[-3:-1] != b"1.":
            raise Refusal(Fault.VERSION_NOT_SUPPORTED, "only HTTP/1.0 and HTTP/1.1 are supported")
        raise Refusal(Fault.BAD_REQUEST, "malformed request line")
    return match.groups()  # type: ignore[return-value]  # three groups, none optional


def read_request(head: Head, kinds: FieldKinds, parse_authority: Callable[[bytes], Authority | None]) -> Request:
    """The request. The fields of `head` were sorted by `kinds`. Raises Refusal.

    `parse_authority` is `authority.parse_authority`, remembered or not.
    """
    method, target, minor = check_request_line(head.line)
    request = Request(method, target, 1 if minor == b"1" else 0, head.lines, head.trace)
    absolute = None
    if method == b"CONNECT":
        absolute = target
    elif target[0] != 0x2F:  # "/"; the common form needs no parsing
        request.path, absolute, request.scheme = parse_target(method, target)
    _read_special(request, head.special, kinds)
    if absolute is not None:
        # RFC 9112, 3.2.2: the authority of the target replaces Host, which had to be well-formed all the same.
        if (request.host or request.minor == 1) and parse_authority(request.host) is None:
            raise Refusal(Fault.BAD_HOST, "malformed Host")
        request.host = absolute
    if request.host or request.minor == 1:
        authority = parse_authority(request.host)
        if authority is None:
            raise Refusal(
                Fault.BAD_HOST, "malformed authority in the target" if absolute is not None else "malformed Host"
            )
        request.authority = authority
    return request


def _read_special(request: Request, special: list[Special], kinds: FieldKinds) -> None:
    """The fields with a meaning for a proxy, in one pass. Their combination is judged afterwards."""
    hosts = 0
    others: list[Special] = []
    for kind, name, value in special:
        if kind == HOST:
            hosts += 1
            request.host = value
        else:
            others.append((kind, name, value))
    if others:
        _read_others(request, others, kinds, hosts)
    elif hosts != 1 or not request.host:
        _check_no_host(request, hosts)


def _read_others(request: Request, others: list[Special], kinds: FieldKinds, hosts: int) -> None:
    """Those that many requests do not have."""
    length: bytes | None = None
    coding: bytes | None = None
    connection = upgrade = trailer = expect = b""
    for kind, name, value in others:
        if kind == CONTENT_LENGTH:
            if length is not None:
                raise Refusal(Fault.BAD_FRAMING, "more than one Content-Length")
            length = value
        elif kind == TRANSFER_ENCODING:
            if coding is not None:
                raise Refusal(Fault.BAD_FRAMING, "more than one Transfer-Encoding")
            coding = value
        elif kind == CONNECTION:
            connection = list_of(connection, value)
        elif kind == TRAILER:
            trailer = list_of(trailer, value)
        elif kind == UPGRADE:
            upgrade = list_of(upgrade, value)
        elif kind == EXPECT:
            expect = list_of(expect, value)
        else:
            _read_alone(request, kind, name, value)
    if hosts != 1 or not request.host:
        _check_no_host(request, hosts)
    if connection and b"expect" in _read_connection(request, connection, upgrade):
        expect = b""
    if length is not None or coding is not None:
        _read_framing(request, length, coding)
    if trailer and request.length is None and (trailer := announced(trailer, kinds)):
        request.lines.append(b"Trailer: " + trailer)
    if request.method == b"TRACE" and request.has_body:
        raise Refusal(Fault.BAD_FRAMING, "TRACE has no body")
    if expect and request.minor == 1:
        _read_expect(request, expect)


def _read_alone(request: Request, kind: int, name: bytes, value: bytes) -> None:
    """A field whose meaning does not depend on another's."""
    if kind == FORWARDED_FOR:
        request.forwarded_for += (value,) if value else ()
    elif kind == VIA:
        request.via += (value,) if value else ()  # RFC 9110, 5.6.1: senders must not write empty members
    elif kind == FORWARDED_HOST:
        request.has_forwarded_host = True
        request.lines.append(name + b": " + value)
    elif kind == FORWARDED_PROTO:
        request.has_forwarded_proto = True
        request.lines.append(name + b": " + value)
    elif kind == AUTHORIZATION:
        request.binds_connection |= binds_connection(value)
        request.lines.append(name + b": " + value)
    elif kind == TE:
        request.takes_trailers |= takes_trailers(value)
    elif kind == MAX_FORWARDS:
        if request.method in (b"TRACE", b"OPTIONS") and value.isdigit() and len(value) < 10:
            request.max_forwards = int(value)
        else:
            request.lines.append(name + b": " + value)
    else:
        assert kind == DROP, kind


def _check_no_host(request: Request, hosts: int) -> None:
    """RFC 9112, 3.2, for a request without exactly one non-empty Host: HTTP/1.0 may have none."""
    if hosts > 1:
        raise Refusal(Fault.BAD_HOST, "more than one Host")
    if hosts:
        raise Refusal(Fault.BAD_HOST, "empty Host")
    if request.minor == 1:
        raise Refusal(Fault.BAD_HOST, "an HTTP/1.1 request needs a Host")


def _read_connection(request: Request, connection: bytes, upgrade: bytes) -> frozenset[bytes]:
    """RFC 9110, 7.6.1 and 7.8. Drop the fields that Connection names."""
    if is_too_long(connection):
        raise Refusal(Fault.HEADERS_TOO_LARGE, f"Connection has more than {MAX_OPTIONS} members")
    options = members(connection)
    if b"close" in options:
        request.keep_alive = False
    elif b"keep-alive" in options:
        request.keep_alive = True
    if upgrade and b"upgrade" in options and request.minor == 1:
        request.upgrade = real_upgrade(upgrade)
    nominated = options - _NEVER_NOMINATED
    if nominated:
        _drop_nominated(request, nominated)
    return nominated


def _drop_nominated(request: Request, nominated: frozenset[bytes]) -> None:
    """Drop every field that Connection names (RFC 9110, 7.6.1)."""
    request.lines = [line for line in request.lines if field_name(line) not in nominated]
    request.trace = [field for field in request.trace if field[0].lower() not in nominated]
    if b"x-forwarded-for" in nominated:
        request.forwarded_for = ()
    if b"x-forwarded-host" in nominated:
        request.has_forwarded_host = False
    if b"x-forwarded-proto" in nominated:
        request.has_forwarded_proto = False


def _read_framing(request: Request, length: bytes | None, coding: bytes | None) -> None:
    """RFC 9112, 6.1 to 6.3."""
    if coding is not None:
        if length is not None:
            raise Refusal(Fault.BAD_FRAMING, "both Transfer-Encoding and Content-Length")
        if request.minor == 0:
            raise Refusal(Fault.BAD_FRAMING, "Transfer-Encoding in HTTP/1.0")
        if coding.lower() != b"chunked":
            raise Refusal(Fault.BAD_FRAMING, "the only supported transfer coding is chunked")
        request.length = None
    elif length is not None:
        size = read_length(length)
        if size < 0:
            raise Refusal(Fault.BAD_FRAMING, "malformed Content-Length")
        request.length = size
        if not size:
            request.lines.append(b"Content-Length: 0")


def _read_expect(request: Request, expect: bytes) -> None:
    """RFC 9110, 10.1.1."""
    if expect.lower() != b"100-continue":
        raise Refusal(Fault.EXPECTATION_FAILED, "the only expectation known is 100-continue")
    if request.has_body:
        request.expects_continue = True
        request.lines.append(b"Expect: " + expect)
