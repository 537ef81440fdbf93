"""What a field means in HTTP/2 (RFC 9113, 8.2 and 8.3). PURE.

A field is judged once, when it comes as a literal: its table entry keeps the verdict.
"""

from __future__ import annotations

import re
from typing import Final, final

from proxy.http2.hpack.field import Judge
from proxy.semantics.fields import (
    CONNECTION,
    CONTENT_LENGTH,
    KEEP_ALIVE,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    FieldKinds,
)

# Beside the kinds of `semantics.fields`. Everything from METHOD on is a pseudo-field, and a bit.
BAD: Final = 31  # makes its message malformed
METHOD: Final = 1 << 5
SCHEME: Final = 1 << 6
PATH: Final = 1 << 7
AUTHORITY: Final = 1 << 8
PROTOCOL: Final = 1 << 9
STATUS: Final = 1 << 10

_OF_REQUESTS: Final = {
    b":method": METHOD,
    b":scheme": SCHEME,
    b":path": PATH,
    b":authority": AUTHORITY,
    b":protocol": PROTOCOL,  # RFC 8441, 4
}
_OF_RESPONSES: Final = {b":status": STATUS}

# 8.2.2. (TE has a rule of its own.)
_CONNECTION_SPECIFIC: Final = frozenset((CONNECTION, KEEP_ALIVE, TRANSFER_ENCODING, UPGRADE))
_CONNECTION_SPECIFIC_NAMES: Final = frozenset((b"connection", b"keep-alive", b"proxy-connection"))

# 8.2: a token in lower case (RFC 9110, 5.1).
_is_name: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+").fullmatch

# 8.2.1 forbids NUL, LF and CR, and white space at either end.
# Narrower: no other control character either, but HTAB, as in HTTP/1.1, which may be the next hop.
_TEXT: Final = bytes((0x09, *range(0x20, 0x7F), *range(0x80, 0x100)))
_BLANKS: Final = b" \t"

# 8.3.1. The values as RFC 9110 and RFC 3986 have them.
# Narrower: a path is visible ASCII, as in HTTP/1.1. An authority without userinfo.
_is_method: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_is_scheme: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+\-.]*").fullmatch
_is_path: Final = re.compile(rb"/[\x21-\x7e]*|\*").fullmatch
_is_authority: Final = re.compile(rb"[\x21-\x3f\x41-\x7e]+").fullmatch
_is_status: Final = re.compile(rb"[1-9][0-9][0-9]").fullmatch

_MAX_LENGTH_DIGITS: Final = 18  # of a content-length, as in HTTP/1.1
_MOST_NAMES: Final = 1024  # that are remembered
_LONGEST_NAME: Final = 64


@final
class FieldJudge(Judge):
    """For the fields of requests, or of responses."""

    __slots__ = ("_is_request", "_kinds", "_known", "_pseudo")

    def __init__(self, kinds: FieldKinds, is_request: bool) -> None:
        self._kinds = kinds
        self._is_request = is_request
        self._pseudo = _OF_REQUESTS if is_request else _OF_RESPONSES
        self._known: dict[bytes, int] = dict(self._pseudo)

    def kind_of(self, name: bytes, value: bytes) -> int:
        """A kind of `semantics.fields` or of this module; BAD if the field makes its message malformed."""
        kind = self._known.get(name, -1)
        if kind < 0:
            kind = self._classify(name)
        # `isalnum` is the quick answer for most ids and words.
        if not value.isalnum() and value and (value.translate(None, _TEXT) or value.strip(_BLANKS) != value):
            return BAD
        if kind >= METHOD:
            return kind if _is_well_formed(kind, value) else BAD
        if kind == CONTENT_LENGTH and not (value.isdigit() and len(value) <= _MAX_LENGTH_DIGITS):
            return BAD
        if kind == TE and value.lower() != b"trailers":
            return BAD
        return kind

    def _classify(self, name: bytes) -> int:
        """The kind of a name that is not known yet."""
        if _is_name(name) is None or name in _CONNECTION_SPECIFIC_NAMES:
            kind = BAD
        else:
            kind = self._kinds.kind_of(name)
            if kind in _CONNECTION_SPECIFIC or (kind == TE and not self._is_request):
                kind = BAD
        if len(name) <= _LONGEST_NAME:
            if len(self._known) >= _MOST_NAMES:
                self._known = dict(self._pseudo)
            self._known[name] = kind
        return kind


def _is_well_formed(kind: int, value: bytes) -> bool:
    """Whether a pseudo-field has a value that it can have."""
    if kind == PATH:
        return _is_path(value) is not None
    if kind == METHOD:
        return _is_method(value) is not None
    if kind == AUTHORITY:
        return _is_authority(value) is not None
    if kind == SCHEME:
        return _is_scheme(value) is not None
    if kind == STATUS:
        return _is_status(value) is not None
    return _is_method(value) is not None  # :protocol, a token
