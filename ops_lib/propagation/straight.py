"""The straight way: one format, complete and plain, so that nothing has to be weighed. Pure.

Most requests are like that: ids in lower case, a decision of yes or no, perhaps a parent or the random flag, and at
most a session and a short plain tracestate beside them. Such fields are read by one pattern over all of them and
written by one template each, as text for the library and as bytes for the sidecar. Whatever is not like that (another
format too, a duplicate, upper-case digits, debug, no decision, the stash, baggage, anything malformed) is not for this
module, which then says None; what it does say is, by test, what the propagator says. May know the names of the formats,
the pattern of tracestate and our member of it. docs/decisions/005-library-spans.md and 006-cost-per-request.md have
what this saves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any, Final, Generic, TypeVar, cast

from . import stash
from .context import ACCEPT, DENY, TraceContext, new
from .formats import Format
from .session import SESSION_ID
from .tracestate import MAX_LENGTH, PLAIN_LIST

_TRACE = "((?!0{32})[0-9a-f]{32})"
_TRACE_OF_ANY_WIDTH = "((?!0+(?![0-9a-f]))[0-9a-f]{16}(?:[0-9a-f]{16})?)"
_SPAN = "((?!0{16})[0-9a-f]{16})"
_PARENT_NAME = "x-b3-parentspanid"

# Of each format: the headers it needs, and the pattern of their values, joined by a line feed, which no value can hold.
_READ: tuple[tuple[Format, tuple[str, ...], str], ...] = (
    (Format.TRACECONTEXT, ("traceparent",), f"00-{_TRACE}-{_SPAN}-0([0-3])"),
    (Format.B3, ("b3",), f"{_TRACE_OF_ANY_WIDTH}-{_SPAN}-([01])(?:-{_SPAN})?"),
    (
        Format.B3MULTI,
        ("x-b3-traceid", "x-b3-spanid", "x-b3-sampled"),
        f"{_TRACE_OF_ANY_WIDTH}\n{_SPAN}\n([01])",
    ),
    (
        Format.B3MULTI,
        ("x-b3-traceid", "x-b3-spanid", "x-b3-sampled", _PARENT_NAME),
        f"{_TRACE_OF_ANY_WIDTH}\n{_SPAN}\n([01])\n{_SPAN}",
    ),
    (Format.JAEGER, ("uber-trace-id",), f"{_TRACE_OF_ANY_WIDTH}:{_SPAN}:[0-9a-f]{{1,16}}:0?([01])"),
)
_WRITE: dict[Format, tuple[str, str]] = {
    Format.TRACECONTEXT: ("traceparent", "00-%s-%s-0%s"),
    Format.B3: ("b3", "%s-%s-%s"),
    Format.B3MULTI: ("", ""),  # its values are the ids as they are
    Format.JAEGER: ("uber-trace-id", "%s:%s:0:%s"),
}
_TRACESTATE = "tracestate"
_PADDING = "0" * 16
_WIDTH_MEMBER = stash.member(TraceContext("", "", ACCEPT, short=True), sampled=True)

# What may come beside plain ids. Each is seldom enough to be looked at only after this said that there is something.
HAS_STATE: Final = 1  # a tracestate
HAS_PARENT: Final = 2  # B3's parent span id
IS_RANDOM: Final = 4  # W3C level 2, random-trace-id flag
IS_SHORT: Final = 8  # a trace id of 64 bits
ALL_TRAITS: Final = 15

# str or bytes. Not typing.AnyStr: mypyc, which may compile this module, does not check a body once for each.
AnyStr = TypeVar("AnyStr", bound=Any)

Names = tuple[AnyStr, ...] | frozenset[AnyStr]
Straight = tuple[tuple[AnyStr, AnyStr, AnyStr], AnyStr, AnyStr | None, Format, int, AnyStr | None]
"""What such headers say: (trace id of 16 or 32 digits, span id, "0" or "1"); the tracestate or ""; the session id; the
format it is from; the traits; the parent's span id. (A NamedTuple would cost 0.3 µs.)"""


