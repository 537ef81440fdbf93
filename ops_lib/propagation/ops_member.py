"""Our own member of `tracestate`, `ops=`: keeps what `traceparent` cannot say for the way back.

    member = "ops=" item *( ";" item )
    item   = "s:d"                  ; sampling was DEBUG
           / "s:q." 16HEXDIGLC      ; sampling was DEFER when the span with this id made the call
           / "w:16"                 ; the trace id was 64 bits wide
           / "b:1"                  ; the ids were made up for a bare decision

Ours alone; no specification has it.
A value outside this grammar belongs to another vendor, and is passed on.
So is one with an item from a later version of this module.
`s:q` without a span is what the first version wrote: it is ours, and never believed.

Others copy the member from request to request without reading it (W3C Trace Context §3.3.1), so it goes stale.
An item counts only while it agrees with the `traceparent` beside it; otherwise `traceparent` is right:

    s:d    needs the sampled flag: a span that joins a debug trace and records is still in a debug trace
    s:q    needs the span that it names: a span that has joined has decided for itself, and its flag says what
    w:16   needs a trace id whose upper half is zero: joining a trace does not change its id
    b:1    needs the span id that repeats the trace id (`context.stand_in`): a real span has an id of its own
"""

from __future__ import annotations

import re

from .context import ACCEPT, DEBUG, DEFER, TraceContext

KEY = "ops"
PREFIX = "ops="

_ZERO_HALF = "0" * 16
_DEFERRED = "s:q."
_ITEM = r"(?:s:d|s:q(?:\.[0-9a-f]{16})?|w:16|b:1)"
_match = re.compile(rf"{_ITEM}(?:;{_ITEM})*").fullmatch


def is_ours(value: str) -> bool:
    """Whether we write, or have ever written, this `value` of a member with our key."""
    return _match(value) is not None


def is_taken(others: str) -> bool:
    """Whether another vendor's member has our key. Then we write none: keys must not be duplicated."""
    return PREFIX in others and (others.startswith(PREFIX) or f",{PREFIX}" in others)


def believe(value: str, context: TraceContext) -> TraceContext:
    """`context` as read from `traceparent`, completed by our member's value as far as the two agree."""
    sampling, short, made_up = context.sampling, context.short, context.made_up
    for item in value.split(";"):
        if item == "s:d":
            if sampling is ACCEPT:
                sampling = DEBUG
        elif item.startswith(_DEFERRED):
            if item.endswith(context.span_id):
                sampling = DEFER
        elif item == "w:16":
            short = context.trace_id.startswith(_ZERO_HALF)
        elif item == "b:1":
            made_up = context.trace_id.endswith(context.span_id)
    made_up = made_up and sampling is not DEFER  # a bare decision is never DEFER
    return context._replace(sampling=sampling, short=short, made_up=made_up)


def member(context: TraceContext) -> str:
    """Our member for `context`, or "" if there is nothing to keep."""
    items = []
    if context.sampling is DEBUG:
        items.append("s:d")
    elif context.sampling is DEFER:
        items.append(_DEFERRED + context.span_id)
    if context.short:
        items.append("w:16")
    if context.made_up:
        items.append("b:1")
    return PREFIX + ";".join(items) if items else ""
