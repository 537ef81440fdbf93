"""Shares the turns of the event loop, so that no peer holds up the others.

The work of one turn is bounded, whatever peers send.
A connection does one piece of work when bytes come.
The rest waits here, with the connection's reading paused.
Each turn does a few of these pieces, first come, first served.
The owner bounds a piece: one head, some hundred chunks, one full read.

May know the event loop. Must not know what the work is.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, final

PIECES_A_TURN: Final = 4

# libuv reads a socket up to 32 times in one turn, as long as each read fills its buffer of 256 kB. A connection that
# gets this much at once asks for the next read in a later turn.
FULL_READ_BYTES: Final = 128 * 1024


@final
class Turns:
    """The pieces of work that wait for a later turn."""

    __slots__ = ("_is_due", "_loop", "_waiting", "put_off")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Callable[[], None]] = deque()
        self._is_due = False
        self.put_off = 0  # pieces that have had to wait so far

    def later(self, piece: Callable[[], None]) -> None:
        """Call `piece` in a later turn, after those that wait already. A piece may ask for another one."""
        self.put_off += 1
        self._waiting.append(piece)
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._take_turn)

    def _take_turn(self) -> None:
        waiting = self._waiting
        try:
            for _ in range(PIECES_A_TURN):
                if not waiting:
                    break
                waiting.popleft()()
        finally:  # if a piece fails, the others still run
            self._is_due = bool(waiting)
            if waiting:
                self._loop.call_soon(self._take_turn)
