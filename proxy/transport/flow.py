"""Backpressure on one connection: why its reading is paused, whether its peer takes what is written.

May know transports. Must not know what flows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

# Why reading is paused, as bits.
OTHER_SIDE_FULL: Final = 1  # whoever what is read here is for
BEHIND: Final = 2  # more has come than was read: requests that wait for their turn, more chunks than fit one turn


class Flow:
    """Of one transport."""

    # Attributes and no properties, since every exchange asks: a call each would cost 0.05 µs.
    __slots__ = ("_on_paused", "_transport", "_unread_bytes", "is_stalled", "paused")

    def __init__(self, transport: asyncio.Transport, on_paused: Callable[[bool], None] | None = None) -> None:
        """`on_paused` is told when reading pauses, and when it goes on."""
        self._transport = transport
        self._on_paused = on_paused
        self.paused = 0  # the reasons why nothing is read for now
        self.is_stalled = False  # the peer takes nothing of what is written, for now
        self._unread_bytes = -1  # in the write buffer when the peer was last judged; -1: not yet

    def __repr__(self) -> str:
        reading = f"paused ({self.paused})" if self.paused else "reading"
        return f"<Flow {reading}, {'stalled' if self.is_stalled else 'writing'}>"

    def pause(self, reason: int, on: bool) -> None:
        """Set or lift one reason not to read. Only the first and the last cost a system call."""
        before = self.paused
        self.paused = before | reason if on else before & ~reason
        if bool(before) != bool(self.paused) and not self._transport.is_closing():
            if self.paused:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()
            if self._on_paused is not None:
                self._on_paused(bool(self.paused))

    def resume(self) -> None:
        """Lift every reason."""
        if self.paused:
            self.pause(self.paused, False)

    def stall(self) -> None:
        """The write buffer is full."""
        self.is_stalled = True
        self._unread_bytes = self._transport.get_write_buffer_size()

    def unstall(self) -> None:
        """The write buffer has room again, or the peer is to be judged anew."""
        self.is_stalled = False
        self._unread_bytes = -1

    def has_moved(self) -> bool:
        """Whether there is something left for the peer to read, and less of it than when this was asked last."""
        before = self._unread_bytes
        self._unread_bytes = left = self._transport.get_write_buffer_size()
        return left > 0 and (before < 0 or left < before)
