"""`uber-trace-id` and `jaeger-debug-id`. Jaeger, "Client libraries", section "Propagation format" (now in its archive).

    uber-trace-id = trace-id ":" span-id ":" parent-id ":" flags
    trace-id      = 1*32HEXDIG     ; zero-padded on reading; all zero is malformed; up to 16 digits = 64 bits wide
    span-id       = 1*16HEXDIG     ; zero-padded on reading; all zero is malformed
    parent-id     = *any           ; deprecated: ignored on reading, written as "0"
    flags         = 1*HEXDIG       ; bit 0 sampled, bit 1 debug (only together with bit 0)

A ":" may come as "%3A" (clients that URL-encode).
`jaeger-debug-id: anything` without a context asks for a debug trace; its value is a search term for Jaeger's UI; no
other format has room for it.

Departure: the documentation has flags as one byte in two digits. Tracers write one or two, and Go's also read more.
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
    TraceContext,
    first_of,
    new,
)
from .formats import Format, Loss

UBER_TRACE_ID = "uber-trace-id"
DEBUG_ID = "jaeger-debug-id"

_HEX = "[0-9a-fA-F]"
_match = re.compile(
    f"(?!0+:)({_HEX}{{1,32}}):(?!0+:)({_HEX}{{1,16}}):[^:]*:{_HEX}*({_HEX})",
).fullmatch
_match_shape = re.compile(f"({_HEX}{{1,32}}):({_HEX}{{1,16}}):[^:]*:{_HEX}+").fullmatch
_colon = re.compile("%3[aA]")

_SAMPLING = {
    digit: DENY if not bits & 1 else DEBUG if bits & 2 else ACCEPT
    for bits in range(16)
    for digit in (f"{bits:x}", f"{bits:X}")
}
_FLAGS_OUT = {DENY: "0", ACCEPT: "1", DEBUG: "3"}


def extract(fields: Fields) -> Reading:
    """The context in `uber-trace-id`, or the bare DEBUG of `jaeger-debug-id`."""
    values = fields.get(UBER_TRACE_ID)
    if values is None:
        return (DEBUG, None) if first_of(fields[DEBUG_ID]) else (None, Malformed.EMPTY)
    found = _match(values[0])
    if found is None:
        value = first_of(values)
        if "%" in value:
            value = _colon.sub(":", value)
        found = _match(value)
        if found is None:
            if not value:
                return None, Malformed.EMPTY
            return None, Malformed.ZERO_ID if _match_shape(value) else Malformed.SHAPE
    trace_id, span_id, flag = found.groups()
    short = len(trace_id) <= 16
    ids = trace_id.lower().zfill(32), span_id.lower().zfill(16)
    return new(TraceContext, (*ids, _SAMPLING[flag], short, False, None, "", False)), None


def inject(context: TraceContext, policy: Policy, headers: Headers, losses: Losses) -> None:
    """Append `uber-trace-id` with padded ids; note what is lost."""
    trace_id, span_id, sampling, short, is_random, parent_id, tracestate, made_up = context
    if sampling is DEFER:
        losses.append(_LOST_DEFER)
        sampling = policy.decide(trace_id)
    headers.append((UBER_TRACE_ID, f"{trace_id[16:] if short else trace_id}:{span_id}:0:{_FLAGS_OUT[sampling]}"))
    if parent_id is not None:
        losses.append(_LOST_PARENT)
    if tracestate:
        losses.append(_LOST_TRACESTATE)
    if made_up:
        if sampling is not DENY:
            losses.append(_LOST_BARE)
    elif is_random:
        losses.append(_LOST_RANDOM)


_LOST_DEFER = (Format.JAEGER, Loss.DEFER)
_LOST_PARENT = (Format.JAEGER, Loss.PARENT)
_LOST_TRACESTATE = (Format.JAEGER, Loss.TRACESTATE)
_LOST_RANDOM = (Format.JAEGER, Loss.RANDOM)
_LOST_BARE = (Format.JAEGER, Loss.BARE)

CODEC = Codec(
    format=Format.JAEGER,
    writes=(UBER_TRACE_ID,),
    only_reads=(DEBUG_ID,),
    extract=extract,
    inject=inject,
    cannot_say=frozenset({Loss.DEFER, Loss.PARENT, Loss.TRACESTATE, Loss.RANDOM, Loss.BARE}),
    plain=PlainForm((((UBER_TRACE_ID,), "<trace_id>:<span_id>:[0-9a-f]{1,16}:0?<sampled>"),)),
    baggage="jaeger",
)
