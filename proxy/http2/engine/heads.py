"""The head of a message: its pseudo-fields, and its fields sorted by kind (RFC 9113, 8.1 to 8.3). PURE.

The fields come judged (`fields`), so that one pass over small integers is all.
"""

from __future__ import annotations

from typing import Final, final

from proxy.compiling import mypyc_attr
from proxy.http2.engine.errors import Malformed
from proxy.http2.engine.fields import AUTHORITY, BAD, METHOD, PATH, PROTOCOL, SCHEME, STATUS
from proxy.http2.hpack.field import HeaderField
from proxy.semantics.fields import CONTENT_LENGTH, DROP, HOST, PLAIN, TE

_REQUIRED: Final = METHOD | SCHEME | PATH
_ZERO: Final = ord("0")
_DEFAULT_PORTS: Final = {b"http": b":80", b"https": b":443"}


@final
@mypyc_attr(free_list_len=1)
class RequestHead:
    """Of a request. `plain` and `special` are in the order in which they came."""

    __slots__ = (
        "authority",
        "host",
        "length",
        "length_field",
        "method",
        "path",
        "plain",
        "protocol",
        "scheme",
        "special",
        "takes_trailers",
    )

    def __init__(self, method: HeaderField) -> None:
        self.method = method
        self.scheme: HeaderField | None = None  # CONNECT has neither this nor a path
        self.path: HeaderField | None = None
        self.authority: HeaderField | None = None
        self.protocol: HeaderField | None = None  # of an extended CONNECT (RFC 8441)
        self.host = b""  # the authority; Host, if there is none
        self.length = -1  # of the content; -1: known at its end
        self.length_field: HeaderField | None = None
        self.plain: list[HeaderField] = []  # to forward unchanged
        self.special: list[HeaderField] = []  # with a meaning for a proxy, but what is read here or dropped
        self.takes_trailers = False


@final
@mypyc_attr(free_list_len=1)
class ResponseHead:
    """Of a response, final or interim."""

    __slots__ = ("length", "length_field", "plain", "special", "status", "status_field")

    def __init__(self, status_field: HeaderField) -> None:
        self.status_field = status_field
        digits = status_field.value  # three: the field was judged
        self.status = 100 * digits[0] + 10 * digits[1] + digits[2] - 111 * _ZERO
        self.length = -1
        self.length_field: HeaderField | None = None
        self.plain: list[HeaderField] = []
        self.special: list[HeaderField] = []


def read_request(fields: list[HeaderField], done: bool, extended_connect: bool) -> RequestHead:
    """A request's head; `done` if no content follows. `extended_connect`: we have announced it. Raises Malformed."""
    head: RequestHead | None = None
    plain: list[HeaderField] = []
    special: list[HeaderField] = []
    pseudo: list[HeaderField] = []
    host: HeaderField | None = None
    length: HeaderField | None = None
    takes_trailers = is_regular = False
    seen = 0
    for field in fields:
        kind = field.kind
        if kind == PLAIN:
            plain.append(field)
        elif kind >= METHOD:
            # 8.3: before all others, each once.
            if is_regular or plain or special or seen & kind:
                raise Malformed("a duplicate pseudo-header field, or one after other fields")
            seen |= kind
            if kind == METHOD:
                head = RequestHead(field)
            else:
                pseudo.append(field)
        elif kind == BAD:
            raise Malformed(_complaint(field))
        else:
            is_regular = True
            if kind == HOST:
                if host is not None:
                    raise Malformed("more than one Host")
                host = field
            elif kind == CONTENT_LENGTH:
                if length is not None:
                    raise Malformed("more than one Content-Length")
                length = field
            elif kind == TE:
                takes_trailers = True
            elif kind != DROP:
                special.append(field)
    if head is None:
        raise Malformed("no :method")
    for field in pseudo:
        _take(head, field)
    head.plain, head.special, head.takes_trailers = plain, special, takes_trailers
    if seen & (_REQUIRED | PROTOCOL) != _REQUIRED or head.method.value == b"CONNECT":
        _check_connect(head, seen, extended_connect)
    elif head.path is not None and head.path.value == b"*" and head.method.value != b"OPTIONS":
        raise Malformed("the path * belongs to OPTIONS")
    authority = head.authority
    if authority is not None:
        head.host = authority.value
        if host is not None and host.value != authority.value:
            _check_host(head, host.value)
    elif host is not None:
        head.host = host.value
    if length is not None:
        head.length_field = length
        head.length = int(length.value)
        if done and head.length:
            raise Malformed("a Content-Length, and no content")
    elif done:
        head.length = 0
    return head


def _take(head: RequestHead, field: HeaderField) -> None:
    kind = field.kind
    if kind == SCHEME:
        head.scheme = field
    elif kind == PATH:
        head.path = field
    elif kind == AUTHORITY:
        head.authority = field
    else:
        head.protocol = field


def _check_connect(head: RequestHead, seen: int, extended_connect: bool) -> None:
    """8.3.1: what every other request has. 8.5 and RFC 8441, 4: what a CONNECT has."""
    if head.method.value != b"CONNECT":
        raise Malformed(":protocol without CONNECT" if seen & PROTOCOL else "no :scheme or no :path")
    if not seen & AUTHORITY:
        raise Malformed("CONNECT without :authority")
    if not seen & PROTOCOL:
        if seen & (SCHEME | PATH):
            raise Malformed("CONNECT with :scheme or :path")
    elif not extended_connect:
        raise Malformed(":protocol, which was not announced")
    elif seen & _REQUIRED != _REQUIRED:
        raise Malformed("an extended CONNECT without :scheme or :path")


def _check_host(head: RequestHead, host: bytes) -> None:
    """8.3.1: Host and :authority name the same. Letter case and the scheme's own port make no difference."""
    port = _DEFAULT_PORTS.get(head.scheme.value.lower(), b"") if head.scheme is not None else b""
    if host.lower().removesuffix(port) != head.host.lower().removesuffix(port):
        raise Malformed("Host is not :authority")


def read_response(fields: list[HeaderField]) -> ResponseHead:
    """A response's head. Raises Malformed."""
    head: ResponseHead | None = None
    plain: list[HeaderField] = []
    special: list[HeaderField] = []
    length: HeaderField | None = None
    for field in fields:
        kind = field.kind
        if kind == PLAIN:
            plain.append(field)
        elif kind == STATUS:
            if head is not None or plain or special or length is not None:
                raise Malformed("a duplicate :status, or one after other fields")
            head = ResponseHead(field)
        elif kind >= BAD:
            raise Malformed(_complaint(field))
        elif kind == CONTENT_LENGTH:
            if length is not None:
                raise Malformed("more than one Content-Length")
            length = field
        elif kind != DROP:
            special.append(field)
    if head is None:
        raise Malformed("no :status")
    if head.status == 101:  # 8.6
        raise Malformed("101, which HTTP/2 does not have")
    head.plain, head.special = plain, special
    if length is not None:
        head.length_field = length
        head.length = int(length.value)
    return head


def check_trailers(fields: list[HeaderField]) -> None:
    """8.1: trailers have no pseudo-fields. Raises Malformed."""
    for field in fields:
        if field.kind >= BAD:
            raise Malformed(_complaint(field))


def _complaint(field: HeaderField) -> str:
    """Names a field that must not be there. Its value may be a secret."""
    return f"the field {field.name[:64].decode('latin-1')!r} is malformed, or has no place in this message"


def status_field(status: int) -> HeaderField:
    """`:status`, for a response of our own, or one that came in HTTP/1.1."""
    return HeaderField(b":status", b"%d" % status, STATUS)