Shape = tuple[Format, Callable[[Any], "re.Match[Any] | None"], Callable[[Any], Any], bool, Any, Any]
"""What is known of headers by their names alone: the format; the pattern of its values, joined; what picks these out of
all values: one, or a tuple; whether it is one; where the session stands (a name, or a place in the list; None:
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
        "_of_random",
        "_padding",
        "_parent_mark",
        "_parent_name",
        "_random",
        "_sampled",
        "_session_name",
        "_session_names",
        "_shapes",
        "_single",
        "_stash",
        "_tracestate",
        "_width_member",
        "_writes",
    )

    def __init__(
        self,
        kind: type[AnyStr],
        extract: Iterable[Format],
        inject: Iterable[Format],
        session_inject: str,
        session_extract: Iterable[str],
        lossless: bool,
    ) -> None:
        """`extract`: every format that is read, in any order; the rest as in Propagator."""
        extract, inject = frozenset(extract), tuple(inject)
        self._kind: type[AnyStr] = kind
        self._formats = {
            frozenset(needed): (format, needed, pattern) for format, needed, pattern in _READ if format in extract
        }
        self._shapes: dict[object, Shape | None] = {}
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
        self._stash: AnyStr = _of(kind, stash.PREFIX)
        self._width_member: AnyStr = _of(kind, _WIDTH_MEMBER if lossless else "")
        self._padding: AnyStr = _of(kind, _PADDING)
        self._parent_name: AnyStr = _of(kind, "X-B3-ParentSpanId")
        self._parent_mark: AnyStr = _of(kind, "-")
        zero, one, two, three = (_of(kind, flag) for flag in "0123")
        self._sampled: AnyStr = one
        self._of_random: dict[AnyStr, AnyStr] = {two: zero, three: one}  # W3C flags with the random one: without it
        self._random: dict[AnyStr, AnyStr] = {zero: two, one: three}
        # Compiled with the first shape that needs them: 3 ms that an import shall not pay for.
        self._is_tracestate: Callable[[Any], object]
        self._is_session: Callable[[Any], object]

    def read(self, names: Names[AnyStr], values: Any) -> Straight[AnyStr] | None:
        """What the headers say; None where this is not the way. Raises TypeError where a value is not of the kind.

        `names`, as they are spelt, are all that have to be read: a tuple, with `values` a tuple in the same order; or a
        frozenset, with `values` a mapping that has them among others.
        """
        try:  # as in `shape`: one call less
            shape = self._shapes[names]
        except KeyError:
            shape = self._learn(names)
        return self.read_shape(shape, values) if shape is not None else None

    def shape(self, names: Names[AnyStr]) -> Shape | None:
        """What is known of headers with these names; None where they are not for this way."""
        try:
            return self._shapes[names]
        except KeyError:
            return self._learn(names)

    def read_shape(self, shape: Shape, values: Any) -> Straight[AnyStr] | None:
        """As `read`, of headers of this shape."""
        format, match, pick, is_single, session, tracestate = shape
        ids = pick(values)
        if is_single:
            found = match(ids)
            if found is None:
                return None
            ids = found.groups()
        elif match(self._line_feed.join(ids)) is None:
            return None
        parent: AnyStr | None = None
        traits = 0
        if len(ids) == 4:
            parent = ids[3]
            ids = ids[:3]
            if parent is not None:
                traits = HAS_PARENT
        if ids[2] > self._sampled:  # only a traceparent can say more than yes and no
            traits = IS_RANDOM
            ids = ids[0], ids[1], self._of_random[ids[2]]
        elif len(ids[0]) == 16:
            traits += IS_SHORT
        state = self._nothing
        if tracestate is not None:
            # As it came: all plain, none of it ours, nothing to be cut.
            state = values[tracestate]
            if len(state) > MAX_LENGTH or self._stash in state or self._is_tracestate(state) is None:
                return None
            traits += HAS_STATE
        if session is None:
            return ids, state, None, format, traits, parent
        session_id = values[session]
        return (ids, state, session_id, format, traits, parent) if self._is_session(session_id) is not None else None

    def write(self, straight: Straight[AnyStr]) -> list[tuple[AnyStr, AnyStr]]:
        """The headers that say `straight`, in the order of the formats."""
        ids, _, session, _, traits, _ = straight
        if traits:
            headers = self._write_traits(straight)
        elif self._single is not None:
            name, form = self._single
            headers = [(name, form % ids)]
        else:
            headers = []
            for _, name, form in self._writes:
                if form:
                    headers.append((name, form % ids))
                else:
                    headers += zip(self._multi_names, ids, strict=True)
        if session is not None and self._session_name:
            headers.append((self._session_name, session))
        return headers

    def _write_traits(self, straight: Straight[AnyStr]) -> list[tuple[AnyStr, AnyStr]]:
        ids, state, _, _, traits, parent = straight
        trace_id, span_id, flag = ids
        headers = []
        for format, name, form in self._writes:
            if format is Format.TRACECONTEXT:
                if traits & IS_SHORT:
                    headers.append((name, form % (self._padding + trace_id, span_id, flag)))
                    if self._width_member:
                        headers.append((self._tracestate, self._width_member))
                    continue
                if traits & IS_RANDOM:
                    headers.append((name, form % (trace_id, span_id, self._random[flag])))
                else:
                    headers.append((name, form % ids))
                if state:
                    headers.append((self._tracestate, state))
            elif format is Format.B3MULTI:
                multi = self._multi_names
                headers.append((multi[0], trace_id))
                headers.append((multi[1], span_id))
                if parent is not None:
                    headers.append((self._parent_name, parent))
                headers.append((multi[2], flag))
            elif parent is not None and format is Format.B3:
                headers.append((name, form % ids + self._parent_mark + parent))
            else:
                headers.append((name, form % ids))
        return headers

    def _learn(self, names: Names[AnyStr]) -> Shape | None:
        """The shape of `names`, remembered; None where they are not straight."""
        shape = self._shape(names) if all(type(name) is self._kind for name in names) else None
        if sum(map(len, names)) <= _MAX_SHAPE_LENGTH:
            if len(self._shapes) >= _MAX_SHAPES:
                self._shapes.clear()
            self._shapes[names] = shape
        return shape

    def _shape(self, names: Names[AnyStr]) -> Shape | None:
        places: Iterable[Any] = names if isinstance(names, frozenset) else range(len(names))
        where = {
            (name if isinstance(name, str) else name.decode("latin-1")).lower(): place
            for name, place in zip(names, places, strict=True)
        }
        if len(where) != len(names):
            return None  # one name twice
        sessions = [where.pop(name) for name in self._session_names.intersection(where)]
        tracestate = where.pop(_TRACESTATE, None)
        found = self._formats.get(frozenset(where))
        if found is None or len(sessions) > 1:
            return None
        format, needed, pattern = found
        if tracestate is not None and format is not Format.TRACECONTEXT:
            return None
        if sessions:
            self._is_session = re.compile(_of(self._kind, SESSION_ID)).fullmatch
        if tracestate is not None:
            self._is_tracestate = re.compile(_of(self._kind, PLAIN_LIST)).fullmatch
        match = re.compile(_of(self._kind, pattern)).fullmatch
        pick = itemgetter(*(where[name] for name in needed))
        return format, match, pick, len(needed) == 1, sessions[0] if sessions else None, tracestate


class TextWay(StraightWay[str]):
    """The same for text, which can be written into a dict."""

    __slots__ = ("_b3", "_b3multi", "_jaeger", "_lossless", "_session", "_tracecontext")

    def __init__(
        self,
        extract: Iterable[Format],
        inject: Iterable[Format],
        session_inject: str,
        session_extract: Iterable[str],
        lossless: bool,
    ) -> None:
        """As StraightWay."""
        inject = tuple(inject)
        super().__init__(str, extract, inject, session_inject, session_extract, lossless)
        self._tracecontext, self._b3 = Format.TRACECONTEXT in inject, Format.B3 in inject
        self._b3multi, self._jaeger = Format.B3MULTI in inject, Format.JAEGER in inject
        self._session = session_inject
        self._lossless = lossless

    def write_into(self, headers: dict[str, str], straight: Straight[str], session_id: str | None) -> None:
        """Put what `write` gives into `headers`, which has none of them; `session_id` instead of that of `straight`.

        Spelled out once more: by `write` it would cost 1.1 µs instead of 0.4 µs for all formats.
        """
        (trace_id, span_id, flag), state, _, _, traits, parent = straight
        if self._tracecontext:
            if not traits & (IS_RANDOM | IS_SHORT):
                headers["traceparent"] = f"00-{trace_id}-{span_id}-0{flag}"
            elif traits & IS_RANDOM:
                headers["traceparent"] = f"00-{trace_id}-{span_id}-{'03' if flag == '1' else '02'}"
            else:
                headers["traceparent"] = f"00-{_PADDING}{trace_id}-{span_id}-0{flag}"
                if self._lossless:
                    headers["tracestate"] = _WIDTH_MEMBER
            if state:
                headers["tracestate"] = state
        if self._b3:
            if parent is None:
                headers["b3"] = f"{trace_id}-{span_id}-{flag}"
            else:
                headers["b3"] = f"{trace_id}-{span_id}-{flag}-{parent}"
        if self._b3multi:
            headers["X-B3-TraceId"] = trace_id
            headers["X-B3-SpanId"] = span_id
            if parent is not None:
                headers["X-B3-ParentSpanId"] = parent
            headers["X-B3-Sampled"] = flag
        if self._jaeger:
            headers["uber-trace-id"] = f"{trace_id}:{span_id}:0:{flag}"
        if session_id is not None and self._session:
            headers[self._session] = session_id


def context_of(straight: Straight[str]) -> TraceContext:
    """The same as a record."""
    (trace_id, span_id, flag), state, _, _, traits, parent = straight
    sampling = ACCEPT if flag == "1" else DENY
    short = bool(traits & IS_SHORT)
    if short:
        trace_id = _PADDING + trace_id
    return new(TraceContext, (trace_id, span_id, sampling, short, bool(traits & IS_RANDOM), parent, state, False))


def sample(traits: int) -> TraceContext:
    """Some record that has these traits: whatever else it says, what a format cannot say of them is the same."""
    return TraceContext(
        "1" * 32,
        "1" * 16,
        ACCEPT,
        short=bool(traits & IS_SHORT),
        random=bool(traits & IS_RANDOM),
        parent_id="1" * 16 if traits & HAS_PARENT else None,
        tracestate="k=v" if traits & HAS_STATE else "",
    )
