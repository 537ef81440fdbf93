"""The neutral record that every format reads and writes, and ways to make a new one.

May know the names of the formats. Must not know their grammar. Values here are already valid; nothing is checked twice.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Callable
from typing import NamedTuple

from .formats import Format, Loss

RandomBits = Callable[[int], int]
"""`random.getrandbits` or a similar function: takes a number of bits, returns an integer of at most that size."""

TRACE_ID_ZERO = "0" * 32
SPAN_ID_ZERO = "0" * 16


class Sampling(enum.IntEnum):
    """The sampling decision. B3 can say all four; W3C and Jaeger cannot."""

    DEFER = 0
    DENY = 1
    ACCEPT = 2
    DEBUG = 3

    @property
    def is_sampled(self) -> bool:
        """Whether the caller records: ACCEPT or DEBUG."""
        return self >= 2


DEFER, DENY, ACCEPT, DEBUG = Sampling
"""The same, bound once for the codecs, for speed."""


class TraceContext(NamedTuple):
    """One caller's place in one trace.

    Always valid: `trace_id` is 32 and `span_id` 16 lower-case hex digits, neither all zero.
    """

    trace_id: str
    span_id: str  # the span that made the call
    sampling: Sampling = Sampling.DEFER
    short: bool = False  # the trace id had 64 bits on the wire; here it is left-padded
    random: bool = False  # W3C Trace Context level 2, random-trace-id flag
    parent_id: str | None = None  # 16 hex digits: B3's parent span id, if one came
    tracestate: str = ""  # the other vendors' members, combined, ours taken out; valid, but not yet cut to length
    made_up: bool = False  # the ids only stand for a bare decision: nobody ever made such a span


class Malformed(enum.StrEnum):
    """Why a header was not believed. A closed set, so it can be a metric label."""

    DUPLICATE = "duplicate"  # more than one, but only one is allowed
    SHAPE = "shape"  # not the grammar: number of fields, lengths, delimiters, digits
    VERSION = "version"  # traceparent version ff
    ZERO_ID = "zero-id"  # an id that is all zero
    MISSING_ID = "missing-id"  # a trace id without a span id, or the other way round
    DECISION = "decision"  # not a sampling decision
    PARENT_ID = "parent-id"  # dropped alone; the context stays
    TRACESTATE = "tracestate"  # dropped alone; the context stays
    NO_TRACEPARENT = "no-traceparent"  # a tracestate with nothing to belong to
    EMPTY = "empty"  # only white space
    TOO_LONG = "too-long"  # over one of our limits
    CHARACTERS = "characters"  # bytes that the grammar does not know


new = tuple.__new__
"""`new(TraceContext, (...))` is a faster, unchecked `TraceContext(...)`: for hot paths only."""


Reading = tuple[TraceContext | Sampling | None, Malformed | None]
"""What one format found in the headers: a context, or a bare decision, or nothing; and the reason for a refusal.

A context with a reason has only lost a part (PARENT_ID, TRACESTATE).
"""

Fields = dict[str, list[str]]
"""Header name in lower case -> its values in the order they came, decoded as latin-1. No list is empty."""


def first_of(values: list[str]) -> str:
    """The first of a header's values that is not empty; they may have been joined on the way (RFC 9110 §5.6.1)."""
    for value in values:
        for part in value.split(",") if "," in value else (value,):
            if part := part.strip(" \t"):
                return part
    return ""


Headers = list[tuple[str, str]]
"""Headers to be written: (name, value)."""

Losses = list[tuple[Format, Loss]]


_ALL_TRACES = 1 << 64


class Policy(NamedTuple):
    """The settings for what a format cannot say. Make it with `policy`."""

    accepted: int = _ALL_TRACES  # for how many of 2**64 trace ids DEFER becomes ACCEPT in a format with one bit
    lossless: bool = True  # whether our tracestate member keeps what traceparent cannot say

    def decide(self, trace_id: str) -> Sampling:
        """What DEFER becomes: ACCEPT or DENY, the same everywhere for one trace.

        OpenTelemetry's sampler with the same ratio decides alike: it also uses the lower half of the trace id.
        """
        return ACCEPT if int(trace_id[16:], 16) < self.accepted else DENY


def policy(on_defer: float, lossless: bool) -> Policy:
    """`on_defer`: the ratio of traces, from 0 to 1, for which "no decision" becomes ACCEPT."""
    return Policy(round(on_defer * _ALL_TRACES), lossless)


def new_span_id(random_bits: RandomBits = random.getrandbits) -> str:
    """A fresh span id: 16 lower-case hex digits, not all zero."""
    while not (bits := random_bits(64)):
        pass
    return f"{bits:016x}"


def new_trace_id(random_bits: RandomBits = random.getrandbits) -> str:
    """A fresh trace id: 32 lower-case hex digits; neither half is all zero, so that it survives 64-bit tracers."""
    while not ((bits := random_bits(128)) & 0xFFFF_FFFF_FFFF_FFFF and bits >> 64):
        pass
    return f"{bits:032x}"


def new_context(sampling: Sampling = Sampling.ACCEPT, *, random_bits: RandomBits = random.getrandbits) -> TraceContext:
    """The start of a trace: fresh ids, marked as random (W3C level 2)."""
    return TraceContext(new_trace_id(random_bits), new_span_id(random_bits), sampling, random=True)


def stand_in(decision: Sampling, *, random_bits: RandomBits = random.getrandbits) -> TraceContext:
    """Ids made up to carry a bare decision in a format that cannot say one.

    The span id repeats the lower half of the trace id.
    So a reader can tell that nobody has joined the trace since: a real span has another id (see `ops_member`).
    """
    trace_id = new_trace_id(random_bits)
    return TraceContext(trace_id, trace_id[16:], decision, random=True, made_up=True)


def child(context: TraceContext, span_id: str) -> TraceContext:
    """The context of our own span in the trace of `context`: with our span id, and without a parent id."""
    return context._replace(span_id=span_id, parent_id=None, made_up=False)
