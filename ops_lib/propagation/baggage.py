"""Baggage: W3C `baggage` and Jaeger's `uberctx-*`, each into the other.

    baggage-string = list-member 0*179( OWS "," OWS list-member )         ; W3C Baggage §3.3.1
    list-member    = key OWS "=" OWS value *( OWS ";" OWS property )
    key            = token                                                ; RFC 9110 §5.6.2
    value          = *baggage-octet                                       ; percent-encoded

    uberctx-{key}: {value}           ; Jaeger, "Propagation format": one header per member, the value URL-encoded
    jaeger-baggage: k1=v1, k2=v2     ; the same, for people with curl; never written

A member is carried as it was written: value, percent-encoding and properties are one opaque text. So properties cross
to Jaeger and back, and nothing is decoded and encoded again. Only what may not stand in the other grammar is encoded,
and non-ASCII bytes, which may stand nowhere.

Departures: a value may hold any characters but control characters and "," (many senders encode nothing; it is not a
translator's business to drop what both ends understand). A header name has no case, so a key that has been Jaeger's
comes back in lower case, unless the same key stands in `baggage` beside it. A malformed member is dropped alone.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, unquote

from .context import Fields, Malformed

BAGGAGE = "baggage"
JAEGER_BAGGAGE = "jaeger-baggage"
UBERCTX = "uberctx-"

MAX_BYTES = 8192  # W3C Baggage §3.3.2
MAX_MEMBERS = 180  # level 1 of the same

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_match_member = re.compile(rf"({_TOKEN})[ \t]*=[ \t]*([^\x00-\x08\x0a-\x1f\x7f,]*)").fullmatch
_match_token = re.compile(_TOKEN).fullmatch
_PLAIN_VALUE = r"[!#$&'()*+\-./0-9:<=>?@A-Z\[\]^_`a-z{|}~]*"
PLAIN_BAGGAGE = rf"{_TOKEN}={_PLAIN_VALUE}(?:,{_TOKEN}={_PLAIN_VALUE}){{0,63}}"
"""A whole header without white space, percent-encoding or properties, far from any limit: it means what it says."""


class _Encoded(dict[int, str]):
    """For `str.translate`: characters that do not match are percent-encoded.

    Up to U+00FF one is a byte that was decoded as latin-1; above, it is a program's own text, in which a surrogate may
    stand for a byte that was no UTF-8 (PEP 383).
    """

    def __init__(self, may_stand: str) -> None:
        stands = re.compile(may_stand).fullmatch
        super().__init__({point: chr(point) if stands(chr(point)) else f"%{point:02X}" for point in range(256)})

    def __missing__(self, point: int) -> str:
        return quote(chr(point).encode("utf-8", "surrogateescape" if 0xDC80 <= point <= 0xDCFF else "replace"))


# What an uberctx value may hold as it is to stand in a W3C member: baggage-octet, and ";" "=" for properties.
_IN_MEMBER = _Encoded(r"[\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]")
_ASCII = _Encoded(r"[\x00-\x7f]")


class Member(NamedTuple):
    """One entry. `value` is as written on the wire: percent-encoded, properties included."""

    key: str
    value: str


class Baggage(NamedTuple):
    """The members, in order, no key twice."""

    members: tuple[Member, ...]

    def get(self, key: str) -> str | None:
        """The decoded value of `key`, properties left out."""
        for member in self.members:
            if member.key == key:
                return unquote(member.value.partition(";")[0].strip(" \t"))
        return None

    def with_member(self, key: str, value: str) -> Baggage:
        """The same with `key` set to `value`, which is encoded here."""
        others = tuple(member for member in self.members if member.key != key)
        return Baggage((*others, Member(key, quote(value, safe="!#$&'()*+-./:<=>?@[]^_`{|}~"))))


EMPTY = Baggage(())


def extract(fields: Fields, *, jaeger: bool, jaeger_first: bool) -> tuple[Baggage | None, Malformed | None]:
    """The baggage in `baggage`, and where `jaeger` is set also in `uberctx-*` and `jaeger-baggage`.

    None where there was no such header. Of equal keys the first counts; Jaeger's come first where `jaeger_first`. The
    key of an `uberctx-*` equals one in `baggage` in any case, and is spelled like it. The reason tells why a member was
    dropped, if one was.
    """
    refused: Malformed | None = None
    w3c: list[Member] = []
    if (values := fields.get(BAGGAGE)) is not None:
        refused = _read_list(values, w3c)
    theirs: list[Member] = []
    if jaeger:
        spelled = {key.lower(): key for key, _ in reversed(w3c)}
        for name, values in fields.items():
            if name.startswith(UBERCTX):
                key, value = name[len(UBERCTX) :], values[0].strip(" \t")
                if _match_token(key) and _match_member(f"k={value.replace(',', '')}"):
                    theirs.append(Member(spelled.get(key, key), _as_w3c(value)))
                else:
                    refused = refused or Malformed.SHAPE
        if (values := fields.get(JAEGER_BAGGAGE)) is not None:
            refused = _read_list(values, theirs) or refused
    members = theirs + w3c if jaeger_first else w3c + theirs
    if not members:
        return None, refused
    unique: dict[str, Member] = {}
    for member in members:
        unique.setdefault(member.key, member)
    return Baggage(tuple(unique.values())), refused


def _as_w3c(value: str) -> str:
    """An `uberctx-*` value that may stand in a W3C member; white space around ";" and a property's "=" stays OWS."""
    if len(value) > MAX_BYTES:
        return value  # never goes out, and is not worth the time
    value, *properties = value.split(";")
    halves = [[value], *(each.split("=", 1) for each in properties)]
    return ";".join("=".join(map(_encode_within, each)) for each in halves)


def _encode_within(text: str) -> str:
    core = text.strip(" \t")
    start = text.find(core)
    return text[:start] + core.translate(_IN_MEMBER) + text[start + len(core) :]


def _read_list(values: list[str], members: list[Member]) -> Malformed | None:
    refused: Malformed | None = None
    for text in values:
        for raw in text.split(","):
            member = raw.strip(" \t")
            if not member:
                continue
            if found := _match_member(member):
                key, value = found.groups()
                members.append(Member(key, value if value.isascii() else value.translate(_ASCII)))
            else:
                refused = Malformed.SHAPE
    return refused


def write_w3c(baggage: Baggage, headers: list[tuple[str, str]]) -> bool:
    """Append one `baggage` header, at most 8192 bytes and 180 members. Returns whether members had to go."""
    kept: list[str] = []
    room = MAX_BYTES + 1
    for key, value in baggage.members:
        text = f"{key}={value}"
        if len(text) < room and len(kept) < MAX_MEMBERS:
            kept.append(text)
            room -= len(text) + 1
    if kept:
        headers.append((BAGGAGE, ",".join(kept)))
    return len(kept) < len(baggage.members)


def write_jaeger(baggage: Baggage, headers: list[tuple[str, str]]) -> bool:
    """Append one `uberctx-*` header for each member, to the same limits. Returns whether members had to go.

    Of keys that differ in case only the first is written: it would be the same header.
    """
    kept: set[str] = set()
    room = MAX_BYTES
    for key, value in baggage.members:
        size = len(key) + len(value) + 1
        if size <= room and len(kept) < MAX_MEMBERS and key.lower() not in kept:
            headers.append((UBERCTX + key, value))
            room -= size
            kept.add(key.lower())
    return len(kept) < len(baggage.members)
