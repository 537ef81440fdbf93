"""The sidecar's own span, if it takes part in a trace: its place, and whether it is recorded. PURE."""

from __future__ import annotations

from random import getrandbits
from struct import Struct
from typing import Final, NamedTuple, final

from ops_lib.propagation import (
    Extraction,
    RandomBits,
    Sampling,
    TraceContext,
    child,
    new_context,
    new_span_id,
)
from proxy.compiling import mypyc_attr
from proxy.participation.sampling import Sampler

# W3C trace flags, as a span has them.
SAMPLED: Final = 0x01
RANDOM: Final = 0x02
_NO_ID: Final = b"0" * 16
_LEAST_ID: Final = b"0000000000000001"
_IDS: Final = Struct("16s" * 64)


@final
@mypyc_attr(free_list_len=1)
class OwnSpan:
    """A span that is recorded. A plain class, not a NamedTuple, for speed: each recorded request makes one."""

    __slots__ = ("flags", "parent_id", "span_id", "trace_id", "tracestate")

    def __init__(self, trace_id: bytes, span_id: bytes, parent_id: bytes, flags: int, tracestate: bytes = b"") -> None:
        """Ids in hex digits: 32, 16, and 16 or none: the trace begins here."""
        self.trace_id = trace_id
        self.span_id = span_id
        self.parent_id = parent_id
        self.flags = flags
        self.tracestate = tracestate

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OwnSpan) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def _values(self) -> tuple[bytes, bytes, bytes, int, bytes]:
        return self.trace_id, self.span_id, self.parent_id, self.flags, self.tracestate

    def __repr__(self) -> str:
        ids = ", ".join(each.decode("ascii") for each in (self.trace_id, self.span_id, self.parent_id))
        return f"<OwnSpan {ids}, flags {self.flags}, tracestate {self.tracestate.decode('latin-1')!r}>"


@final
class SpanIds:
    """Random span ids in hex digits. For speed: 64 of them are made at once."""

    __slots__ = ("_made",)

    def __init__(self) -> None:
        self._made: list[bytes] = []

    def take(self) -> bytes:
        """16 digits, not all zero."""
        made = self._made
        if not made:
            made += [each if each != _NO_ID else _LEAST_ID for each in _IDS.unpack(b"%01024x" % getrandbits(64 * 64))]
        return made.pop()


class Joined(NamedTuple):
    """Our place in the trace: the context to write, and our span; None if it is not recorded."""

    context: TraceContext
    span: OwnSpan | None


def join(extraction: Extraction, sampler: Sampler, random_bits: RandomBits) -> Joined:
    """Make our own span: the caller's child, or the start of a trace, with the caller's bare decision if one came.

    If nobody has decided, the sampler does. DEBUG is always recorded.
    """
    came = extraction.context
    if came is None:
        return _begin(extraction.decision, sampler, random_bits)
    context = child(came, new_span_id(random_bits))
    sampling = came.sampling
    if sampling is not Sampling.DEBUG:
        if sampling is Sampling.DEFER:
            is_sampled, state = sampler.decide(came.trace_id, came.tracestate)
        else:
            is_sampled, state = sampler.heed(sampling is Sampling.ACCEPT, came.trace_id, came.tracestate)
        context = context._replace(sampling=Sampling.ACCEPT if is_sampled else Sampling.DENY, tracestate=state)
    # Ids that were made up for a bare decision name no real span, so we have no parent.
    return Joined(context, _recorded(context, "" if came.made_up else came.span_id))


def _begin(decision: Sampling | None, sampler: Sampler, random_bits: RandomBits) -> Joined:
    context = new_context(decision or Sampling.ACCEPT, random_bits=random_bits)
    if decision is None or decision is Sampling.DEFER:
        is_sampled, state = sampler.decide(context.trace_id, "")
        context = context._replace(sampling=Sampling.ACCEPT if is_sampled else Sampling.DENY, tracestate=state)
    return Joined(context, _recorded(context, ""))


def _recorded(context: TraceContext, parent_id: str) -> OwnSpan | None:
    if not context.sampling.is_sampled:
        return None
    return OwnSpan(
        context.trace_id.encode("ascii"),
        context.span_id.encode("ascii"),
        parent_id.encode("ascii"),
        SAMPLED | (RANDOM if context.random else 0),
        context.tracestate.encode("latin-1"),
    )
