"""Whom to believe, and what may leave for whom."""

from __future__ import annotations

from typing import Literal

from proxy.settings.kinds import CertificateNames, Networks, Patterns
from proxy.settings.sections.section import Section


class TrustRule(Section):
    """What peers are believed. Without `peers` and `names` the rule is about anyone."""

    name: str | None = None  # label of metrics; None: the rule's number
    listener: str = "inbound"
    peers: Networks = ()
    names: CertificateNames = ()
    ids: Literal["continue", "restart", "ignore"] = "continue"
    decision: bool = True
    baggage: bool = True
    session: bool = True


class EgressSettings(Section):
    """The hosts to which each may go. None: all hosts."""

    trace: Patterns | None = None
    session: Patterns | None = None
    baggage: Patterns | None = None
