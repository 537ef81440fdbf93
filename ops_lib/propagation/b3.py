"""`b3`, and the `X-B3-*` headers. openzipkin/b3-propagation, README ("Single Header", "Multiple Headers").

    b3          = sampling / context
    context     = trace-id "-" span-id [ "-" sampling [ "-" span-id ] ]       ; the last is the parent
    sampling    = "0" / "1" / "d"                                             ; deny, accept, debug
    trace-id    = 16HEXDIG / 32HEXDIG
    span-id     = 16HEXDIG

    X-B3-TraceId = trace-id        X-B3-SpanId  = span-id        X-B3-ParentSpanId = span-id
    X-B3-Sampled = "0" / "1"       X-B3-Flags   = "1"            ; debug, and outranks X-B3-Sampled

Without sampling, the receiver decides. Both encodings may carry a sampling alone.

Departures, all in what is accepted, none in what is written:
- upper-case hex is read (and lowered), since Zipkin's own tracers have always read it;
- of several values of a header, the first non-empty one counts;
- `{trace}-{span}-{parent}` is read as a deferred decision with a parent, because Brave writes it so;
- X-B3-Sampled also says `true`, `false` (old tracers) and `d` (tracers that mix up the encodings);
- X-B3-Flags counts only as "1": other values were never defined, and many tracers write "0";
- a zero parent id is ignored; in the multiple headers a malformed one is dropped alone: some proxies forward it empty.
"""

from __future__ import annotations

import re

from .codec import Codec, PlainForm
from .context import (
    ACCEPT,
    DEBUG,
    DEFER,
    DENY,
    Fields,
    Headers,
    Losses,
    Malformed,
    Policy,
    Reading,
    Sampling,
    TraceContext,
    first_of,
    new,
)
from .formats import Format, Loss

B3 = "b3"

TRACE_ID = "X-B3-TraceId"
SPAN_ID = "X-B3-SpanId"
PARENT_SPAN_ID = "X-B3-ParentSpanId"
SAMPLED = "X-B3-Sampled"
FLAGS = "X-B3-Flags"
_TRACE_ID, _SPAN_ID, _PARENT_SPAN_ID, _SAMPLED, _FLAGS = (
    name.lower() for name in (TRACE_ID, SPAN_ID, PARENT_SPAN_ID, SAMPLED, FLAGS)
)

_HEX16 = "[0-9a-fA-F]{16}"
_NON_ZERO16 = f"(?!0{{16}}){_HEX16}"
_NON_ZERO16_OR_32 = f"(?!0+(?![0-9a-fA-F]))(?:{_HEX16}){{1,2}}"
_match_single = re.compile(f"({_NON_ZERO16_OR_32})-({_NON_ZERO16})(?:-([01d]))?(?:-({_HEX16}))?").fullmatch
_match_trace_id = re.compile(_NON_ZERO16_OR_32).fullmatch
_match_span_id = re.compile(_NON_ZERO16).fullmatch
_match_id_shape = re.compile(f"(?:{_HEX16}){{1,2}}").fullmatch
_match_single_shape = re.compile(f"((?:{_HEX16}){{1,2}})-({_HEX16})(?:-.*)?").fullmatch

_SINGLE_SAMPLING = {"0": DENY, "1": ACCEPT, "d": DEBUG, None: DEFER}
_MULTI_SAMPLING = {
    "0": DENY,
    "1": ACCEPT,
    "false": DENY,
    "true": ACCEPT,
    "d": DEBUG,
}
_PARENT_ZERO = "0" * 16


def _context(trace_id: str, span_id: str, sampling: Sampling, parent_id: str | None) -> TraceContext:
    """The context for ids that match the grammar."""
    short = len(trace_id) == 16
    if parent_id is not None:
        parent_id = parent_id.lower() if parent_id != _PARENT_ZERO else None
    trace_id = trace_id.lower()
    if short:
        trace_id = _PARENT_ZERO + trace_id
    return new(TraceContext, (trace_id, span_id.lower(), sampling, short, False, parent_id, "", False))


def extract(fields: Fields) -> Reading:
    """The context, or the bare decision, in `b3`."""
    value = fields[B3][0]
    found = _match_single(value)
    if found is None:
        value = first_of(fields[B3])
        found = _match_single(value)
        if found is None:
            decision = _SINGLE_SAMPLING.get(value)
            return (decision, None) if decision is not None else (None, _why_single(value))
    trace_id, span_id, sampling, parent_id = found.groups()
    return _context(trace_id, span_id, _SINGLE_SAMPLING[sampling], parent_id), None


def _why_single(value: str) -> Malformed:
    """Why this `b3` was refused."""
    if not value:
        return Malformed.EMPTY
    found = _match_single_shape(value)
    if found is None:
        return Malformed.SHAPE
    if not _match_trace_id(found[1]) or not _match_span_id(found[2]):
        return Malformed.ZERO_ID
    return Malformed.DECISION if value.count("-") < 3 else Malformed.SHAPE


