"""For the fast path: how to read a set of headers, decided by their names alone, once for each set. Pure.

May know the header names of the formats, and the patterns that values have to match. Never looks at a value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeVar, cast

from .baggage import BAGGAGE, PLAIN_BAGGAGE
from .codec import SPAN_ID
from .formats import Format
from .registry import codecs_of
from .session import SESSION_ID
from .tracestate import PLAIN_LIST

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
    """What came besides one format and a session, which is seldom.

    `tracestate` and `baggage`: their keys among the values (a name or an index); None where there are none.
    """

    tracestate: Any
    baggage: Any
    others: tuple[tuple[Format, Pick], ...]  # further formats, which have to tell the same story


Shape = tuple[Format, Match, Pick, bool, Any, Beside | None]
"""How to read headers that have certain names, in this order:

1. the format that is believed;
2. the pattern of its values, joined;
3. what picks these values out of all of them: gives one value, or a tuple of several;
4. whether it gives one;
5. the session's key among the values (a name or an index); None where there is no session;
6. what else there is; None for nothing.

A plain tuple, because it is unpacked for every request: a NamedTuple would cost more."""


def of_kind(kind: type[AnyStr], text: str) -> AnyStr:
    """`text` as text or as bytes."""
    made: Any = text if kind is str else text.encode("latin-1")
    return cast("AnyStr", made)


# Limits of what is remembered, so that no sender can make it grow: it is emptied when full, and long sets stay out.
MAX_SHAPES: Final = 512
_MAX_LENGTH: Final = 256  # characters of all its names


class Shapes:
    """Makes the shapes for one set of settings, for text or for bytes, and remembers them by the names (`known`)."""

    def __init__(self, kind: type[AnyStr], settings: FastSettings) -> None:
        self._kind = kind
        plain = [codec for codec in codecs_of(settings.extract) if codec.plain is not None]
        self._formats = [  # in the order in which they are believed
            (codec.format, needed, pattern)
            for codec in plain
            if codec.plain is not None
            for needed, pattern in codec.plain.reads
        ]
        self._state_of = {codec.plain.state: codec.format for codec in plain if codec.plain and codec.plain.state}
        self._sessions = frozenset(settings.session_extract)
        self._reads_baggage = settings.reads_baggage
        self.known: dict[object, Shape | None] = {}
        # Each is compiled when the first shape needs it: compiling all would add 3 ms to every import.
        self.is_session: Callable[[Any], object] = self._unset
        self.is_tracestate: Callable[[Any], object] = self._unset
        self.is_baggage: Callable[[Any], object] = self._unset
        self.is_span_id: Callable[[Any], object] = self._unset

    def _unset(self, value: object) -> None:
        raise AssertionError("no shape has needed this pattern yet")

    def _compile(self, pattern: str) -> Match:
        return re.compile(of_kind(self._kind, pattern)).fullmatch

    def learn(self, names: Names[AnyStr]) -> Shape | None:
        """The shape of headers named `names`, from now on in `known`; None where the fast path cannot read them."""
        shape = self._shape(names) if all(type(name) is self._kind for name in names) else None
        if sum(map(len, names)) <= _MAX_LENGTH:
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
            return None  # one name twice
        sessions = [where.pop(name) for name in self._sessions.intersection(where)]
        states = [(format, where.pop(name)) for name, format in self._state_of.items() if name in where]
        baggage = where.pop(BAGGAGE, None) if self._reads_baggage else None
        told: dict[Format, tuple[tuple[str, ...], str]] = {}
        for format, needed, pattern in self._formats:
            if format not in told and where.keys() >= set(needed):
                told[format] = needed, pattern
        used = {name for needed, _ in told.values() for name in needed}
        if not told or used != where.keys() or len(sessions) > 1:
            return None
        if len(states) > 1 or any(format not in told for format, _ in states):
            return None
        tracestate = states[0][1] if states else None
        picks = {format: itemgetter(*(where[name] for name in needed)) for format, (needed, _) in told.items()}
        (winner, (needed, pattern)), *_ = told.items()
        others = tuple((format, pick) for format, pick in picks.items() if format is not winner)
        if sessions:
            self.is_session = self._compile(SESSION_ID)
        if tracestate is not None:
            self.is_tracestate = self._compile(PLAIN_LIST)
        if baggage is not None:
            self.is_baggage = self._compile(PLAIN_BAGGAGE)
        if others:
            self.is_span_id = self._compile(SPAN_ID)
        is_alone = tracestate is None and baggage is None and not others
        beside = None if is_alone else Beside(tracestate, baggage, others)
        session = sessions[0] if sessions else None
        return winner, self._compile(pattern), picks[winner], len(needed) == 1, session, beside
