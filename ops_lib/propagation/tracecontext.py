"""`traceparent` and `tracestate`. W3C Trace Context, level 2, §3.2 and §3.3.

    traceparent   = version "-" trace-id "-" parent-id "-" trace-flags      ; §3.2.2; 55 characters in version 00
    version       = 2HEXDIGLC      ; ff is forbidden
    trace-id      = 32HEXDIGLC     ; all zero is forbidden
    parent-id     = 16HEXDIGLC     ; all zero is forbidden
    trace-flags   = 2HEXDIGLC      ; bit 0 sampled, bit 1 random-trace-id; the others are never passed on

A higher version is read as its first 55 characters, followed by nothing or by "-" and anything (§3.2.4, "Versioning of
traceparent"), and written as 00.
There must be exactly one header: two, even equal ones, are malformed.
"""

from __future__ import annotations

import re

from . import ops_member, tracestate
from .codec import Codec, PlainForm
from .context import (
    ACCEPT,
    DEBUG,
    DEFER,
    DENY,
    SPAN_ID_ZERO,
    TRACE_ID_ZERO,
    Fields,
    Headers,
    Losses,
    Malformed,
    Policy,
    Reading,
    TraceContext,
    new,
)
from .formats import Format, Loss

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"

_LENGTH = 55
_match = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})",
).match
_match_shape = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}").match

# The two flags that are read, as (sampling, random), for every value of trace-flags.
_FLAGS = {f"{n:02x}": (ACCEPT if n & 1 else DENY, bool(n & 2)) for n in range(256)}
_FLAGS_OUT = ("00", "01", "02", "03")

_LOST_DEFER = (Format.TRACECONTEXT, Loss.DEFER)
_LOST_DEBUG = (Format.TRACECONTEXT, Loss.DEBUG)
_LOST_WIDTH = (Format.TRACECONTEXT, Loss.WIDTH)
_LOST_PARENT = (Format.TRACECONTEXT, Loss.PARENT)
_LOST_BARE = (Format.TRACECONTEXT, Loss.BARE)
_CUT = (Format.TRACECONTEXT, Loss.TRACESTATE_CUT)


def extract(fields: Fields) -> Reading:
    """The context in `traceparent` and `tracestate`. A malformed `tracestate` is dropped alone."""
    values = fields.get(TRACEPARENT)
    if values is None:
        return None, Malformed.NO_TRACEPARENT
    if len(values) != 1:
        return None, Malformed.DUPLICATE
    value = values[0]
    if (found := _match(value)) is None:
        value = value.strip(" \t")
        if (found := _match(value)) is None:
            return None, _why(value)
    version, trace_id, span_id, flags = found.groups()
    if len(value) != _LENGTH:
        value = value.rstrip(" \t")
        if len(value) != _LENGTH and (version == "00" or value[_LENGTH] != "-" or "," in value):
            return None, _why(value)
    sampling, is_random = _FLAGS[flags]
    states = fields.get(TRACESTATE)
    if states is None:
        return new(TraceContext, (trace_id, span_id, sampling, False, is_random, None, "", False)), None
    read = tracestate.read(states)
    if read is None:
        return TraceContext(trace_id, span_id, sampling, False, is_random), Malformed.TRACESTATE
    others, own = read
    context = new(TraceContext, (trace_id, span_id, sampling, False, is_random, None, others, False))
    return (ops_member.believe(own, context) if own else context), None


def _why(value: str) -> Malformed:
    """Why this `traceparent` was refused."""
    if not value:
        return Malformed.EMPTY
    if "," in value:
        return Malformed.DUPLICATE
    found = _match_shape(value)
    if found is None:
        return Malformed.SHAPE
    if found[1] == "ff":
        return Malformed.VERSION
    if found[2] == TRACE_ID_ZERO or found[3] == SPAN_ID_ZERO:
        return Malformed.ZERO_ID
    return Malformed.SHAPE


def inject(context: TraceContext, policy: Policy, headers: Headers, losses: Losses) -> None:
    """Append `traceparent`, and `tracestate` if there is one or `ops=` keeps something; note what is lost."""
    trace_id, span_id, sampling, short, is_random, parent_id, others, made_up = context
    if sampling is DEFER:
        losses.append(_LOST_DEFER)
        is_sampled = policy.decide(trace_id) is ACCEPT
    else:
        is_sampled = sampling is not DENY
    flags = _FLAGS_OUT[is_sampled + 2 * is_random]
    headers.append((TRACEPARENT, f"00-{trace_id}-{span_id}-{flags}"))
    if parent_id is not None:
        losses.append(_LOST_PARENT)
    if made_up and is_sampled:
        losses.append(_LOST_BARE)
    own = ""
    if short or made_up or sampling is DEBUG or sampling is DEFER:
        if policy.lossless and not ops_member.is_taken(others):
            own = ops_member.member(context)
        else:
            if sampling is DEBUG:
                losses.append(_LOST_DEBUG)
            if short:
                losses.append(_LOST_WIDTH)
    if own or others:
        value = tracestate.write(own, others)
        if len(value) < len(own) + len(others):
            losses.append(_CUT)
        headers.append((TRACESTATE, value))


CODEC = Codec(
    format=Format.TRACECONTEXT,
    writes=(TRACEPARENT, TRACESTATE),
    extract=extract,
    inject=inject,
    cannot_say=frozenset({Loss.DEFER, Loss.DEBUG, Loss.WIDTH, Loss.PARENT, Loss.BARE}),
    keeps=frozenset({Loss.DEFER, Loss.DEBUG, Loss.WIDTH, Loss.BARE}),
    plain=PlainForm((((TRACEPARENT,), "00-<trace_id_128>-<span_id>-0<flags>"),), state=TRACESTATE),
    baggage="w3c",
)