def extract_multi(fields: Fields) -> Reading:
    """The context, or the bare decision, in the `X-B3-*` headers."""
    sampling = DEFER
    if (values := fields.get(_SAMPLED)) is not None:
        value = values[0]
        decision = _MULTI_SAMPLING.get(value) or _MULTI_SAMPLING.get(first_of(values).lower())
        if decision is None:
            return None, Malformed.DECISION
        sampling = decision
    if (values := fields.get(_FLAGS)) is not None and first_of(values) == "1":
        sampling = DEBUG
    trace_ids = fields.get(_TRACE_ID)
    span_ids = fields.get(_SPAN_ID)
    parent_ids = fields.get(_PARENT_SPAN_ID)
    if trace_ids is None or span_ids is None:
        if trace_ids is not None or span_ids is not None or parent_ids is not None:
            return None, Malformed.MISSING_ID
        return (sampling or None), None
    trace_id = trace_ids[0]
    span_id = span_ids[0]
    if not _match_trace_id(trace_id):
        trace_id = first_of(trace_ids)
        if not _match_trace_id(trace_id):
            return None, _why_id(trace_id)
    if not _match_span_id(span_id):
        span_id = first_of(span_ids)
        if not _match_span_id(span_id):
            return None, _why_id(span_id)
    if parent_ids is None:
        return _context(trace_id, span_id, sampling, None), None
    parent_id = first_of(parent_ids)
    if len(parent_id) != 16 or not _match_id_shape(parent_id):
        return _context(trace_id, span_id, sampling, None), Malformed.PARENT_ID
    return _context(trace_id, span_id, sampling, parent_id), None


def _why_id(value: str) -> Malformed:
    """Why this id was refused."""
    if not value:
        return Malformed.EMPTY
    return Malformed.ZERO_ID if _match_id_shape(value) and set(value) == {"0"} else Malformed.SHAPE


_SINGLE_OUT = {DENY: "0", ACCEPT: "1", DEBUG: "d"}
_MULTI_OUT = {DENY: (SAMPLED, "0"), ACCEPT: (SAMPLED, "1"), DEBUG: (FLAGS, "1")}


def inject_decision(decision: Sampling, headers: Headers) -> None:
    """Append a bare decision as `b3`. Not for DEFER: its form is no header."""
    headers.append((B3, _SINGLE_OUT[decision]))


def inject_multi_decision(decision: Sampling, headers: Headers) -> None:
    """Append a bare decision as `X-B3-Sampled` or `X-B3-Flags`. Not for DEFER: its form is no header."""
    headers.append(_MULTI_OUT[decision])


def inject(context: TraceContext, policy: Policy, headers: Headers, losses: Losses) -> None:
    """Append `b3`; note what is lost. Made-up ids are written as the bare decision that they stand for."""
    trace_id, span_id, sampling, short, is_random, parent_id, tracestate, made_up = context
    if made_up and sampling:
        inject_decision(sampling, headers)
    else:
        value = f"{trace_id[16:] if short else trace_id}-{span_id}"
        if sampling is not DEFER:
            value = f"{value}-{_SINGLE_OUT[sampling]}"
            if parent_id is not None:
                value = f"{value}-{parent_id}"
        elif parent_id is not None:
            losses.append(_LOST_PARENT)
        headers.append((B3, value))
    if tracestate:
        losses.append(_LOST_TRACESTATE)
    if is_random and not made_up:
        losses.append(_LOST_RANDOM)


def inject_multi(context: TraceContext, policy: Policy, headers: Headers, losses: Losses) -> None:
    """Append the `X-B3-*` headers; note what is lost.
    Made-up ids are written as the bare decision that they stand for.
    """
    trace_id, span_id, sampling, short, is_random, parent_id, tracestate, made_up = context
    if not (made_up and sampling):
        headers.append((TRACE_ID, trace_id[16:] if short else trace_id))
        headers.append((SPAN_ID, span_id))
        if parent_id is not None:
            headers.append((PARENT_SPAN_ID, parent_id))
    if sampling is not DEFER:
        headers.append(_MULTI_OUT[sampling])
    if tracestate:
        losses.append(_MULTI_LOST_TRACESTATE)
    if is_random and not made_up:
        losses.append(_MULTI_LOST_RANDOM)


_LOST_PARENT = (Format.B3, Loss.PARENT)
_LOST_TRACESTATE = (Format.B3, Loss.TRACESTATE)
_LOST_RANDOM = (Format.B3, Loss.RANDOM)
_MULTI_LOST_TRACESTATE = (Format.B3MULTI, Loss.TRACESTATE)
_MULTI_LOST_RANDOM = (Format.B3MULTI, Loss.RANDOM)

CODEC = Codec(
    format=Format.B3,
    writes=(B3,),
    extract=extract,
    inject=inject,
    inject_decision=inject_decision,
    cannot_say=frozenset({Loss.TRACESTATE, Loss.RANDOM}),
    plain=PlainForm((((B3,), "<trace_id>-<span_id>-<sampled>(?:-<parent_id>)?"),)),
    family="b3",
)

_IDS = (_TRACE_ID, _SPAN_ID, _SAMPLED)
_PLAIN_IDS = "<trace_id>\n<span_id>\n<sampled>"

MULTI_CODEC = Codec(
    format=Format.B3MULTI,
    writes=(TRACE_ID, SPAN_ID, PARENT_SPAN_ID, SAMPLED, FLAGS),
    extract=extract_multi,
    inject=inject_multi,
    inject_decision=inject_multi_decision,
    cannot_say=frozenset({Loss.TRACESTATE, Loss.RANDOM}),
    plain=PlainForm((((*_IDS, _PARENT_SPAN_ID), f"{_PLAIN_IDS}\n<parent_id>"), (_IDS, _PLAIN_IDS))),
    family="b3",
)
