"""The fast path: a quick reader and writer for headers that are complete, plain and in agreement. Pure.

Most requests are: ids in lower case, sampled yes or no, perhaps a parent id or the random flag; beside them at most a
session, a short plain tracestate, plain baggage, and the same ids once more in other formats. One pattern reads such
values, and one template per header writes them, as text for the library and as bytes for the sidecar.
Anything else (a header twice, upper-case digits, debug, no decision, our own tracestate member, formats that disagree,
anything malformed) gives None here, and the propagator reads it in full. Where this module does give something, it
is what the propagator would have given; tests compare the two.
May know the header names of the formats, shapes, and our member of tracestate. What this saves is in
docs/decisions/005-library-spans.md and 006-cost-per-request.md.
"""

from __future__ import annotations

from typing import Any, Final, Generic

from . import ops_member
from .baggage import BAGGAGE, UBERCTX
from .context import ACCEPT, DENY, TraceContext, new
from .fast_shapes import AnyStr, Beside, FastSettings, Names, Shape, Shapes, of_kind
from .formats import Format
from .tracestate import MAX_LENGTH

_WRITE: dict[Format, tuple[str, str]] = {
    Format.TRACECONTEXT: ("traceparent", "00-%s-%s-0%s"),
    Format.B3: ("b3", "%s-%s-%s"),
    Format.B3MULTI: ("", ""),  # its values are the ids as they are
    Format.JAEGER: ("uber-trace-id", "%s:%s:0:%s"),
}
_PADDING = "0" * 16
_WIDTH_MEMBER = ops_member.member(TraceContext("", "", ACCEPT, short=True))
MAX_BAGGAGE_LENGTH: Final = 2048  # far below what would have to be cut

# Traits: bits for what may come beside plain ids. Most requests have none, and one test for 0 passes over all of them.
HAS_STATE: Final = 1  # a tracestate
HAS_PARENT: Final = 2  # B3's parent span id
IS_RANDOM: Final = 4  # W3C level 2, random-trace-id flag
IS_SHORT: Final = 8  # a trace id of 64 bits
ALL_TRAITS: Final = 15

PlainBaggage = tuple[AnyStr, dict[AnyStr, AnyStr]]
"""The `baggage` header as it came, and its members by key; nothing in it is percent-encoded."""

Plain = tuple[
    tuple[AnyStr, AnyStr, AnyStr], AnyStr, AnyStr | None, Format, int, AnyStr | None, PlainBaggage[AnyStr] | None
]
"""What plain headers say, in this order:

1. trace id (16 or 32 digits), span id, sampled ("0" or "1");
2. the tracestate, or "";
3. the session id;
4. the format that is believed;
5. the traits;
6. the parent's span id;
7. the baggage.

A plain tuple: a NamedTuple would cost 0.3 µs."""


