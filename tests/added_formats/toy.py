"""`X-Toy`: a format with a plain form, which is read by default. Ours alone, in no specification.

x-toy    = "toy1/" trace-id "/" span-id "/" sampling [ "/" parent-id ]
sampling = "0" / "1" / "d" / "?"      ; deny, accept, debug, no decision
"""

from __future__ import annotations

import re

from .codec import Codec, PlainForm
from .context import ACCEPT, DEBUG, DEFER, DENY, Fields, Headers, Losses, Malformed, Policy, Reading, TraceContext
from .formats import Format, Loss

TOY = Format("toy")
NAME = "X-Toy"

_match = re.compile(
    "toy1/(?!0+/)([0-9a-f]{16}(?:[0-9a-f]{16})?)/(?!0+/)([0-9a-f]{16})/([01d?])(?:/([0-9a-f]{16}))?"
).fullmatch
_SAMPLING = {"0": DENY, "1": ACCEPT, "d": DEBUG, "?": DEFER}
_OUT = {sampling: text for text, sampling in _SAMPLING.items()}


def extract(fields: Fields) -> Reading:
    """The context in `X-Toy`."""
    found = _match(fields["x-toy"][0].strip(" \t"))
    if found is None:
        return None, Malformed.SHAPE
    trace_id, span_id, sampling, parent_id = found.groups()
    short = len(trace_id) == 16
    return TraceContext(trace_id.zfill(32), span_id, _SAMPLING[sampling], short, parent_id=parent_id), None


def inject(context: TraceContext, policy: Policy, headers: Headers, losses: Losses) -> None:
    """Append `X-Toy`; note what is lost."""
    trace_id = context.trace_id[16:] if context.short else context.trace_id
    parent = f"/{context.parent_id}" if context.parent_id else ""
    headers.append((NAME, f"toy1/{trace_id}/{context.span_id}/{_OUT[context.sampling]}{parent}"))
    if context.tracestate:
        losses.append((TOY, Loss.TRACESTATE))
    if context.made_up:
        if context.sampling is not DENY:
            losses.append((TOY, Loss.BARE))
    elif context.random:
        losses.append((TOY, Loss.RANDOM))


CODEC = Codec(
    format=TOY,
    writes=(NAME,),
    extract=extract,
    inject=inject,
    cannot_say=frozenset({Loss.TRACESTATE, Loss.RANDOM, Loss.BARE}),
    plain=PlainForm(((("x-toy",), "toy1/<trace_id>/<span_id>/<sampled>(?:/<parent_id>)?"),)),
)
