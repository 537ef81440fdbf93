"""Which format is believed, and what the others add to it. Must not know their grammar.

The first context in the order of extraction wins.
A bare decision counts only if no format has a context.
What the winner cannot say is merged from the other contexts of the same trace.
A context of another trace is a conflict; one of the same trace with another span is a conflict of spans.

A 64-bit trace id is the same trace as a 128-bit one that ends in it: 64-bit tracers cut the id that they received.
"""

from __future__ import annotations

from typing import NamedTuple

from .context import Malformed, Sampling, TraceContext
from .formats import Format, Loss
from .registry import codec_of


class Said(NamedTuple):
    """What one format's headers say. A context with a reason has lost only a part (see Malformed)."""

    format: Format
    what: TraceContext | Sampling | None
    malformed: Malformed | None


Losers = tuple[tuple[Format, TraceContext], ...]

Verdict = tuple[Format | None, TraceContext | None, Sampling | None, Losers, Losers]

_ZERO_HALF = "0" * 16


def is_same_trace(one: str, other: str) -> bool:
    """Whether two trace ids (32 digits) are equal, or one is the other cut to 64 bits."""
    return one == other or (one[16:] == other[16:] and (one.startswith(_ZERO_HALF) or other.startswith(_ZERO_HALF)))


def _merge(winner: Format, context: TraceContext, other: TraceContext) -> TraceContext:
    """`context`, completed from `other`, a context of the same trace, by what `winner` cannot say.

    A parent belongs to a span, so it counts only if both name the same span.
    Of a whole trace id and its half, the whole one stays: a 64-bit tracer finds its half in it.
    """
    trace_id, sampling, short, parent_id = context.trace_id, context.sampling, context.short, context.parent_id
    if trace_id != other.trace_id and trace_id.startswith(_ZERO_HALF):
        trace_id, short = other.trace_id, False
    cannot_say = codec_of(winner).cannot_say
    if Loss.DEBUG in cannot_say and sampling is Sampling.ACCEPT and other.sampling is Sampling.DEBUG:
        sampling = Sampling.DEBUG
    if Loss.WIDTH in cannot_say and trace_id == other.trace_id:
        short = short or other.short
    if parent_id is None and other.span_id == context.span_id:
        parent_id = other.parent_id
    return context._replace(
        trace_id=trace_id,
        sampling=sampling,
        short=short,
        random=context.random or other.random,
        parent_id=parent_id,
        tracestate=context.tracestate or other.tracestate,
        made_up=context.made_up or (other.made_up and other.span_id == context.span_id),
    )


def decide(says: tuple[Said, ...]) -> Verdict:
    """(winner, its context with the others merged in, or its bare decision, the conflicts, the conflicts of spans)."""
    if len(says) == 1:  # the usual case, flat for speed
        format, what, _ = says[0]
        if isinstance(what, TraceContext):
            return format, what, None, (), ()
    contexts = [(format, what) for format, what, _ in says if isinstance(what, TraceContext)]
    if contexts:
        return _choose(contexts)
    for format, what, _ in says:
        if isinstance(what, Sampling):
            return format, None, what, (), ()
    return None, None, None, (), ()


def _choose(contexts: list[tuple[Format, TraceContext]]) -> Verdict:
    """The verdict for at least one context.

    Made-up ids are a bare decision in disguise, in any format. A real context wins over them.
    """
    disguised = {what[:2] for _, what in contexts if what.made_up}
    real = [said for said in contexts if said[1][:2] not in disguised]
    winner, context = (real or contexts)[0]
    conflicts: Losers = ()
    of_spans: Losers = ()
    for format, what in contexts:
        if is_same_trace(what.trace_id, context.trace_id):
            context = _merge(winner, context, what)
            if what.span_id != context.span_id and what[:2] not in disguised:
                of_spans += ((format, what),)
        elif what[:2] not in disguised:
            conflicts += ((format, what),)
    return winner, context, None, conflicts, of_spans
