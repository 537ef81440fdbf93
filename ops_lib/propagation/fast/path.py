"""The fast path: a quick reader and writer for headers that are complete, plain and in agreement. Pure.

Most requests have ids in lower case, sampled yes or no, and perhaps a parent id or the random flag.
They may also have a session, a short plain tracestate, plain baggage, and the same ids in other formats.
One pattern reads such values (`shapes`).
One function for each kind writes them (`forms`): text for the library, bytes for the sidecar.

For anything else the functions here return None, and the propagator reads it in full.
That is: a duplicate header, upper-case digits, debug, no decision,
our own tracestate member, formats that disagree, anything malformed.
Otherwise their result equals the propagator's; tests compare the two.

Must not know any one format.
This module exists for speed: docs/decisions/005-library-spans.md and 006-cost-per-request.md have the figures.
"""

from __future__ import annotations

from typing import Any, Final, Generic

from .. import ops_member
from ..context import ACCEPT, DENY, TraceContext, new
from ..formats import Format
from ..tracestate import MAX_LENGTH
from .forms import ALL_TRAITS, HAS_PARENT, HAS_STATE, IS_RANDOM, IS_SHORT, PADDING, Form, around, compiled
from .shapes import IDS, RAW_IDS, SINGLE, AnyStr, Beside, FastSettings, Names, Shape, Shapes, of_kind

MAX_BAGGAGE_LENGTH: Final = 1536  # small enough to be written whole, in both kinds, even if every character is a plus

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
5. the traits (`forms`);
6. the parent's span id;
7. the baggage.

