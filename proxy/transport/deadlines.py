"""One coarse tick sweeps every deadline, so that requests need no timers.

May know the event loop. `now` is the time of the last tick: good enough for a deadline, and free to read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from typing import Final, Protocol

from proxy.transport.ends import Ends
from proxy.transport.turns import Turns

TICK_S: Final = 0.1
NEVER: Final = inf


class Timed(Protocol):
    """Something with a deadline, in seconds of the loop's clock; `NEVER` for none."""

    deadline: float

    def on_deadline(self) -> None:
        """The deadline has passed. Called again at the next tick unless the deadline has moved."""


class Ticker:
    """Sweeps its members ten times a second. A deadline set by `now` never comes due early, and at most 0.2 s late."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.turns = Turns(loop)  # of work that is too much for one turn
        self.ends = Ends()  # of connections whose reading is paused
        self.now = loop.time()
        self._members: set[Timed] = set()
        self._periodic: list[Callable[[], None]] = []
        self._handle: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """The number of members."""
        return len(self._members)

    def start(self) -> None:
        """Begin to tick."""
        self._tick()

    def stop(self) -> None:
        """Stop ticking."""
        if self._handle is not None:
            self._handle.cancel()
        self.ends.close()

    def add(self, member: Timed) -> None:
        """Start to sweep `member`."""
        self._members.add(member)

    def discard(self, member: Timed) -> None:
        """Stop sweeping `member`."""
        self._members.discard(member)

    def every_tick(self, action: Callable[[], None]) -> None:
        """Call `action` at each tick."""
        self._periodic.append(action)

    def _tick(self) -> None:
        self.now = now = self._loop.time()
        self._handle = self._loop.call_later(TICK_S, self._tick)
        passed = now - TICK_S  # `now` may be up to one tick old when a deadline is set by it
        for member in [member for member in self._members if member.deadline <= passed]:
            member.on_deadline()
        self.ends.on_tick()
        for action in self._periodic:
            action()
