"""What each header field means to a proxy. PURE.

One look-up per field gives a small integer, whatever the letter case of the name.
Names are classified once and remembered.
The memory is bounded, since names come from outside.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, final

PLAIN: Final = 0  # forwarded unchanged
DROP: Final = 1  # hop-by-hop, or meant for this proxy: never forwarded
TRACE: Final = 2  # owned by the translator
HOST: Final = 3
CONNECTION: Final = 4
CONTENT_LENGTH: Final = 5
TRANSFER_ENCODING: Final = 6
TE: Final = 7
TRAILER: Final = 8
UPGRADE: Final = 9
EXPECT: Final = 10
VIA: Final = 11
FORWARDED_FOR: Final = 12
FORWARDED_HOST: Final = 13
FORWARDED_PROTO: Final = 14
MAX_FORWARDS: Final = 15
KEEP_ALIVE: Final = 16  # in a response: a hint for us, and for nobody after us
AUTHORIZATION: Final = 17
AUTHENTICATE: Final = 18

# RFC 9110, 7.6.1 and 11.7; RFC 9113, 3.2.1 (HTTP2-Settings).
# Proxy-Connection was never standardised, but clients send it.
_DROPPED = (b"keep-alive", b"proxy-connection", b"http2-settings", b"proxy-authorization")
_DROPPED_IN_RESPONSE = (
    b"proxy-connection",
    b"http2-settings",
    b"proxy-authenticate",
    b"proxy-authentication-info",
)
_FRAMING = {
    b"connection": CONNECTION,
    b"content-length": CONTENT_LENGTH,
    b"transfer-encoding": TRANSFER_ENCODING,
    b"te": TE,
    b"trailer": TRAILER,
    b"upgrade": UPGRADE,
}
_FORWARDED = {
    b"x-forwarded-for": FORWARDED_FOR,
    b"x-forwarded-host": FORWARDED_HOST,
    b"x-forwarded-proto": FORWARDED_PROTO,
}

# To a CGI or WSGI server, Content_Length and Content-Length are one variable.
# So a field that we judge must not have such a twin.
_TWINNED: Final = frozenset(
    (*_DROPPED, *_FRAMING, *_FORWARDED, b"host", b"expect", b"max-forwards", b"via", b"forwarded", b"x-real-ip")
)

# RFC 9110, 6.5.1: fields for framing, routing, authentication, request
# control and content description do not belong in a trailer section.
# Most recipients ignore them there, and some believe them, which is worse.
_FORBIDDEN_IN_TRAILERS = frozenset(
    b"age authorization cache-control content-encoding content-language content-location content-range "
    b"content-type cookie date expect expires forwarded from host if-match if-modified-since if-none-match "
    b"if-range if-unmodified-since location max-forwards origin pragma proxy-authenticate "
    b"proxy-authentication-info proxy-authorization range retry-after set-cookie user-agent vary via warning "
    b"www-authenticate x-forwarded-for x-forwarded-host x-forwarded-proto".split()
)
# How many names are remembered: 64 KiB of them. The longest name in use has about 50 bytes.
_MAX_NAMES: Final = 1024
_MAX_NAME_BYTES: Final = 64

MAX_TRAILERS: Final = 128  # fields in one trailer section

Special = tuple[int, bytes, bytes]  # kind, name as it came, value


@final
class FieldKinds:
    """Field name as it came -> kind. Look into `known` first, a plain dictionary; `classify` names that are not in it.

    A name becomes known only after llhttp has accepted it.
    """

    __slots__ = ("_drops_twins", "_names", "_owns", "known")

    def __init__(self, names: dict[bytes, int], owns: Callable[[bytes], bool], *, drops_twins: bool = False) -> None:
        """`names`: in lower case; `owns` says which of the others belong to the translator.

        `drops_twins`: drop names that a CGI or WSGI server takes for a framing or forwarding field.
        """
        self._drops_twins = drops_twins
        self._names = names
        self._owns = owns
        self.known: dict[bytes, int] = {}

    def kind_of(self, name: bytes) -> int:
        """The kind of `name`, in any letter case; not remembered."""
        kind = self._names.get(name.lower())
        if kind is None:
            kind = TRACE if self._owns(name) else PLAIN
            if kind == PLAIN and self._drops_twins and b"_" in name and name.lower().replace(b"_", b"-") in _TWINNED:
                kind = DROP
        return kind

    def classify(self, name: bytes) -> int:
        """The kind of `name`, in any letter case; remembered unless it is long."""
        kind = self.kind_of(name)
        if len(name) <= _MAX_NAME_BYTES:
            if len(self.known) >= _MAX_NAMES:
                self.known.clear()
            self.known[name] = kind
        return kind


def request_kinds(owns: Callable[[bytes], bool], *, via: bool, x_forwarded: bool) -> FieldKinds:
    """Kinds for requests of one listener. Without `via` or `x_forwarded`, those fields are plain."""
    known = {
        **dict.fromkeys(_DROPPED, DROP),
        **_FRAMING,
        b"host": HOST,
        b"expect": EXPECT,
        b"max-forwards": MAX_FORWARDS,
        b"authorization": AUTHORIZATION,
    }
    if via:
        known[b"via"] = VIA
    if x_forwarded:
        known.update(_FORWARDED)
    return FieldKinds(known, owns, drops_twins=True)


def response_kinds() -> FieldKinds:
    """Kinds for responses."""
    known = {
        **dict.fromkeys(_DROPPED_IN_RESPONSE, DROP),
        **_FRAMING,
        b"keep-alive": KEEP_ALIVE,
        b"www-authenticate": AUTHENTICATE,
    }
    return FieldKinds(known, lambda _name: False)


# RFC 4559 and [MS-NTHT]: these schemes log in the connection, not the request.
_OF_A_CONNECTION: Final = re.compile(rb"(?:^|,)[ \t]*(?:ntlm|negotiate)(?:[ \t,]|$)", re.IGNORECASE)


def binds_connection(value: bytes) -> bool:
    """Whether credentials, or a challenge, are of a scheme by which a connection gets an identity."""
    return _OF_A_CONNECTION.search(value) is not None


def allowed_in_trailers(line: bytes) -> bool:
    """Whether a plain field line is allowed in a trailer section that is forwarded."""
    return line.split(b":", 1)[0].lower() not in _FORBIDDEN_IN_TRAILERS


def announced(trailer: bytes, kinds: FieldKinds) -> bytes:
    """The Trailer field for the next hop: of the announced names, those that are forwarded as trailers.

    Empty if it has more names than we accept trailers.
    """
    if trailer.count(b",") >= MAX_TRAILERS:
        return b""
    names = [name for part in trailer.split(b",") if (name := part.strip(b" \t"))]
    return b", ".join(name for name in names if kinds.kind_of(name) == PLAIN and allowed_in_trailers(name))
