"""For the fast path: how to read a set of headers. Decided once for each set, by the names alone. Pure.

Several formats in one request are matched at once: the first in full, the others as repetitions of its ids.
May know the registry, and the patterns that values have to match.
Must not look at a value, nor know any one format.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeVar, cast

from ..baggage import BAGGAGE, PLAIN_BAGGAGE
from ..formats import Format
from ..registry import codecs_of
from ..session import SESSION_ID
from ..tracestate import PLAIN_LIST

# str or bytes. Not typing.AnyStr: mypyc, which may compile the fast path, does not check a body once for each.
AnyStr = TypeVar("AnyStr", bound=Any)

Names = tuple[AnyStr, ...] | frozenset[AnyStr]
Match = Callable[[Any], "re.Match[Any] | None"]
Pick = Callable[[Any], Any]


class FastSettings(NamedTuple):
    """The settings of a Propagator that matter to the fast path."""

    extract: tuple[Format, ...]  # every format that is read, in order
    inject: tuple[Format, ...]
    session_inject: str
    session_extract: tuple[str, ...]  # in lower case
    lossless: bool
    writes_w3c_baggage: bool
    writes_jaeger_baggage: bool
    reads_baggage: bool


class Beside(NamedTuple):
    """What came beside the ids of one format and a session. Rare.

    `tracestate` and `baggage`: their keys among the values (a name or an index); None if there are none.
    `flags`: the groups of the match with the flags of further formats; `parents`: those with a parent's id.
    """

    tracestate: Any
    baggage: Any
    flags: tuple[int, ...]
    parents: tuple[int, ...]


SINGLE: Final = 0
IDS: Final = 1
SEVERAL: Final = 2
RAW_IDS: Final = 3
_RAW_FORM: Final = "<trace_id>\n<span_id>\n<sampled>"

Shape = tuple[Format, Match, Pick, int, Any, Beside | None]
"""How to read headers that have certain names, in this order:

1. the format that is believed;
2. the pattern of the values, joined; its groups are the trace id, the span id, the flags, and perhaps the parent id;
3. what picks these values out of all of them: gives one value, or a tuple of several;
4. what it gives: SINGLE, one value; IDS, one value for each part of the form; SEVERAL, which the match takes apart;
   or RAW_IDS, three bytes: trace id, span id, and whether it is sampled;
5. the session's key among the values (a name or an index); None without a session;
6. what else there is; None for nothing.

