"""Our own member of `tracestate`, `ops=`: what `traceparent` cannot say, kept for the way back.

    member = "ops=" item *( ";" item )
    item   = "s:d"     ; sampling was DEBUG
           / "s:q"     ; sampling was DEFER
           / "w:16"    ; the trace id was 64 bits wide
           / "b:1"     ; the ids were made up for a bare decision

Ours alone, in no specification. Others copy the member from request to request without reading it (W3C Trace Context
§3.3.1), so it goes stale: each item is believed only while it agrees with the `traceparent` beside it. Else the item is
dropped, and `traceparent` is right. Unknown items are ignored, so that a later version may add some.
"""

from __future__ import annotations

from .context import ACCEPT, DEBUG, DEFER, DENY, TraceContext

KEY = "ops"
PREFIX = "ops="

_ZERO_HALF = "0" * 16


def believe(item_list: str, context: TraceContext) -> TraceContext:
    """`context` as read from `traceparent`, corrected by the value of our member.

    `s:d` needs the sampled flag, `s:q` needs its absence, `w:16` a zero upper half, and `b:1` the made-up span id
    (`context.stand_in`), which is gone as soon as a real span has joined the trace.
    """
    sampling, short, made_up = context.sampling, context.short, context.made_up
    for item in item_list.split(";"):
        if item == "s:d":
            if sampling is ACCEPT:
                sampling = DEBUG
        elif item == "s:q":
            if sampling is DENY:
                sampling = DEFER
        elif item == "w:16":
            short = context.trace_id.startswith(_ZERO_HALF)
        elif item == "b:1":
            made_up = context.trace_id.endswith(context.span_id)
    made_up = made_up and sampling is not DEFER  # no bare decision is a deferred one
    return context._replace(sampling=sampling, short=short, made_up=made_up)


def member(context: TraceContext, *, sampled: bool) -> str:
    """Our member for `context` when `traceparent` says `sampled`, or "" where there is nothing to keep."""
    items = []
    if context.sampling is DEBUG:
        items.append("s:d")
    elif context.sampling is DEFER and not sampled:
        items.append("s:q")
    if context.short:
        items.append("w:16")
    if context.made_up:
        items.append("b:1")
    return PREFIX + ";".join(items) if items else ""