class FastPath(Generic[AnyStr]):
    """One per propagator, for text or for bytes (latin-1). Immutable but for what it remembers of header names."""

    __slots__ = (
        "_baggage",
        "_comma",
        "_equals",
        "_has_baggage_out",
        "_known",
        "_line_feed",
        "_multi_names",
        "_nothing",
        "_of_random",
        "_own_state",
        "_padding",
        "_parent_mark",
        "_parent_name",
        "_random",
        "_sampled",
        "_session_name",
        "_shapes",
        "_single",
        "_templates",
        "_tracestate",
        "_uberctx",
        "_width_member",
        "_writes",
    )

    def __init__(self, kind: type[AnyStr], settings: FastSettings) -> None:
        self._shapes = Shapes(kind, settings)
        self._known = self._shapes.known
        self._session_name: AnyStr = of_kind(kind, settings.session_inject)
        self._templates: dict[Format, AnyStr] = {format: of_kind(kind, form) for format, (_, form) in _WRITE.items()}
        self._writes: tuple[tuple[Format, AnyStr, AnyStr], ...] = tuple(
            (format, of_kind(kind, _WRITE[format][0]), self._templates[format]) for format in settings.inject
        )
        self._single: tuple[AnyStr, AnyStr] | None = (
            self._writes[0][1:] if len(self._writes) == 1 and self._writes[0][2] else None
        )
        self._multi_names: tuple[AnyStr, AnyStr, AnyStr] = (
            of_kind(kind, "X-B3-TraceId"),
            of_kind(kind, "X-B3-SpanId"),
            of_kind(kind, "X-B3-Sampled"),
        )
        self._tracestate: AnyStr = of_kind(kind, "tracestate")
        self._nothing: AnyStr = of_kind(kind, "")
        self._line_feed: AnyStr = of_kind(kind, "\n")
        self._comma: AnyStr = of_kind(kind, ",")
        self._equals: AnyStr = of_kind(kind, "=")
        self._own_state: AnyStr = of_kind(kind, ops_member.PREFIX)
        self._width_member: AnyStr = of_kind(kind, _WIDTH_MEMBER if settings.lossless else "")
        self._padding: AnyStr = of_kind(kind, _PADDING)
        self._parent_name: AnyStr = of_kind(kind, "X-B3-ParentSpanId")
        self._parent_mark: AnyStr = of_kind(kind, "-")
        self._baggage: AnyStr = of_kind(kind, BAGGAGE if settings.writes_w3c_baggage else "")
        self._uberctx: AnyStr = of_kind(kind, UBERCTX if settings.writes_jaeger_baggage else "")
        zero, one, two, three = (of_kind(kind, flag) for flag in "0123")
        self._sampled: AnyStr = one
        self._of_random: dict[AnyStr, AnyStr] = {two: zero, three: one}  # W3C flags with the random one: without it
        self._random: dict[AnyStr, AnyStr] = {zero: two, one: three}

    def read(self, names: Names[AnyStr], values: Any) -> Plain[AnyStr] | None:
        """What the headers say; None where the fast path cannot read them.

        `names`: of all headers that have to be read, as they are spelt. Either a tuple, with `values` a tuple in the
        same order; or a frozenset, with `values` a mapping that has these names, and may have others.
        Raises TypeError where a value is text instead of bytes, or the other way round.
        """
        try:  # as in `shape`: one call less
            shape = self._known[names]
        except KeyError:
            shape = self._shapes.learn(names)
        return self.read_shape(shape, values) if shape is not None else None

    def shape(self, names: Names[AnyStr]) -> Shape | None:
        """How to read headers with these names; None where the fast path cannot."""
        try:
            return self._known[names]
        except KeyError:
            return self._shapes.learn(names)

    def read_shape(self, shape: Shape, values: Any) -> Plain[AnyStr] | None:
        """As `read`, of headers of this shape."""
        format, match, pick, is_single, session_at, beside = shape
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
        session_id: AnyStr | None = None
        if session_at is not None:
            session_id = values[session_at]
            if self._shapes.is_session(session_id) is None:
                return None
        plain = ids, self._nothing, session_id, format, traits, parent, None
        return plain if beside is None else self._read_beside(plain, beside, values)

    def _read_beside(self, plain: Plain[AnyStr], beside: Beside, values: Any) -> Plain[AnyStr] | None:
        """`plain`, with what stands beside it; None where any of that is not plain."""
        ids, state, session_id, format, traits, parent, baggage = plain
        state_at, baggage_at, others = beside
        shapes = self._shapes
        if others:
            same = self._read_others(plain, beside, values)
            if same is None:
                return None
            traits, parent = same
        if state_at is not None:
            # It goes out as it came, so it must need nothing done: no member of ours in it, and nothing to cut.
            state = values[state_at]
            if len(state) > MAX_LENGTH or self._own_state in state or shapes.is_tracestate(state) is None:
                return None
            traits += HAS_STATE
        if baggage_at is not None:
            text = values[baggage_at]
            if len(text) > MAX_BAGGAGE_LENGTH or shapes.is_baggage(text) is None:
                return None
            entries = text.split(self._comma)
            members = dict([entry.split(self._equals, 1) for entry in entries])
            if len(members) < len(entries):
                return None  # one key twice
            if text.lower() != text and len({key.lower() for key in members}) < len(members):
                return None  # one header name twice
            baggage = text, members
        return ids, state, session_id, format, traits, parent, baggage

    def _read_others(self, plain: Plain[AnyStr], beside: Beside, values: Any) -> tuple[int, AnyStr | None] | None:
        """The traits and the parent id of all formats together.

        None unless each of the others says just what we would write for these ids.
        """
        ids, _, _, _, traits, parent, _ = plain
        trace_id, span_id, flag = ids
        for format, pick in beside.others:
            said = pick(values)
            theirs: AnyStr | None = None
            if format == Format.B3MULTI:
                if said[:3] != ids:
                    return None
                if len(said) == 4:
                    theirs = said[3]
            else:
                same = self._templates[format] % ids
                if said != same:
                    if format == Format.TRACECONTEXT:
                        if said != self._templates[format] % (trace_id, span_id, self._random[flag]):
                            return None
                        traits |= IS_RANDOM
                    elif format == Format.B3:
                        mark = len(same)
                        if said[:mark] != same or said[mark : mark + 1] != self._parent_mark:
                            return None
                        theirs = said[mark + 1 :]
                    else:
                        return None
            if theirs is not None and theirs != parent:
                if parent is not None or self._shapes.is_span_id(theirs) is None:
                    return None
                parent = theirs
                traits |= HAS_PARENT
        return traits, parent

    def write(self, plain: Plain[AnyStr]) -> list[tuple[AnyStr, AnyStr]]:
        """The headers that say `plain`, in the order of the formats."""
        ids, _, session, _, traits, _, baggage = plain
        if traits:
            headers = self._write_traits(plain)
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
        if baggage is not None:
            text, members = baggage
            if self._baggage:
                headers.append((self._baggage, text))
            if self._uberctx:
                headers += [(self._uberctx + key, value) for key, value in members.items()]
        return headers

    def _write_traits(self, plain: Plain[AnyStr]) -> list[tuple[AnyStr, AnyStr]]:
        ids, state, _, _, traits, parent, _ = plain
        trace_id, span_id, flag = ids
        headers = []
        for format, name, form in self._writes:
            if format == Format.TRACECONTEXT:
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
            elif format == Format.B3MULTI:
                multi = self._multi_names
                headers.append((multi[0], trace_id))
                headers.append((multi[1], span_id))
                if parent is not None:
                    headers.append((self._parent_name, parent))
                headers.append((multi[2], flag))
            elif parent is not None and format == Format.B3:
                headers.append((name, form % ids + self._parent_mark + parent))
            else:
                headers.append((name, form % ids))
        return headers


