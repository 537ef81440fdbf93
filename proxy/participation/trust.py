"""Whom to believe, and what is left of a request's context from a peer that is only partly believed. PURE."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ops_lib.hosts import HostTable
from ops_lib.propagation import Extraction, Sampling, TraceContext, without_cargo
from proxy.plan.participation import FULL_TRUST, TrustPlan, TrustRulePlan


class TrustRules:
    """The rules of one listener, in order. The first that is about a peer counts; rule 0 is that of all others.

    `plans` and `names` are those of each rule.
    """

    __slots__ = ("_rules", "names", "plans")

    def __init__(self, rules: Iterable[TrustRulePlan]) -> None:
        rules = tuple(rules)
        self._rules = [
            (HostTable((peer, True) for peer in rule.peers) if rule.peers else None, rule.names) for rule in rules
        ]
        self.plans = (FULL_TRUST, *(rule.trust for rule in rules))
        self.names = ("", *(rule.name for rule in rules))

    def __len__(self) -> int:
        return len(self._rules)

    def rule_of(self, address: str, names: tuple[str, ...]) -> int:
        """The number of the rule for a peer: its `address`, empty on a Unix socket, and its certificate's `names`."""
        for number, (peers, wanted) in enumerate(self._rules, 1):
            if peers is not None and not (address and peers.find(address, 0)):
                continue
            if not wanted or any(is_named(name, pattern) for name in names for pattern in wanted):
                return number
        return 0


def is_named(name: str, pattern: str) -> bool:
    """Whether a certificate's `name` is that of `pattern`, both in lower case; `*.` stands for one or more labels."""
    if pattern.startswith("*."):
        return name.endswith(pattern[1:]) and len(name) >= len(pattern)
    return name == pattern


class Believed(NamedTuple):
    """What counts of an extraction, and the context to which a new trace links."""

    extraction: Extraction
    link: TraceContext | None = None
    refused: tuple[str, ...] = ()  # what came and does not count: ids, decision, baggage, session


def believe(extraction: Extraction, trust: TrustPlan) -> Believed:
    """`extraction`, without the parts that the peer is not believed.

    A decision that does not count is as if nobody had decided.
    If ids are not continued, at most a bare decision is left of the
    trace, and only with `restart`: an ignored peer decides nothing.
    """
    if trust == FULL_TRUST:
        return Believed(extraction)
    context, decision, link = extraction.context, extraction.decision, None
    refused: list[str] = []
    if context is not None and trust.ids != "continue":
        refused.append("ids")
    if not (trust.decision and trust.ids != "ignore") and _decides(context, decision):
        refused.append("decision")
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
        kept = kept._replace(conflicts=(), span_conflicts=())
    baggage = extraction.baggage
    if baggage is not None:
        baggage = without_cargo(baggage, trace=trust.ids != "ignore", session=trust.session) if trust.baggage else None
        if baggage != extraction.baggage:
            kept = kept._replace(baggage=baggage)
            refused.append("baggage")
    if extraction.session is not None and not trust.session:
        kept = kept._replace(session=None)
        refused.append("session")
    return Believed(kept, link, tuple(refused))


def _decides(context: TraceContext | None, decision: Sampling | None) -> bool:
    decided = context.sampling if context is not None else decision
    return decided is not None and decided is not Sampling.DEFER