A plain tuple, not a NamedTuple, for speed: every request unpacks it.
"""

# Patterns for the parts of a plain form: in the first format, and in a format that repeats the ids.
_FIRST = {
    "<trace_id>": "(?P<trace_id>(?!0+(?![0-9a-f]))[0-9a-f]{16}(?:[0-9a-f]{16})?)",
    "<trace_id_128>": "(?P<trace_id>(?!0{32})[0-9a-f]{32})",
    "<span_id>": "(?P<span_id>(?!0{16})[0-9a-f]{16})",
    "<parent_id>": "(?P<parent_id>(?!0{16})[0-9a-f]{16})",
    "<sampled>": "(?P<flags>[01])",
    "<flags>": "(?P<flags>[0-3])",
}
_AGAIN = {
    "<trace_id>": "(?P=trace_id)",
    "<trace_id_128>": "(?=[0-9a-f]{32}(?![0-9a-f]))(?P=trace_id)",
    "<span_id>": "(?P=span_id)",
    "<parent_id>": "(?P<parent_id_N>(?!0{16})[0-9a-f]{16})",
    "<sampled>": "(?P<flags_N>[01])",
    "<flags>": "(?P<flags_N>[0-3])",
}
_split_parts = re.compile(f"({'|'.join(_FIRST)})").split


def pattern_of(forms: Iterable[str]) -> str:
    """One pattern for the values of several plain forms, joined by line feeds."""
    whole = []
    for number, form in enumerate(forms):
        parts = _AGAIN if number else _FIRST
        pattern = "".join(parts.get(part, part) for part in _split_parts(form))
        whole.append(f"(?:{pattern.replace('_N>', f'_{number}>')})")
    return "\n".join(whole)


def of_kind(kind: type[AnyStr], text: str) -> AnyStr:
    """`text` as text or as bytes."""
    made: Any = text if kind is str else text.encode("latin-1")
    return cast("AnyStr", made)


# Limits of the memory, so that senders cannot make it grow: it is emptied when full, and long sets stay out.
MAX_SHAPES: Final = 256
_MAX_NAMES: Final = 16  # in one set
_MAX_LENGTH: Final = 256  # characters of all its names


class Shapes:
    """Makes the shapes for one set of settings, for text or for bytes. `known` remembers them by the names."""

    def __init__(self, kind: type[AnyStr], settings: FastSettings) -> None:
        self._kind = kind
        plain = [(codec.format, codec.plain) for codec in codecs_of(settings.extract) if codec.plain is not None]
        self._reads = [(format, *read) for format, form in plain for read in form.reads]  # in the order of belief
        self._state_of = {form.state: format for format, form in plain if form.state}
        self._sessions = frozenset(settings.session_extract)
        self._reads_baggage = settings.reads_baggage
        self.known: dict[object, Shape | None] = {}
        # For speed of import, each is compiled when the first shape needs it.
        self._compiled: dict[str, re.Pattern[Any]] = {}
        self.is_session: Callable[[Any], object] = self._unset
        self.is_tracestate: Callable[[Any], object] = self._unset
        self.is_baggage: Callable[[Any], object] = self._unset

    def _unset(self, value: object) -> None:
        raise AssertionError("no shape has needed this pattern yet")

    def _compile(self, pattern: str) -> re.Pattern[Any]:
        """As many as there are sets of formats, whatever names come."""
        if pattern not in self._compiled:
            self._compiled[pattern] = re.compile(of_kind(self._kind, pattern))
        return self._compiled[pattern]

    def learn(self, names: Names[AnyStr]) -> Shape | None:
        """The shape of headers named `names`, also remembered in `known`; None if the fast path cannot read them."""
        shape = self._shape(names) if all(type(name) is self._kind for name in names) else None
        if len(names) <= _MAX_NAMES and sum(map(len, names)) <= _MAX_LENGTH:
            if len(self.known) >= MAX_SHAPES:
                self.known.clear()
            self.known[names] = shape
        return shape

    def _shape(self, names: Names[AnyStr]) -> Shape | None:
        places: Iterable[Any] = names if isinstance(names, frozenset) else range(len(names))
        where = {
            (name if isinstance(name, str) else name.decode("latin-1")).lower(): place
            for name, place in zip(names, places, strict=True)
        }
        if len(where) != len(names):
            return None  # a duplicate header
        sessions = [where.pop(name) for name in self._sessions.intersection(where)]
        states = [(format, where.pop(name)) for name, format in self._state_of.items() if name in where]
        baggage = where.pop(BAGGAGE, None) if self._reads_baggage else None
        told: dict[Format, tuple[tuple[str, ...], str]] = {}
        for format, needed, form in self._reads:
            if format not in told and where.keys() >= set(needed):
                told[format] = needed, form
        used = [name for needed, _ in told.values() for name in needed]
        if not told or set(used) != where.keys() or len(sessions) > 1:
            return None
        if len(states) > 1 or any(format not in told for format, _ in states):
            return None
        tracestate = states[0][1] if states else None
        if sessions:
            self.is_session = self._compile(SESSION_ID).fullmatch
        if tracestate is not None:
            self.is_tracestate = self._compile(PLAIN_LIST).fullmatch
        if baggage is not None:
            self.is_baggage = self._compile(PLAIN_BAGGAGE).fullmatch
        pattern = self._compile(pattern_of(form for _, form in told.values()))
        beside = None
        if tracestate is not None or baggage is not None or len(told) > 1:
            groups = [(name, index - 1) for name, index in pattern.groupindex.items()]
            flags = tuple(at for name, at in groups if name.startswith("flags_"))
            beside = Beside(
                tracestate, baggage, flags, tuple(at for name, at in groups if name.startswith("parent_id"))
            )
        pick = itemgetter(*(where[name] for name in used))
        session = sessions[0] if sessions else None
        (winner, (_, form)), *others = told.items()
        kind = SINGLE if len(used) == 1 else SEVERAL if others or not _FIRST.keys() >= set(form.split("\n")) else IDS
        if kind == IDS and form == _RAW_FORM and self._kind is bytes:
            kind = RAW_IDS
        return winner, pattern.fullmatch, pick, kind, session, beside
