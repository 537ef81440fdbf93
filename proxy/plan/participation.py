"""Values of a plan: how the sidecar takes part in a trace. Immutable.

Must not know sockets, clocks or the event loop: a plan is a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class SamplingPlan:
    """How to decide whether a trace is recorded, if nobody has decided yet."""

    ratio: float = 1.0  # of traces, 0 to 1
    per_second: float = 0.0  # traces at most; 0 for no limit
    is_parent_based: bool = True  # whether a caller's decision counts


EVERY_TRACE: Final = SamplingPlan()


@dataclass(frozen=True, slots=True)
class TrustPlan:
    """How far a peer is believed."""

    ids: Literal["continue", "restart", "ignore"] = "continue"  # restart: a new trace, the peer's as a link
    decision: bool = True  # whether it is sampled, and debug
    baggage: bool = True
    session: bool = True


FULL_TRUST: Final = TrustPlan()


@dataclass(frozen=True, slots=True)
class LinkingPlan:
    """The evidence that joins a call without context to a request at the app."""

    headers: tuple[str, ...] = ()  # in lower case, in the order of trying
    process: bool = True
    single: bool = True


@dataclass(frozen=True, slots=True)
class InFlightPlan:
    """Limits of the memory of requests at the app."""

    limit: int = 10_000
    limit_bytes: int = 16 * 1024 * 1024
    max_age_s: float = 3600.0


DEFAULT_IN_FLIGHT: Final = InFlightPlan()
DEFAULT_LINKING: Final = LinkingPlan()
