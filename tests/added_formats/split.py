"""`X-Split-Id`: a format with a split id and no plain form, which is read only where it is asked for. Like X-Ray's.

x-split-id = "Root=1-" 8HEXDIG "-" 24HEXDIG ";Parent=" 16HEXDIG ";Sampled=" ( "0" / "1" / "?" )
"""

from __future__ import annotations

import re

from .codec import Codec
from .context import ACCEPT, DEFER, DENY, Fields, Headers, Losses, Malformed, Policy, Reading, TraceContext
from .formats import Format, Loss

SPLIT = Format("split")
NAME = "X-Split-Id"

_match = re.compile("Root=1-([0-9a-f]{8})-([0-9a-f]{24});Parent=(?!0+;)([0-9a-f]{16});Sampled=([01?])").fullmatch
_SAMPLING = {"0": DENY, "1": ACCEPT, "?": DEFER}


def extract(fields: Fields) -> Reading:
    """The context in `X-Split-Id`."""
    found = _match(fields["x-split-id"][0].strip(" \t"))
    if found is None:
        return None, Malformed.SHAPE
    if not (found[1] + found[2]).strip("0"):
        return None, Malformed.ZERO_ID
    return TraceContext(found[1] + found[2], found[3], _SAMPLING[found[4]]), None


def inject(context: TraceContext, policy: Policy, headers: Headers, losses: Losses) -> None:
    """Append `X-Split-Id`; note what is lost."""
    sampled = "?" if context.sampling is DEFER else "01"[context.sampling.is_sampled]
    root = f"1-{context.trace_id[:8]}-{context.trace_id[8:]}"
    headers.append((NAME, f"Root={root};Parent={context.span_id};Sampled={sampled}"))
    lost = {
        Loss.DEBUG: context.sampling.name == "DEBUG",
        Loss.WIDTH: context.short,
        Loss.PARENT: context.parent_id is not None,
        Loss.TRACESTATE: bool(context.tracestate),
        Loss.BARE: context.made_up and context.sampling.is_sampled,
        Loss.RANDOM: context.random and not context.made_up,
    }
    losses.extend((SPLIT, loss) for loss, is_lost in lost.items() if is_lost)


CODEC = Codec(
    format=SPLIT,
    writes=(NAME,),
    extract=extract,
    inject=inject,
    cannot_say=frozenset({Loss.DEBUG, Loss.WIDTH, Loss.PARENT, Loss.TRACESTATE, Loss.RANDOM, Loss.BARE}),
    by_default=False,
)
