"""The settings of `configure`, for the whole process.

The process also shares the propagator in force (`headers/propagators`), and caches (`start`, `headers/bridge`).
Everything else is in the OpenTelemetry Context.
Values here are replaced, never changed in place, so a reader on another thread sees the old one or the new one.
Must not know how providers are built.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ops_lib.capture.bounds import CaptureSettings

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer, TracerProvider

INSTRUMENTATION_NAME = "ops_lib"
SHUTDOWN_TIMEOUT_S = 5.0  # how long a process waits for the exporter at its end, by default


class Runtime:
    """The settings in force. One instance, `RUNTIME`; hot paths read its attributes directly."""

    __slots__ = ("capture", "clock", "provider", "shutdown_timeout_s", "stop", "tracer")

    def __init__(self) -> None:
        self.provider: TracerProvider | None = None  # given to, or made by, configure()
        self.tracer: Tracer | None = None  # its tracer; None if nothing is configured
        self.stop: Callable[[], None] | None = None  # shuts down a provider that we made; None for others
        self.shutdown_timeout_s = SHUTDOWN_TIMEOUT_S
        self.clock: Callable[[], int] | None = None  # ns since the epoch; None: the SDK's clock
        self.capture = CaptureSettings()

    def snapshot(self) -> tuple[object, ...]:
        """All values, for `restore`."""
        return tuple(getattr(self, name) for name in self.__slots__)

    def restore(self, values: tuple[object, ...]) -> None:
        """Puts back what `snapshot` gave."""
        for name, value in zip(self.__slots__, values, strict=True):
            setattr(self, name, value)


RUNTIME = Runtime()
