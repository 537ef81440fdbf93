"""Logs failures of tracing: each kind once a minute, with the number since the last line.

Tracing fails open, so a broken tracer or exporter fails at every span.
A line for each would flood the application's log.
May know: the clock and the log.
Must not know spans.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

INTERVAL_S: Final = 60.0
MAX_KINDS: Final = 256  # number of remembered kinds; all are forgotten when there are more

_log = logging.getLogger("ops_lib")


class Failures:
    """When each kind of failure was last logged. A kind is a message without its values."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic, interval_s: float = INTERVAL_S) -> None:
        self._clock_s = clock_s
        self._interval_s = interval_s
        self._told: dict[str, tuple[float, int]] = {}  # kind -> when it was logged, how often it came since

    def untold(self, kind: str) -> int | None:
        """How often `kind` came since it was last logged; None if it must not be logged now.

        Counts this failure as logged, or as one more. Two threads at once may both get a number.
        """
        now = self._clock_s()
        told_s, count = self._told.get(kind, (-self._interval_s, 0))
        if now - told_s < self._interval_s:
            self._told[kind] = (told_s, count + 1)
            return None
        if len(self._told) >= MAX_KINDS:
            self._told.clear()
        self._told[kind] = (now, 0)
        return count

    def tell(self, message: str, *values: object, level: int = logging.ERROR, traceback: bool = True) -> None:
        """Logs `message` with its values and the handled exception, once a minute."""
        count = self.untold(message)
        if count is not None:
            _log.log(level, message + since(count), *values, exc_info=traceback)

    def forget(self) -> None:
        """Forget all failures. For tests."""
        self._told.clear()


def since(count: int) -> str:
    """The end of a message: the `count` failures of its kind that were not logged."""
    return f" (and {count} times more since the last such message)" if count else ""


FAILURES: Final = Failures()
"""Of this process."""
