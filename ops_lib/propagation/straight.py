"""The straight way: one format, complete and plain, so that nothing has to be weighed. Pure.

Many requests are like that: ids of full width, a decision of yes or no, and at most a session beside them, and a
short plain tracestate. Such fields are read by one pattern over all of them and written by one template each, as text
for the library and as bytes for the sidecar. Whatever is not like that (another format too, a duplicate, upper-case
digits, debug, a parent id, the random flag, the stash, baggage, anything malformed) is not for this module, which then
says None; what it does say is, by test, what the propagator says. May know the names of the formats and the pattern of
tracestate. docs/decisions/005-library-spans.md and 006-cost-per-request.md have what this saves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any, Generic, TypeVar, cast

from .context import ACCEPT, DENY, TraceContext, new
from .formats import Format
from .session import SESSION_ID
from .stash import PREFIX
from .tracestate import MAX_LENGTH, PLAIN_LIST

_TRACE = "((?!0{32})[0-9a-f]{32})"
_SPAN = "((?!0{16})[0-9a-f]{16})"

# Of each format: the headers it needs, and the pattern of their values, joined by a line feed, which no value can hold.
_READ: dict[Format, tuple[tuple[str, ...], str]] = {
    Format.TRACECONTEXT: (("traceparent",), f"00-{_TRACE}-{_SPAN}-0([01])"),
    Format.B3: (("b3",), f"{_TRACE}-{_SPAN}-([01])"),
    Format.B3MULTI: (("x-b3-traceid", "x-b3-spanid", "x-b3-sampled"), f"{_TRACE}\n{_SPAN}\n([01])"),
    Format.JAEGER: (("uber-trace-id",), f"{_TRACE}:{_SPAN}:[0-9a-f]{{1,16}}:0?([01])"),
}
_WRITE: dict[Format, tuple[str, str]] = {
    Format.TRACECONTEXT: ("traceparent", "00-%s-%s-0%s"),
    Format.B3: ("b3", "%s-%s-%s"),
    Format.B3MULTI: ("", ""),  # its values are the ids as they are
    Format.JAEGER: ("uber-trace-id", "%s:%s:0:%s"),
}
_TRACESTATE = "tracestate"

# str or bytes. Not typing.AnyStr: mypyc, which may compile this module, does not check a body once for each.
AnyStr = TypeVar("AnyStr", bound=Any)

Names = tuple[AnyStr, ...] | frozenset[AnyStr]
Straight = tuple[tuple[AnyStr, AnyStr, AnyStr], AnyStr, AnyStr | None, Format]
"""What such headers say: (trace id, span id, "0" or "1"); the tracestate or ""; the session id; the format it is from.
(A NamedTuple would cost 0.3 µs.)"""


_Shape = tuple[Format, Callable[[Any], "re.Match[Any] | None"], Callable[[Any], Any], bool, Any, Any]
"""What is known of headers by their names alone: the format; the pattern of its values, joined; what picks these out of
all values: one, or a tuple of three; whether it is one; where the session stands (a name, or a place in the list; None:
nowhere); where the tracestate. (Unpacked for each request: a NamedTuple would cost more.)"""


# What is remembered of names stays small whoever sends them. It is forgotten when full, so that nobody can fill it up.
_MAX_SHAPES = 512
_MAX_SHAPE_LENGTH = 256  # characters of all its names


def _of(kind: type[AnyStr], text: str) -> AnyStr:
    """`text` as text or as bytes."""
    made: Any = text if kind is str else text.encode("latin-1")
    return cast("AnyStr", made)


class StraightWay(Generic[AnyStr]):
    """One per propagator, for text or for bytes (latin-1). Immutable but for what it remembers of header names."""

    __slots__ = (
        "_formats",
        "_is_session",
        "_is_tracestate",
        "_kind",
        "_line_feed",
        "_multi_names",
        "_nothing",
        "_session_name",
        "_session_names",
        "_shapes",
        "_single",
        "_stash",
        "_tracestate",
        "_writes",
    )

    def __init__(
        self,
        kind: type[AnyStr],
        extract: Iterable[Format],
        inject: Iterable[Format],
        session_inject: str,
        session_extract: Iterable[str],
    ) -> None:
        """`extract`: every format that is read, in any order; the rest as in Propagator."""
        extract, inject = frozenset(extract), tuple(inject)
        self._kind: type[AnyStr] = kind
        self._formats = {frozenset(_READ[format][0]): format for format in extract}
        self._shapes: dict[object, _Shape | None] = {}
        self._session_names = frozenset(name.lower() for name in session_extract)
        self._session_name: AnyStr = _of(kind, session_inject)
        self._writes: tuple[tuple[Format, AnyStr, AnyStr], ...] = tuple(
            (format, _of(kind, _WRITE[format][0]), _of(kind, _WRITE[format][1])) for format in inject
        )
        self._single: tuple[AnyStr, AnyStr] | None = (
            self._writes[0][1:] if len(inject) == 1 and self._writes[0][2] else None
        )
        self._multi_names: tuple[AnyStr, AnyStr, AnyStr] = (
            _of(kind, "X-B3-TraceId"),
            _of(kind, "X-B3-SpanId"),
            _of(kind, "X-B3-Sampled"),
        )
        self._tracestate: AnyStr = _of(kind, _TRACESTATE)
        self._nothing: AnyStr = _of(kind, "")
        self._line_feed: AnyStr = _of(kind, "\n")
        self._stash: AnyStr = _of(kind, PREFIX)
        # Compiled with the first shape that needs them: 3 ms that an import shall not pay for.
        self._is_tracestate: Callable[[Any], object]
        self._is_session: Callable[[Any], object]

    def read(self, names: Names[AnyStr], values: Any) -> Straight[AnyStr] | None:
        """What the headers say; None where this is not the way. Raises TypeError where a value is not of the kind.

        `names`, as they are spelt, are all that have to be read: a tuple, with `values` a tuple in the same order; or a
        frozenset, with `values` a mapping that has them among others.
        """
        try:
            shape = self._shapes[names]
        except KeyError:
            shape = self._learn(names)
        if shape is None:
            return None
        format, match, pick, is_single, session, tracestate = shape
        ids = pick(values)
        if is_single:
            found = match(ids)
            if found is None:
                return None
            ids = found.groups()
        elif match(self._line_feed.join(ids)) is None:
            return None
        state = self._nothing
        if tracestate is not None:
            # As it came: all plain, none of it ours, nothing to be cut.
            state = values[tracestate]
            if len(state) > MAX_LENGTH or self._stash in state or self._is_tracestate(state) is None:
                return None
        if session is None:
            return ids, state, None, format
        session_id = values[session]
        return (ids, state, session_id, format) if self._is_session(session_id) is not None else None

    def write(self, straight: Straight[AnyStr]) -> list[tuple[AnyStr, AnyStr]]:
        """The headers that say `straight`, in the order of the formats."""
        ids, state, session, _ = straight
        if self._single is not None and not state:
            name, form = self._single
            headers = [(name, form % ids)]
        else:
            headers = []
            for format, name, form in self._writes:
                if not form:
                    headers += zip(self._multi_names, ids, strict=True)
                    continue
                headers.append((name, form % ids))
                if state and format is Format.TRACECONTEXT:
                    headers.append((self._tracestate, state))
        if session is not None and self._session_name:
            headers.append((self._session_name, session))
        return headers

    def _learn(self, names: Names[AnyStr]) -> _Shape | None:
        """The shape of `names`, remembered; None where they are not straight."""
        shape = self._shape(names) if all(type(name) is self._kind for name in names) else None
        if sum(map(len, names)) <= _MAX_SHAPE_LENGTH:
            if len(self._shapes) >= _MAX_SHAPES:
                self._shapes.clear()
            self._shapes[names] = shape
        return shape

    def _shape(self, names: Names[AnyStr]) -> _Shape | None:
        places: Iterable[Any] = names if isinstance(names, frozenset) else range(len(names))
        where = {
            (name if isinstance(name, str) else name.decode("latin-1")).lower(): place
            for name, place in zip(names, places, strict=True)
        }
        if len(where) != len(names):
            return None  # one name twice
        sessions = [where.pop(name) for name in self._session_names.intersection(where)]
        tracestate = where.pop(_TRACESTATE, None)
        format = self._formats.get(frozenset(where))
        if format is None or len(sessions) > 1 or (tracestate is not None and format is not Format.TRACECONTEXT):
            return None
        if sessions:
            self._is_session = re.compile(_of(self._kind, SESSION_ID)).fullmatch
        if tracestate is not None:
            self._is_tracestate = re.compile(_of(self._kind, PLAIN_LIST)).fullmatch
        needed, pattern = _READ[format]
        match = re.compile(_of(self._kind, pattern)).fullmatch
        pick = itemgetter(*(where[name] for name in needed))
        return format, match, pick, len(needed) == 1, sessions[0] if sessions else None, tracestate


class TextWay(StraightWay[str]):
    """The same for text, which can be written into a dict."""

    __slots__ = ("_b3", "_b3multi", "_jaeger", "_session", "_tracecontext")

    def __init__(
        self,
        extract: Iterable[Format],
        inject: Iterable[Format],
        session_inject: str,
        session_extract: Iterable[str],
    ) -> None:
        """As StraightWay."""
        inject = tuple(inject)
        super().__init__(str, extract, inject, session_inject, session_extract)
        self._tracecontext, self._b3 = Format.TRACECONTEXT in inject, Format.B3 in inject
        self._b3multi, self._jaeger = Format.B3MULTI in inject, Format.JAEGER in inject
        self._session = session_inject

    def write_into(
        self,
        headers: dict[str, str],
        ids: tuple[str, str, str],
        state: str,
        session_id: str | None,
        random: bool = False,
    ) -> None:
        """Put what `write` gives into `headers`, which has none of them; `random`: W3C level 2, random-trace-id flag.

        Spelled out once more: by `write` it would cost 1.1 µs instead of 0.4 µs for all formats.
        """
        trace_id, span_id, flag = ids
        if self._tracecontext:
            if random:
                headers["traceparent"] = f"00-{trace_id}-{span_id}-{'03' if flag == '1' else '02'}"
            else:
                headers["traceparent"] = f"00-{trace_id}-{span_id}-0{flag}"
            if state:
                headers["tracestate"] = state
        if self._b3:
            headers["b3"] = f"{trace_id}-{span_id}-{flag}"
        if self._b3multi:
            headers["X-B3-TraceId"] = trace_id
            headers["X-B3-SpanId"] = span_id
            headers["X-B3-Sampled"] = flag
        if self._jaeger:
            headers["uber-trace-id"] = f"{trace_id}:{span_id}:0:{flag}"
        if session_id is not None and self._session:
            headers[self._session] = session_id


def context_of(straight: Straight[str]) -> TraceContext:
    """The same as a record."""
    (trace_id, span_id, flag), state, _, _ = straight
    return new(TraceContext, (trace_id, span_id, ACCEPT if flag == "1" else DENY, False, False, None, state, False))
