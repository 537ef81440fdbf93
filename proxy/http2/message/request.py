"""A request head: what it means to a proxy (RFC 9113, 8.3.1; RFC 9110). PURE. Its fields come judged and sorted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from proxy.compiling import mypyc_attr
from proxy.http2.engine.heads import RequestHead
from proxy.http2.hpack.field import HeaderField
from proxy.http2.message.grpc import is_call, read_timeout
from proxy.semantics import request as semantics
from proxy.semantics.authority import Authority
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import (
    AUTHORIZATION,
    EXPECT,
    FORWARDED_FOR,
    FORWARDED_HOST,
    FORWARDED_PROTO,
    MAX_FORWARDS,
    TRACE,
    TRAILER,
    VIA,
    FieldKinds,
    announced,
)

VERSION: Final = b"2.0"
_COOKIE: Final = b"cookie"


@final
@mypyc_attr(free_list_len=1)
class Request(semantics.Request):
    """One request of HTTP/2. Values that few have are class attributes, as in its base."""

    call_s = -1.0  # how long its caller gives it; -1: does not say
    version = VERSION

    def __init__(self, head: RequestHead, path: bytes) -> None:
        # Those that go on as they came; of the head itself nothing is kept.
        self.method_field = head.method
        self.path_field = head.path  # a plain CONNECT has none
        self.authority_field = head.authority
        self.protocol_field = head.protocol
        self.length_field = head.length_field
        self.method = head.method.value
        self.path = path
        self.host = head.host
        self.plain = head.plain  # to forward unchanged
        self.trace: list[semantics.Field] = []
        self.takes_trailers = head.takes_trailers

    def __repr__(self) -> str:
        return f"<Request {self.method.decode('latin-1')} {self.path.decode('latin-1')}, HTTP/2>"

    def fields(self) -> list[semantics.Field]:
        found: list[semantics.Field] = []
        cookies: list[bytes] = []
        for field in self.plain:
            if field.name == _COOKIE:
                cookies.append(field.value)
            else:
                found.append((field.name, field.value))
        if cookies:  # 8.2.3: pieces of one field
            found.append((_COOKIE, b"; ".join(cookies)))
        if self.length == 0 and self.length_field is not None:
            found.append((b"content-length", b"0"))
        return found

    def field(self, name: bytes) -> bytes:
        for field in self.plain:
            if field.name == name:
                return field.value
        return b""

    def weigh(self) -> tuple[int, int]:
        size = len(self.path)
        for field in self.plain:
            size += len(field.name) + len(field.value) + 4
        return len(self.plain), size

    def forward(self, name: bytes, value: bytes) -> None:
        self.plain.append(HeaderField(name.lower(), value))


def read_request(
    head: RequestHead, kinds: FieldKinds, parse_authority: Callable[[bytes], Authority | None], done: bool
) -> Request:
    """The request; `done` if no content follows. Raises Refusal."""
    method = head.method.value
    path = head.path
    request = Request(head, path.value if path is not None else head.host)
    if not done:
        request.length = head.length if head.length >= 0 else None
    if head.scheme is not None and head.scheme.value != b"http":
        request.scheme = "https"
    if head.host:
        authority = parse_authority(head.host)
        if authority is None:
            raise Refusal(Fault.BAD_HOST, "malformed :authority or Host")
        request.authority = authority
    if head.special:
        _read_special(request, head.special, kinds)
    if method == b"POST" and head.takes_trailers:
        _read_call(request)
    elif head.protocol is not None:
        request.pace = semantics.TUNNEL
        request.length = None
    elif method == b"CONNECT" and head.length_field is None:
        request.length = 0  # what follows is the tunnel's
    elif method == b"TRACE" and not done:
        raise Refusal(Fault.BAD_FRAMING, "TRACE has no content")
    return request


def _read_special(request: Request, special: list[HeaderField], kinds: FieldKinds) -> None:
    """The fields with a meaning for a proxy."""
    plain, trace = request.plain, request.trace
    for field in special:
        kind = field.kind
        if kind == TRACE:
            trace.append((field.name, field.value))
        elif kind == VIA:
            request.via += (field.value,) if field.value else ()
        elif kind == FORWARDED_FOR:
            request.forwarded_for += (field.value,) if field.value else ()
        elif kind == TRAILER:
            if names := announced(field.value, kinds):
                plain.append(HeaderField(b"trailer", names))
        elif kind == MAX_FORWARDS and request.method in (b"TRACE", b"OPTIONS") and _is_count(field.value):
            request.max_forwards = int(field.value)
        elif kind == EXPECT:
            _read_expect(request, field)
        else:
            if kind == FORWARDED_HOST:
                request.has_forwarded_host = True
            elif kind == FORWARDED_PROTO:
                request.has_forwarded_proto = True
            else:
                assert kind in (AUTHORIZATION, MAX_FORWARDS), kind
            plain.append(field)


def _is_count(value: bytes) -> bool:
    return value.isdigit() and len(value) < 10


def _read_expect(request: Request, field: HeaderField) -> None:
    """RFC 9110, 10.1.1."""
    if field.value.lower() != b"100-continue":
        raise Refusal(Fault.EXPECTATION_FAILED, "the only expectation known is 100-continue")
    if request.has_body:
        request.expects_continue = True
        request.plain.append(field)


def _read_call(request: Request) -> None:
    """Whether this is a call of gRPC, and how long it may take."""
    timeout = b""
    for field in request.plain:
        name = field.name
        if name == b"content-type":
            if is_call(field.value):
                request.pace = semantics.CALL
        elif name == b"grpc-timeout":
            timeout = field.value
    if timeout and request.pace == semantics.CALL:
        request.call_s = read_timeout(timeout)
