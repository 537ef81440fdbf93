"""Values of a plan: what is reported to a console, and where. Immutable.

Must not know sockets, clocks or the event loop: a plan is a value.
"""

from __future__ import annotations

from dataclasses import dataclass

from proxy.plan.export import Endpoint


@dataclass(frozen=True, slots=True)
class ReportPlan:
    """Reports to one console; none without endpoints."""

    logs: Endpoint | None = None
    metrics: Endpoint | None = None
    resource: tuple[tuple[str, str], ...] = ()
    interval_s: float = 10.0
    exchanges_per_second: float = 100.0
    queue_bytes: int = 4 * 1024 * 1024  # limit of what waits or is being sent; more is dropped and counted
    give_up_s: float = 60.0  # a batch that cannot be sent for this long is dropped and counted
    flush_s: float = 2.0  # at the end, for what still waits
