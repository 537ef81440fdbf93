"""Values of a plan: how the sidecar takes part in a trace. Immutable.

Must not know sockets, clocks or the event loop: a plan is a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class SamplingPlan:
    """How it is decided whether a trace is recorded, if nobody has decided yet."""

    ratio: float = 1.0  # of traces, 0 to 1
    per_second: float = 0.0  # traces at most; 0 for no limit
    is_parent_based: bool = True  # whether a caller's decision is heeded


EVERY_TRACE: Final = SamplingPlan()


@dataclass(frozen=True, slots=True)
class TrustPlan:
    """What a peer is believed."""

    ids: Literal["continue", "restart", "ignore"] = "continue"  # restart: a new trace, the peer's as a link
    decision: bool = True  # whether it is sampled, and debug
    baggage: bool = True
    session: bool = True


FULL_TRUST: Final = TrustPlan()


@dataclass(frozen=True, slots=True)
class LinkingPlan:
    """By which evidence a call that carries no context is joined to a request at the app."""

    headers: tuple[str, ...] = ()  # in lower case, in the order in which they are tried
    process: bool = True
    single: bool = True


@dataclass(frozen=True, slots=True)
class InFlightPlan:
    """How many requests at the app are remembered."""

    limit: int = 10_000
    limit_bytes: int = 16 * 1024 * 1024
    max_age_s: float = 3600.0
