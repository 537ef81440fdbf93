"""What `configure` has set, for the whole process.

Beside it the process shares the propagator in force (`headers/propagators`), and what can be worked out again at any
time (`start`, `headers/bridge`).
Everything else hangs on the OpenTelemetry Context.
Values here are replaced whole, never changed in place: a reader on
another thread sees the old one or the new one and nothing between.
Must not know how providers are built.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ops_lib.capture.bounds import CaptureSettings

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer, TracerProvider

INSTRUMENTATION_NAME = "ops_lib"
SHUTDOWN_TIMEOUT_S = 5.0  # how long a process waits at its end for the exporter, if nothing else was said


class Runtime:
    """The settings in force. One instance, `RUNTIME`; hot paths read its attributes directly."""

    __slots__ = ("capture", "clock", "provider", "shutdown_timeout_s", "stop", "tracer")

    def __init__(self) -> None:
        self.provider: TracerProvider | None = None  # given to, or made by, configure()
        self.tracer: Tracer | None = None  # its tracer; None if nothing is configured
        self.stop: Callable[[], None] | None = None  # shuts down a provider of our own making; None for anyone else's
        self.shutdown_timeout_s = SHUTDOWN_TIMEOUT_S
        self.clock: Callable[[], int] | None = None  # ns since the epoch; None leaves time to the SDK
        self.capture = CaptureSettings()

    def snapshot(self) -> tuple[object, ...]:
        """All values, for `restore`."""
        return tuple(getattr(self, name) for name in self.__slots__)

    def restore(self, values: tuple[object, ...]) -> None:
        """Puts back what `snapshot` gave."""
        for name, value in zip(self.__slots__, values, strict=True):
            setattr(self, name, value)


RUNTIME = Runtime()