A plain tuple, not a NamedTuple, for speed.
"""


_HEX: Final = bytes(digit if digit in b"0123456789abcdef" else ord("0") for digit in range(256))
_NO_TRACE: Final = b"0" * 32
_NO_SPAN: Final = b"0" * 16


def _are_ids(trace_id: bytes, span_id: bytes, sampled: bytes) -> bool:
    """Whether they match the pattern of a plain form in three values: trace id of 64 or 128 bits, span id, 0 or 1."""
    size = len(trace_id)
    both = trace_id + span_id
    return (
        len(span_id) == 16
        and (size == 32 or size == 16)
        and (sampled == b"1" or sampled == b"0")
        and both.translate(_HEX) == both
        and span_id != _NO_SPAN
        and trace_id != (_NO_TRACE if size == 32 else _NO_SPAN)
    )


class FastPath(Generic[AnyStr]):
    """One per propagator, for text or for bytes (latin-1).

    Immutable, except for two memories: shapes of header names, and the forms needed so far.
    """

    __slots__ = (
        "_comma",
        "_equals",
        "_forms",
        "_into_mapping",
        "_kind",
        "_known",
        "_line_feed",
        "_nothing",
        "_of_random",
        "_own_state",
        "_sampled",
        "_settings",
        "_shapes",
    )

    def __init__(self, kind: type[AnyStr], settings: FastSettings, *, into_mapping: bool) -> None:
        self._kind = kind
        self._into_mapping = into_mapping
        self._settings = settings
        self._shapes = Shapes(kind, settings)
        self._known = self._shapes.known
        self._nothing: AnyStr = of_kind(kind, "")
        self._line_feed: AnyStr = of_kind(kind, "\n")
        self._comma: AnyStr = of_kind(kind, ",")
        self._equals: AnyStr = of_kind(kind, "=")
        self._own_state: AnyStr = of_kind(kind, ops_member.PREFIX)
        zero, one, two, three = (of_kind(kind, flag) for flag in "0123")
        self._sampled: AnyStr = one
        self._of_random: dict[AnyStr, AnyStr] = {two: zero, three: one}  # W3C flags with the random one: without it
        self._forms: dict[AnyStr, list[Form | None]] = {flag: [None] * (ALL_TRAITS + 1) for flag in (zero, one)}

    def read(self, names: Names[AnyStr], values: Any) -> Plain[AnyStr] | None:
        """What the headers say, or None if the fast path cannot read them.

        `names` are the names of all headers that have to be read, as spelled.
        Either `names` is a tuple, and `values` a tuple in the same order.
        Or it is a frozenset, and `values` a mapping with these names and perhaps others.
        Raises TypeError if a value is text instead of bytes, or the other way round.
        """
        try:  # inlined from `shape`, for speed
            shape = self._known[names]
        except KeyError:
            shape = self._shapes.learn(names)
        return self.read_shape(shape, values) if shape is not None else None

    def shape(self, names: Names[AnyStr]) -> Shape | None:
        """How to read headers with these names; None if the fast path cannot."""
        try:
            return self._known[names]
        except KeyError:
            return self._shapes.learn(names)

    def read_shape(self, shape: Shape, values: Any) -> Plain[AnyStr] | None:
        """As `read`, for headers of this shape."""
        format, match, pick, kind, session_at, beside = shape
        groups = pick(values)
        if kind == RAW_IDS:  # for speed: as the pattern would
            if not _are_ids(groups[0], groups[1], groups[2]):
                return None
        else:
            found = match(groups if kind == SINGLE else self._line_feed.join(groups))
            if found is None:
                return None
            if kind != IDS:
                groups = found.groups()
        ids = groups
        parent: AnyStr | None = None
        traits = 0
        if len(groups) > 3:
            ids = groups[:3]
            if beside is None:
                parent = groups[3]
                if parent is not None:
                    traits = HAS_PARENT
        if ids[2] > self._sampled:  # only formats with the random flag say more than yes and no
            traits |= IS_RANDOM
            ids = ids[0], ids[1], self._of_random[ids[2]]
        elif len(ids[0]) == 16:
            traits |= IS_SHORT
        session_id: AnyStr | None = None
        if session_at is not None:
            session_id = values[session_at]
            if self._shapes.is_session(session_id) is None:
                return None
        plain = ids, self._nothing, session_id, format, traits, parent, None
        return plain if beside is None else self._read_beside(plain, groups, beside, values)

    def _read_beside(self, plain: Plain[AnyStr], groups: Any, beside: Beside, values: Any) -> Plain[AnyStr] | None:
        """`plain` with what came beside it; None if any of that is not plain, or disagrees."""
        ids, state, session_id, format, traits, parent, baggage = plain
        state_at, baggage_at, flags, parents = beside
        for at in flags:
            flag = groups[at]
            if flag > self._sampled:
                traits |= IS_RANDOM
                flag = self._of_random[flag]
            if flag != ids[2]:
                return None
        for at in parents:
            theirs = groups[at]
            if theirs is not None and theirs != parent:
                if parent is not None:
                    return None
                parent = theirs
                traits |= HAS_PARENT
        if state_at is not None:
            # It goes out unchanged, so it must not hold our member, nor be too long.
            state = values[state_at]
            if len(state) > MAX_LENGTH or self._own_state in state or self._shapes.is_tracestate(state) is None:
                return None
            traits |= HAS_STATE
        if baggage_at is not None:
            text = values[baggage_at]
            if len(text) > MAX_BAGGAGE_LENGTH or self._shapes.is_baggage(text) is None:
                return None
            entries = text.split(self._comma)
            members = dict([entry.split(self._equals, 1) for entry in entries])
            if len(members) < len(entries):
                return None  # a duplicate key
            if text.lower() != text and len({key.lower() for key in members}) < len(members):
                return None  # the same header name as an uberctx-* header
            baggage = text, members
        return ids, state, session_id, format, traits, parent, baggage

    def _form(self, flag: AnyStr, traits: int) -> Form:
        """The function that writes contexts of this kind; compiled when it is first needed."""
        form = self._forms[flag][traits]
        if form is None:
            form = compiled(
                self._kind, self._settings, traits, is_sampled=flag == self._sampled, mapping=self._into_mapping
            )
            self._forms[flag][traits] = form
        return form


class RawFastPath(FastPath[bytes]):
    """A FastPath for pairs of bytes."""

    __slots__ = ("_around",)

    def __init__(self, settings: FastSettings) -> None:
        super().__init__(bytes, settings, into_mapping=False)
        # What most requests have goes out as one header, which needs no call. Found with the form, for the next ones.
        self._around: dict[bytes, list[tuple[bytes, bytes, bytes, bytes] | None]] = {
            flag: [None] * (ALL_TRAITS + 1) for flag in (b"0", b"1")
        }

    def write(self, plain: Plain[bytes]) -> list[tuple[bytes, bytes]] | None:
        """The headers that say `plain`, in the order of the formats; None if these formats cannot say it plainly."""
        (trace_id, span_id, flag), state, session_id, _, traits, parent, baggage = plain
        texts = self._around[flag][traits]
        if texts is not None and session_id is None and baggage is None:
            name, before, between, behind = texts
            return [(name, b"%b%b%b%b%b" % (before, trace_id, between, span_id, behind))]
        form = self._forms[flag][traits]
        if form is None:
            form = self._form(flag, traits)
            self._around[flag][traits] = around(self._settings, traits, is_sampled=flag == b"1")
        headers: list[tuple[bytes, bytes]] | None = form(trace_id, span_id, parent, state, session_id, baggage)
        return headers


class TextFastPath(FastPath[str]):
    """A FastPath for text, which writes into dicts."""

    __slots__ = ()

    def __init__(self, settings: FastSettings) -> None:
        super().__init__(str, settings, into_mapping=True)

    def write_into(
        self,
        headers: dict[str, str],
        plain: Plain[str],
        session_id: str | None,
        baggage: PlainBaggage[str] | None,
    ) -> bool:
        """Write `plain`, but with this session and this baggage, into `headers`, which has no such header yet.

        Returns whether these formats can say it plainly; otherwise `headers` stays as it is.
        """
        (trace_id, span_id, flag), state, _, _, traits, parent, _ = plain
        form = self._forms[flag][traits] or self._form(flag, traits)
        return form(headers, trace_id, span_id, parent, state, session_id, baggage) is not None


def context_of(plain: Plain[str]) -> TraceContext:
    """`plain` as a full Context."""
    (trace_id, span_id, flag), state, _, _, traits, parent, _ = plain
    sampling = ACCEPT if flag == "1" else DENY
    short = bool(traits & IS_SHORT)
    if short:
        trace_id = PADDING + trace_id
    return new(TraceContext, (trace_id, span_id, sampling, short, bool(traits & IS_RANDOM), parent, state, False))
