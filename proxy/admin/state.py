"""What the admin listener may know of the running sidecar. Values only; aiohttp is not imported here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """Where the sidecar is in its life."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    STOPPED = "stopped"


@dataclass(slots=True)
class State:
    """Kept up to date by the lifecycle, read by the admin listener and the metrics."""

    phase: Phase = Phase.STARTING
    generation: int = 0
    reloads_ok: int = 0
    reloads_failed: int = 0
    reload_success_time_s: float = 0.0  # seconds since the epoch
    reload_error: str = ""
    started_time_s: float = 0.0
