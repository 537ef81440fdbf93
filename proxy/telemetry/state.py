"""The sidecar's state: values only, written by the lifecycle, read by the admin listener and the metrics."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """The phase of the sidecar's life."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    STOPPED = "stopped"


@dataclass(slots=True)
class State:
    """Only the event loop's thread changes it."""

    phase: Phase = Phase.STARTING
    generation: int = 0
    reloads_ok: int = 0
    reloads_failed: int = 0
    admin_connections_cut: int = 0  # to make room for others
    reload_success_time_s: float = 0.0  # seconds since the epoch; the start counts as the first
    started_time_s: float = 0.0  # seconds since the epoch
