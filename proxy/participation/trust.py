"""What is left of a request's context from a peer that is only partly believed. PURE."""

from __future__ import annotations

from typing import NamedTuple

from ops_lib.propagation import Extraction, Sampling, TraceContext
from proxy.plan.participation import FULL_TRUST, TrustPlan


class Believed(NamedTuple):
    """What counts of an extraction, and the context to which a new trace links."""

    extraction: Extraction
    link: TraceContext | None = None


def believe(extraction: Extraction, trust: TrustPlan) -> Believed:
    """`extraction`, without the parts that the peer is not believed.

    A decision that does not count is as if nobody had decided.
    If ids are not continued, at most a bare decision is left of the
    trace, and only with `restart`: an ignored peer decides nothing.
    """
    if trust == FULL_TRUST:
        return Believed(extraction)
    context, decision, link = extraction.context, extraction.decision, None
    if not trust.decision:
        decision = None
        if context is not None:
            context = context._replace(sampling=Sampling.DEFER)
    if trust.ids == "restart" and context is not None:
        link, context = context, None
        decision = link.sampling if link.sampling is not Sampling.DEFER else None
    elif trust.ids == "ignore":
        context = decision = None
    kept = extraction._replace(context=context, decision=decision)
    if context is None:
        kept = kept._replace(conflicts=())
    if not trust.baggage:
        kept = kept._replace(baggage=None)
    if not trust.session:
        kept = kept._replace(session=None)
    return Believed(kept, link)
