"""Puts the contents of headers into an OpenTelemetry Context, and a Context into values that the heart writes.

The wire rules are the heart's (`ops_lib.propagation`, docs/formats.md).
May know: the heart's values, the Context, sessions, OpenTelemetry's
span and baggage API. Must not know carriers or settings.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanContext, TraceState

from ops_lib.context.current import EXTRACTION_KEY, SESSION_KEY, SPAN_KEY
from ops_lib.context.otel_tracestate import NO_STATE, plain_text, state_text
from ops_lib.propagation import (
    HAS_STATE,
    IS_RANDOM,
    Baggage,
    Extraction,
    Format,
    Member,
    Plain,
    PlainBaggage,
    Sampling,
    TraceContext,
)
from ops_lib.propagation.baggage import encode, is_key
from ops_lib.spans.unrecorded import RANDOM, DenyingSpan, LightSpan, RemoteSpan, plain_span, told_span

_baggage_key = ""  # where OpenTelemetry keeps baggage in the Context; see _find_baggage_key


def _find_baggage_key() -> str:
    """OpenTelemetry's own key for baggage, learnt through its public function and remembered."""
    global _baggage_key
    from opentelemetry import baggage

    _baggage_key = next(iter(baggage.set_baggage("k", "v", Context())))
    return _baggage_key


def plain_of(span: object) -> Plain[str] | None:
    """The current span as the fast path writes it; None if it cannot.

    It cannot if there is no valid span, if nothing is decided yet, or if the tracestate is not plain.
    Only for a Context without an Extraction, which would say more about the caller.
    """
    if span.__class__ is RemoteSpan:
        return span.plain
    if span.__class__ is LightSpan:
        if not span.decided:
            return None
        trace_id, span_id, flags, state = span.trace_id, span.span_id, span.flags, span.state
    elif isinstance(span, Span):
        ids = span.get_span_context()
        if ids.__class__ is not SpanContext:
            return None
        trace_id, span_id, _, flags, state, is_valid = ids  # read as a tuple, for speed
        if not is_valid:
            return None
    else:
        return None
    text = plain_text(state)
    if text is None:
        return None
    told = (f"{trace_id:032x}", f"{span_id:016x}", "1" if flags & 1 else "0")
    traits = IS_RANDOM if flags & RANDOM else 0
    if text:
        traits |= HAS_STATE
    return told, text, None, Format.TRACECONTEXT, traits, None, None


def trace_context_of(span: object, came: TraceContext | None, decision: Sampling | None = None) -> TraceContext | None:
    """The current span as a record to write; None if there is no valid span.

    `came`: what the caller said.
    It still counts in spans of the same trace: 64-bit ids, debug, no decision.
    `decision`: the caller's bare decision.
    Debug stays in every sampled span.
    """
    if span.__class__ is LightSpan:
        trace_id = f"{span.trace_id:032x}"
        span_id = f"{span.span_id:016x}"
        flags: int = span.flags
        state: TraceState = span.state
        decided: bool = span.decided
    elif isinstance(span, Span) and span.__class__ is not DenyingSpan and (ids := span.get_span_context()).is_valid:
        trace_id = f"{ids.trace_id:032x}"
        span_id = f"{ids.span_id:016x}"
        flags = ids.trace_flags
        state = ids.trace_state
        decided = True
    else:
        return None
    sampling = Sampling.ACCEPT if flags & 1 else Sampling.DENY
    short = False
    if came is not None and came.trace_id == trace_id:
        short = came.short
        decision = came.sampling
        if not decided:
            sampling = Sampling.DEFER
    if decision is Sampling.DEBUG and sampling is Sampling.ACCEPT and (came is None or came.trace_id == trace_id):
        sampling = Sampling.DEBUG
    return TraceContext(
        trace_id, span_id, sampling, short, bool(flags & RANDOM), None, "" if state is NO_STATE else state_text(state)
    )


class PlainEntries(dict[str, str]):
    """Baggage from the fast path, with the original header. For OpenTelemetry, an ordinary mapping."""

    plain: PlainBaggage[str]


def baggage_in(context: Context) -> object:
    """The baggage in `context`, None if there is none."""
    # Only OpenTelemetry's baggage module puts baggage into a Context. If it was never imported, there is none.
    if not _baggage_key:
        if "opentelemetry.baggage" not in sys.modules:
            return None
        _find_baggage_key()
    return context.get(_baggage_key)


def baggage_of(entries: object, came: Baggage | None) -> Baggage | None:
    """The baggage to write; None for none. `entries`: from `baggage_in`; `came`: the caller's baggage.

    A member that is still as the caller sent it goes out unchanged, with its properties.
    """
    if not isinstance(entries, Mapping) or not entries:
        return None
    raw = dict(came.members) if came is not None else {}
    decoded = came.decoded() if came is not None else {}
    members = []
    for key, value in entries.items():
        name, text = str(key), str(value)
        if decoded.get(name) == text:
            members.append(Member(name, raw[name]))
        elif is_key(name):
            members.append(Member(name, encode(text)))
    return Baggage(tuple(members)) if members else None


def plain_into_context(said: Plain[str], base: Context) -> Context:
    """`base` with the values of `said`. An Extraction of an earlier carrier in `base` is removed."""
    session_id, baggage = said[2], said[6]
    told: dict[str, object] = {SPAN_KEY: plain_span(said)}
    if session_id is not None:
        told[SESSION_KEY] = session_id
    if baggage is not None:
        entries = PlainEntries(baggage[1])
        entries.plain = baggage
        told[_baggage_key or _find_baggage_key()] = entries
    if base:
        told = {**base, **told}
        told.pop(EXTRACTION_KEY, None)
    return Context(told)


def into_context(extraction: Extraction, base: Context) -> Context:
    """`base` with the values of `extraction`."""
    came = extraction.context
    if came is None and extraction.decision is None and extraction.session is None and extraction.baggage is None:
        return base
    if came is None and extraction.decision is None and isinstance(before := base.get(EXTRACTION_KEY), Extraction):
        extraction = before._replace(
            session=extraction.session or before.session, baggage=extraction.baggage or before.baggage
        )
    told: dict[str, object] = {EXTRACTION_KEY: extraction}
    if came is not None:
        told[SPAN_KEY] = told_span(came)
    elif extraction.decision is Sampling.DENY and not _is_valid(base.get(SPAN_KEY)):
        told[SPAN_KEY] = DenyingSpan()
    if extraction.session is not None:
        told[SESSION_KEY] = extraction.session
    if extraction.baggage is not None:
        told[_baggage_key or _find_baggage_key()] = extraction.baggage.decoded()
    return Context({**base, **told})


def _is_valid(span: object) -> bool:
    return isinstance(span, Span) and span.get_span_context().is_valid
