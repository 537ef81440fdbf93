"""The value of a header in parts, each with the field of a context that it says. PURE.

The parts put together are the value again, whatever it holds. A value that has not its format's shape is one part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Final, NamedTuple, TypedDict

from ops_lib.propagation import SESSION_EXTRACT_NAMES

TRACE: Final = "trace"
SPAN: Final = "span"
DECISION: Final = "decision"
STATE: Final = "state"
SESSION: Final = "session"
BAGGAGE: Final = "baggage"

_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?\Z")
_B3: Final = re.compile(r"([0-9a-fA-F]{16,32})-([0-9a-fA-F]{16})(?:-([01d]))?(?:-([0-9a-fA-F]{16}))?\Z")
_JAEGER: Final = re.compile(
    r"([0-9a-fA-F]{1,32})(:|%3[aA])([0-9a-fA-F]{1,16})(:|%3[aA])([0-9a-fA-F]*)(:|%3[aA])([0-9a-fA-F]{1,2})\Z"
)
_ALONE: Final = {
    "x-b3-traceid": TRACE,
    "x-b3-spanid": SPAN,
    "x-b3-parentspanid": SPAN,
    "x-b3-sampled": DECISION,
    "x-b3-flags": DECISION,
    "jaeger-debug-id": DECISION,
}
_SESSIONS: Final = frozenset(name.lower() for name in SESSION_EXTRACT_NAMES)


class Part(TypedDict, total=False):
    """A piece of a value."""

    text: str
    field: str


class Parts(TypedDict):
    """A header."""

    name: str
    parts: list[Part]


class _Piece(NamedTuple):
    text: str
    field: str = ""


def parts(name: str, value: str, session_names: Collection[str] = ()) -> Parts:
    """`session_names`: headers, in lower case, that hold a session beside the usual ones."""
    lowered = name.lower().replace("_", "-")
    pieces = _pieces(lowered, value, lowered in session_names)
    return {"name": name, "parts": [_part(piece) for piece in pieces if piece.text] or [{"text": ""}]}


def _part(piece: _Piece) -> Part:
    return {"text": piece.text, "field": piece.field} if piece.field else {"text": piece.text}


def _pieces(name: str, value: str, is_session: bool) -> list[_Piece]:
    if name in _ALONE:
        return [_Piece(value, _ALONE[name])]
    if name in _SESSIONS or is_session:
        return [_Piece(value, SESSION)]
    if name.startswith("uberctx-"):
        return [_Piece(value, BAGGAGE)]
    split = _SPLIT.get(name)
    return split(value) if split is not None else [_Piece(value)]


def _traceparent(value: str) -> list[_Piece]:
    found = _TRACEPARENT.match(value)
    if found is None:
        return [_Piece(value)]
    version, trace, span, flags, rest = found.groups("")
    return [
        _Piece(version + "-"),
        _Piece(trace, TRACE),
        _Piece("-"),
        _Piece(span, SPAN),
        _Piece("-"),
        _Piece(flags, DECISION),
        _Piece(rest),
    ]


def _b3(value: str) -> list[_Piece]:
    if value in ("0", "1", "d"):
        return [_Piece(value, DECISION)]
    found = _B3.match(value)
    if found is None:
        return [_Piece(value)]
    trace, span, decision, parent = found.groups("")
    pieces = [_Piece(trace, TRACE), _Piece("-"), _Piece(span, SPAN)]
    pieces += [_Piece("-"), _Piece(decision, DECISION)] if decision else []
    return pieces + ([_Piece("-"), _Piece(parent, SPAN)] if parent else [])


def _jaeger(value: str) -> list[_Piece]:
    found = _JAEGER.match(value)
    if found is None:
        return [_Piece(value)]
    trace, first, span, second, parent, third, flags = found.groups()
    return [
        _Piece(trace, TRACE),
        _Piece(first),
        _Piece(span, SPAN),
        _Piece(second),
        _Piece(parent, SPAN),
        _Piece(third),
        _Piece(flags, DECISION),
    ]


def _listed(field: str) -> Callable[[str], list[_Piece]]:
    """Members that a comma parts."""

    def split(value: str) -> list[_Piece]:
        pieces: list[_Piece] = []
        for number, member in enumerate(value.split(",")):
            pieces += [_Piece(",")] if number else []
            pieces.append(_Piece(member, field))
        return pieces

    return split


_SPLIT: Final[dict[str, Callable[[str], list[_Piece]]]] = {
    "traceparent": _traceparent,
    "tracestate": _listed(STATE),
    "b3": _b3,
    "uber-trace-id": _jaeger,
    "baggage": _listed(BAGGAGE),
    "jaeger-baggage": _listed(BAGGAGE),
}
