"""The sidecar's state: values only, written by the lifecycle, read by the admin listener and the metrics."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

_MOST_RELOADS: Final = 20
_LONGEST: Final = 500  # characters of a message


class Phase(StrEnum):
    """The phase of the sidecar's life."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    STOPPED = "stopped"


class Reload(NamedTuple):
    """One reading of the settings while the sidecar ran, or the first."""

    at_s: float  # seconds since the epoch
    generation: int  # the new one; 0: the old one stayed
    message: str


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
    reloads: deque[Reload] = field(default_factory=lambda: deque(maxlen=_MOST_RELOADS))  # the newest last

    def note_reload(self, at_s: float, generation: int, message: str) -> None:
        """Settings were read. `generation`: 0 if the old ones stay."""
        self.reloads.append(Reload(at_s, generation, message[:_LONGEST]))
