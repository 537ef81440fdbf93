"""Baggage: W3C `baggage` and Jaeger's `uberctx-*`, each into the other.

    baggage-string = list-member 0*179( OWS "," OWS list-member )         ; W3C Baggage §3.3.1
    list-member    = key OWS "=" OWS value *( OWS ";" OWS property )
    property       = key [ OWS "=" OWS value ]
    key            = token                                                ; RFC 9110 §5.6.2
    value          = *baggage-octet                                       ; percent-encoded; "+" is a plus
    baggage-octet  = %x21 / %x23-2B / %x2D-3A / %x3C-5B / %x5D-7E         ; not CTL, SP, DQUOTE, "," ";" "\"

    uberctx-{key}: {value}           ; Jaeger, "Propagation format": one header per member, the value URL-encoded
    jaeger-baggage: k1=v1, k2=v2     ; the same for people with curl, nothing encoded; never written

A member is kept as W3C writes it: value, percent-encoding and properties are one opaque text.
So properties cross to Jaeger and back, and nothing is decoded and encoded again.
From W3C to W3C a member passes unchanged, duplicate keys included (the last one counts, as in OpenTelemetry).
A member that crosses from one kind to the other changes only where the two read it differently:

- Jaeger's clients for Go and Java read "+" as a blank and never write a plus as "+".
  So it is %20 on the way in, and %2B on the way out.
- "%" outside an escape becomes %25. OpenTelemetry for JavaScript drops such a member, Jaeger's for Java fails.
- Into W3C, anything but a baggage-octet is percent-encoded; ";" too, unless only properties follow it.

Departures: a W3C value may hold any characters but control characters and ",".
Many senders encode nothing, and a translator should not drop what both ends understand.
Bytes that are not ASCII are encoded.
Header names have no case, so a key from Jaeger comes back in lower case, unless `baggage` has the same key beside it.
A malformed member is dropped alone.

A server that takes the request as it came also takes it with the baggage that we write. See `write` for the limits.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple
from urllib.parse import quote, unquote

from .context import Fields, Headers, Malformed

BaggageMode = Literal["translate", "pass", "drop"]
"""What a translator does with baggage: translate it into the kind of the written formats, pass it, or drop it."""

BAGGAGE = "baggage"
JAEGER_BAGGAGE = "jaeger-baggage"
UBERCTX = "uberctx-"

MAX_BYTES: Final = 8192  # W3C Baggage §3.3.2
MAX_MEMBERS: Final = 180  # level 1 of the same
MAX_READ: Final = 512  # members of one kind that are read; no reader uses more
MAX_UBERCTX: Final = 64  # W3C Baggage §3.3.2: how many members everyone passes on
_MAX_PROPERTIES: Final = 64  # properties of one member from Jaeger; more than that are not properties
MAX_LINE: Final = 8000  # bytes of one field; gunicorn and aiohttp take 8190

# What servers accept by default: gunicorn 100 fields, Node 16 KiB.
SERVER_FIELDS: Final = 100
SERVER_BYTES: Final = 16 * 1024
# The same, less what may still be added on the way: Host, Via, Forwarded fields, framing.
REQUEST_FIELDS: Final = SERVER_FIELDS - 8
REQUEST_BYTES: Final = SERVER_BYTES - 512

_FIELD_OVERHEAD = len(": \r\n")
_BAGGAGE_OVERHEAD = len(BAGGAGE) + _FIELD_OVERHEAD
_UBERCTX_OVERHEAD = len(UBERCTX) + _FIELD_OVERHEAD

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_match_member = re.compile(rf"({_TOKEN})[ \t]*=[ \t]*([^\x00-\x08\x0a-\x1f\x7f,]*)").fullmatch
_find_members = re.compile(r"[^, \t][^,]*").finditer  # the text between commas, from its first visible character
_match_token = re.compile(_TOKEN).fullmatch
_find_control = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]").search
_stray_percent = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PLAIN_VALUE = r"[!#$&'()*+\-./0-9:<=>?@A-Z\[\]^_`a-z{|}~]*"
PLAIN_BAGGAGE = rf"{_TOKEN}={_PLAIN_VALUE}(?:,{_TOKEN}={_PLAIN_VALUE}){{0,63}}"
"""A whole header without white space, percent-encoding or properties, far from any limit: needs no decoding."""


class _Encoded(dict[int, str]):
    """For `str.translate`: characters that do not match are percent-encoded.

    Up to U+00FF a character is a byte that was decoded as latin-1.
    Above, it is a program's own text, in which a surrogate stands for a byte that was not UTF-8 (PEP 383).
    """

    def __init__(self, may_stand: str) -> None:
        stands = re.compile(may_stand).fullmatch
        super().__init__({point: chr(point) if stands(chr(point)) else f"%{point:02X}" for point in range(256)})

    def __missing__(self, point: int) -> str:
        return quote(chr(point).encode("utf-8", "surrogateescape" if 0xDC80 <= point <= 0xDCFF else "replace"))


_OCTETS = _Encoded(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]")
_ASCII = _Encoded(r"[\x00-\x7f]")


class Member(NamedTuple):
    """One member. `value` is as W3C writes it: percent-encoded, properties included."""

    key: str
    value: str


class Beside(NamedTuple):
    """What else a request holds, and how large all of it was on arrival, as far as the caller knows.

    Sizes are bytes of the target and of the fields, with their names, ": " and CRLF.
    """

    fields: int = 0
    size: int = 0
    came_fields: int = 0
    came_size: int = 0


class Baggage(NamedTuple):
    """The members, in order. Of duplicate keys the last counts; the others are kept to be passed on."""

    members: tuple[Member, ...]
    longest: int = 0  # bytes of the longest field that it came in, with its name, ": " and CRLF

    def get(self, key: str) -> str | None:
        """The decoded value of `key`, without properties."""
        return self.decoded().get(key)

    def decoded(self) -> dict[str, str]:
        """The decoded value of each key, without properties."""
        return {key: unquote(value.partition(";")[0].strip(" \t")) for key, value in self.members}

    def with_member(self, key: str, value: str) -> Baggage:
        """The same with `key` set to `value`, which is encoded here."""
        others = tuple(member for member in self.members if member.key != key)
        return Baggage((*others, Member(key, encode(value))), self.longest)


EMPTY = Baggage(())


def is_key(name: str) -> bool:
    """Whether `name` is valid as the key of a member."""
    return _match_token(name) is not None


def encode(text: str) -> str:
    """`text` as the value of a member. A plus is encoded too: OpenTelemetry for Python reads a bare one as a blank."""
    return quote(text, safe="!#$&'()*-./:<=>?@[]^_`{|}~")


def extract(fields: Fields, *, jaeger: bool, jaeger_first: bool) -> tuple[Baggage | None, Malformed | None]:
    """The baggage in `baggage`; with `jaeger`, also in `uberctx-*` and `jaeger-baggage`.

    None if there was no such header.
    If both kinds have a key, in any letter case, Jaeger's counts with `jaeger_first`, else W3C's.
    The key is spelled as in `baggage`.
    The reason says why a member was dropped, if one was.
    """
    refused: Malformed | None = None
    w3c: list[Member] = []
    sizes: list[int] = []
    if (values := fields.get(BAGGAGE)) is not None:
        refused = _read_list(values, w3c)
        sizes += [len(value) + _BAGGAGE_OVERHEAD for value in values]
    theirs: dict[str, Member] = {}
    if jaeger:
        spelled = {key.lower(): key for key, _ in w3c}
        for name, values in fields.items():
            if name.startswith(UBERCTX):
                key, value = name[len(UBERCTX) :], values[-1].strip(" \t")
                if _match_token(key) and not _find_control(value):
                    theirs[key] = Member(spelled.get(key, key), _as_w3c(value.replace("+", "%20")))
                else:
                    refused = refused or Malformed.SHAPE
                sizes += [len(name) + len(value) + _FIELD_OVERHEAD for value in values]
        if (values := fields.get(JAEGER_BAGGAGE)) is not None:
            listed: list[Member] = []
            refused = _read_list(values, listed) or refused
            named = {key.lower(): Member(spelled.get(key.lower(), key), _as_w3c(value)) for key, value in listed}
            theirs = {**theirs, **{key: member for key, member in named.items() if key not in theirs}}
            sizes += [len(JAEGER_BAGGAGE) + len(value) + _FIELD_OVERHEAD for value in values]
    if not theirs:
        members = w3c
    elif jaeger_first:
        members = [*theirs.values(), *(member for member in w3c if member.key.lower() not in theirs)]
    else:
        members = [*w3c, *(member for key, member in theirs.items() if key not in spelled)]
    return (Baggage(tuple(members), max(sizes)) if members else None), refused


def _as_w3c(value: str) -> str:
    """A value from Jaeger, its "+" already replaced, in the form of a W3C member; white space around ";"
    and "=" stays.
    """
    if len(value) > MAX_BYTES:
        return value  # never sent on, so not worth the time
    if "%" in value:
        value = _stray_percent.sub("%25", value)
    if not 0 < value.count(";") <= _MAX_PROPERTIES:
        return value.translate(_OCTETS)
    first, *properties = value.split(";")
    halves = [each.split("=", 1) for each in properties]
    if not all(_match_token(half[0].strip(" \t")) for half in halves):
        return value.translate(_OCTETS)  # not properties: ";" is a character like any other
    return ";".join("=".join(map(_encode_within, half)) for half in ([first], *halves))


def _encode_within(text: str) -> str:
    core = text.strip(" \t")
    start = text.find(core)
    return text[:start] + core.translate(_OCTETS) + text[start + len(core) :]


def _as_jaeger(value: str) -> str:
    """The value of a W3C member, in the form that Jaeger's clients read correctly."""
    if "%" in value:
        value = _stray_percent.sub("%25", value)
    return value.replace("+", "%2B")


