"""The straight way through the translator: one format, complete and plain, so that nothing has to be weighed. PURE.

Nearly every request is like that: ids of full width, a decision of yes or no, and at most a session beside them, and a
short plain tracestate. Such fields are read and written as bytes, by one pattern over all of them. Whatever is not like
that (another format too, a duplicate, upper-case digits, debug, a parent id, the stash, baggage, anything malformed) is
not for this module, which then says None; what it does say is, by test, what the propagator says. May know the heart's
names and its pattern for tracestate, and nothing else.
docs/decisions/006-cost-per-request.md has what this saves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import permutations, product
from operator import itemgetter
from typing import Any, NamedTuple

from ops_lib.propagation import Format, Loss
from ops_lib.propagation.stash import PREFIX
from ops_lib.propagation.tracestate import MAX_LENGTH, MAX_MEMBERS, PLAIN_LIST

RawHeaders = list[tuple[bytes, bytes]]

_TRACE = rb"((?!0{32})[0-9a-f]{32})"
_SPAN = rb"((?!0{16})[0-9a-f]{16})"

# Of each format: the headers it needs, and the pattern of their values, joined by a line feed, which no value can hold.
_READ: dict[Format, tuple[tuple[bytes, ...], bytes]] = {
    Format.TRACECONTEXT: ((b"traceparent",), rb"00-%b-%b-0([01])"),
    Format.B3: ((b"b3",), rb"%b-%b-([01])"),
    Format.B3MULTI: ((b"X-B3-TraceId", b"X-B3-SpanId", b"X-B3-Sampled"), rb"%b\n%b\n([01])"),
    Format.JAEGER: ((b"uber-trace-id",), rb"%b:%b:[0-9a-f]{1,16}:0?([01])"),
}
_WRITE: dict[Format, tuple[bytes, bytes]] = {
    Format.TRACECONTEXT: (b"traceparent", b"00-%b-%b-0%b"),
    Format.B3: (b"b3", b"%b-%b-%b"),
    Format.JAEGER: (b"uber-trace-id", b"%b:%b:0:%b"),
}
_TRACESTATE = b"tracestate"
_STASH = PREFIX.encode()
_is_tracestate = re.compile(PLAIN_LIST.encode()).fullmatch
_is_session = re.compile(rb"[\x21-\x7e]{1,256}").fullmatch


class Shape(NamedTuple):
    """What is known of a list of headers by their names alone."""

    format: Format
    match: Callable[[bytes], re.Match[bytes] | None]  # of its values, joined
    pick: Callable[[tuple[bytes, ...]], Any]  # these, out of all values: one, or a tuple of three
    is_single: bool
    session: int  # where the session stands; -1: nowhere
    tracestate: int  # and where that


def _spellings(name: bytes) -> tuple[bytes, ...]:
    """As its specification has it, in lower case, and as Go's net/http rewrites it."""
    return name, name.lower(), b"-".join(part.capitalize() for part in name.split(b"-"))


def _shapes(formats: Iterable[Format], session_names: Iterable[str]) -> dict[tuple[bytes, ...], Shape]:
    """Every list of names that may be straight, in any order, by the names as they are spelt."""
    found: dict[tuple[bytes, ...], Shape] = {}
    besides: list[tuple[bytes, ...]] = [()]
    besides += [(spelt,) for name in session_names for spelt in _spellings(name.encode("latin-1"))]
    for format in formats:
        names, pattern = _READ[format]
        match = re.compile(pattern % (_TRACE, _SPAN)).fullmatch
        states = [(), *((spelt,) for spelt in _spellings(_TRACESTATE))] if format is Format.TRACECONTEXT else [()]
        for spelt, beside, state in product(zip(*map(_spellings, names), strict=True), besides, states):
            for order in permutations((*spelt, *beside, *state)):
                pick = itemgetter(*(order.index(name) for name in spelt))
                session, tracestate = (order.index(name[0]) if name else -1 for name in (beside, state))
                found[order] = Shape(format, match, pick, len(spelt) == 1, session, tracestate)
    return found


Losses = tuple[tuple[Format, Loss], ...]
Straight = tuple[RawHeaders, Format, bool, Losses]
"""What goes out, the format that it was read from, whether a session was with it, and what is lost. (A NamedTuple would
cost 0.3 µs.)"""


class StraightWay:
    """One per translator."""

    __slots__ = ("_losses", "_session_name", "_shapes", "_single", "_writes")

    def __init__(
        self, extract: Iterable[Format], inject: Iterable[Format], session_inject: str, session_extract: Iterable[str]
    ) -> None:
        """`extract`: every format that is read, in any order; the rest as in a PropagationPlan."""
        self._shapes = _shapes(extract, session_extract)
        self._session_name = session_inject.encode("latin-1")
        formats = tuple(inject)
        self._writes = tuple(_WRITE.get(format) for format in formats)
        self._single = self._writes[0] if len(formats) == 1 else None
        self._losses = tuple((format, Loss.TRACESTATE) for format in formats if format is not Format.TRACECONTEXT)

    def take(self, headers: RawHeaders) -> Straight | None:
        """What to send for `headers`; None where this is not the way."""
        names, values = zip(*headers)  # noqa: B905 - pairs; strict costs 0.1 µs
        shape = self._shapes.get(names)
        if shape is None:
            return None
        format, match, pick, is_single, session, tracestate = shape
        ids = pick(values)
        if is_single:
            found = match(ids)
            if found is None:
                return None
            ids = found.groups()
        elif match(b"\n".join(ids)) is None:
            return None
        losses: Losses = ()
        state = b""
        if tracestate >= 0:
            state, losses = values[tracestate], self._losses
            if not _is_straight_state(state):
                return None
        out: RawHeaders
        if self._single is not None and not state:
            name, form = self._single
            out = [(name, form % ids)]
        else:
            out = []
            for write in self._writes:
                if write is not None:
                    name, form = write
                    out.append((name, form % ids))
                    if state and write is _WRITE[Format.TRACECONTEXT]:
                        out.append((_TRACESTATE, state))
                else:
                    trace_id, span_id, flag = ids
                    out += ((b"X-B3-TraceId", trace_id), (b"X-B3-SpanId", span_id), (b"X-B3-Sampled", flag))
        if session < 0:
            return out, format, False, losses
        value = values[session]
        if _is_session(value) is None:
            return None
        if self._session_name:
            out.append((self._session_name, value))
        return out, format, True, losses


def _is_straight_state(value: bytes) -> bool:
    """Whether a tracestate goes on as it came: all plain, none of it ours, nothing to be cut."""
    return (
        len(value) <= MAX_LENGTH
        and value.count(b",") < MAX_MEMBERS
        and _STASH not in value
        and _is_tracestate(value) is not None
    )