class TextFastPath(FastPath[str]):
    """A FastPath for text, which can also write into a dict."""

    __slots__ = (
        "_b3",
        "_b3multi",
        "_jaeger",
        "_jaeger_baggage",
        "_lossless",
        "_session",
        "_tracecontext",
        "_w3c_baggage",
    )

    def __init__(self, settings: FastSettings) -> None:
        """As FastPath."""
        super().__init__(str, settings)
        inject = settings.inject
        self._tracecontext, self._b3 = Format.TRACECONTEXT in inject, Format.B3 in inject
        self._b3multi, self._jaeger = Format.B3MULTI in inject, Format.JAEGER in inject
        self._session = settings.session_inject
        self._lossless = settings.lossless
        self._w3c_baggage, self._jaeger_baggage = settings.writes_w3c_baggage, settings.writes_jaeger_baggage

    def write_into(
        self,
        headers: dict[str, str],
        plain: Plain[str],
        session_id: str | None,
        baggage: PlainBaggage[str] | None,
    ) -> None:
        """Put into `headers`, which has none of them yet, what `write` gives, but with this session and this baggage.

        Not done by calling `write`: all formats would cost 1.1 µs instead of 0.4 µs.
        """
        (trace_id, span_id, flag), state, _, _, traits, parent, _ = plain
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
        if baggage is not None:
            text, members = baggage
            if self._w3c_baggage:
                headers["baggage"] = text
            if self._jaeger_baggage:
                for key, value in members.items():
                    headers[f"uberctx-{key}"] = value


def context_of(plain: Plain[str]) -> TraceContext:
    """`plain` as the record that the formats in full know."""
    (trace_id, span_id, flag), state, _, _, traits, parent, _ = plain
    sampling = ACCEPT if flag == "1" else DENY
    short = bool(traits & IS_SHORT)
    if short:
        trace_id = _PADDING + trace_id
    return new(TraceContext, (trace_id, span_id, sampling, short, bool(traits & IS_RANDOM), parent, state, False))


def sample(traits: int) -> TraceContext:
    """A record with these traits, to learn what each format loses of them; its other values do not matter for that."""
    return TraceContext(
        "1" * 32,
        "1" * 16,
        ACCEPT,
        short=bool(traits & IS_SHORT),
        random=bool(traits & IS_RANDOM),
        parent_id="1" * 16 if traits & HAS_PARENT else None,
        tracestate="k=v" if traits & HAS_STATE else "",
    )