def _read_list(values: list[str], members: list[Member]) -> Malformed | None:
    refused: Malformed | None = None
    count = 0
    for text in values:
        for raw in _find_members(text):
            count += 1
            if count > MAX_READ:
                return refused or Malformed.TOO_LONG
            if found := _match_member(raw[0].rstrip(" \t")):
                key, value = found.groups()
                members.append(Member(key, value if value.isascii() else value.translate(_ASCII)))
            else:
                refused = Malformed.SHAPE
    return refused


NOTHING_BESIDE = Beside()


def write(
    baggage: Baggage, headers: Headers, *, w3c: bool, jaeger: bool, beside: Beside = NOTHING_BESIDE
) -> tuple[bool, bool]:
    """Append `baggage`, `uberctx-*` or both.
    Returns whether members of the first kind, and of the second, had to be dropped.

    Whole members are dropped until the rest fits; where bytes are the reason, from both kinds:

    - 8192 bytes: of `baggage` alone, counted as W3C does; otherwise of all fields with their names, ": " and CRLF;
    - 180 members of `baggage`, 64 fields `uberctx-*`;
    - fields of 8000 bytes, or as long as the longest that came;
    - 92 fields and 15.5 KiB in the whole request, or as many as came, if that was more than 100 or 16 KiB;
    - without `uberctx-*`, at least as many bytes as came.

    `headers` holds the trace and the session already; `beside` is the rest of the request.
    Of keys that differ in case alone, and so would be the same `uberctx-*`, the last is written.
    """
    room = max(REQUEST_BYTES, beside.came_size if beside.came_size > SERVER_BYTES or not jaeger else 0)
    room -= beside.size + sum(len(name) + len(value) + _FIELD_OVERHEAD for name, value in headers)
    room = min(room, MAX_BYTES if jaeger else MAX_BYTES + _BAGGAGE_OVERHEAD)
    fields = beside.came_fields if beside.came_fields > SERVER_FIELDS else REQUEST_FIELDS
    fields = min(fields - beside.fields - len(headers) - w3c, MAX_UBERCTX)
    longest = max(MAX_LINE, baggage.longest)
    last = {key.lower(): place for place, (key, _) in enumerate(baggage.members)} if jaeger else {}
    cut_w3c, cut_jaeger = False, jaeger and len(last) < len({key for key, _ in baggage.members})
    lines: list[list[str]] = []
    filled = longest  # of the last line; this full, so that the first member begins a line
    uberctx: Headers = []
    for place, (key, value) in enumerate(baggage.members[:MAX_MEMBERS]):
        crosses = jaeger and last[key.lower()] == place
        if crosses and len(uberctx) >= fields:
            crosses, cut_jaeger = False, True
        text = f"{key}={value}" if w3c else ""
        joins = filled + len(text) + 1 <= longest
        line = len(text) + (1 if joins else _BAGGAGE_OVERHEAD) if w3c else 0
        crossed = _as_jaeger(value) if crosses else ""
        field = len(key) + len(crossed) + _UBERCTX_OVERHEAD if crosses else 0
        if line + field > room or line > longest or field > longest:
            cut_w3c, cut_jaeger = cut_w3c or w3c, cut_jaeger or crosses
            continue
        room -= line + field
        if crosses:
            uberctx.append((UBERCTX + key, crossed))
        if w3c and joins:
            lines[-1].append(text)
            filled += line
        elif w3c:
            lines.append([text])
            filled = line
    if len(baggage.members) > MAX_MEMBERS:
        cut_w3c, cut_jaeger = w3c, jaeger
    headers += [(BAGGAGE, ",".join(line)) for line in lines]
    headers += uberctx
    return cut_w3c, cut_jaeger
