"""Values of a plan: how the sidecar takes part in a trace, whom it believes, what it lets go. Immutable.

Must not know sockets, clocks or the event loop: a plan is a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from ops_lib.hosts import HostPattern


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
class TrustRulePlan:
    """One rule of trust: whom it is about, and what they are believed. Without peers and names it is about anyone."""

    name: str  # metric label
    trust: TrustPlan
    peers: tuple[HostPattern, ...] = ()  # addresses and networks
    names: tuple[str, ...] = ()  # of a client's certificate, in lower case; `*.` in front stands for labels


@dataclass(frozen=True, slots=True)
class CargoPlan:
    """What may leave for one host."""

    trace: bool = True
    session: bool = True
    baggage: bool = True


ALL_CARGO: Final = CargoPlan()


@dataclass(frozen=True, slots=True)
class EgressPlan:
    """The hosts to which trace, session and baggage may go; None for all hosts."""

    trace: tuple[HostPattern, ...] | None = None
    session: tuple[HostPattern, ...] | None = None
    baggage: tuple[HostPattern, ...] | None = None


EVERYWHERE: Final = EgressPlan()


@dataclass(frozen=True, slots=True)
class LinkingPlan:
    """The evidence that joins a call without context to a request at the app."""

    headers: tuple[str, ...] = ()  # in lower case, in the order of trying
    process: bool = True
    single: bool = True

    @property
    def is_on(self) -> bool:
        """Whether any of it counts."""
        return bool(self.headers or self.process or self.single)


@dataclass(frozen=True, slots=True)
class InFlightPlan:
    """Limits of the memory of requests at the app."""

    limit: int = 10_000
    limit_bytes: int = 16 * 1024 * 1024
    max_age_s: float = 3600.0
    abandoned_s: float = 60.0


DEFAULT_IN_FLIGHT: Final = InFlightPlan()
DEFAULT_LINKING: Final = LinkingPlan()
