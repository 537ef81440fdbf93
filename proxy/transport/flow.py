"""Backpressure on one connection: why its reading is paused, and whether its peer keeps up with what is written.

May know transports. Must not know what flows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

# Why reading is paused, as bits.
OTHER_SIDE_FULL: Final = 1  # the consumer of these bytes is full
BEHIND: Final = 2  # more has come than was processed: waiting requests, or more chunks than fit in one turn


_NOT_JUDGED: Final = -1


class Flow:
    """Of one transport."""

    # Attributes, not properties, for speed: every exchange asks.
    __slots__ = ("_on_paused", "_transport", "_unread_bytes", "is_stalled", "paused")

    def __init__(self, transport: asyncio.Transport, on_paused: Callable[[bool], None] | None = None) -> None:
        """`on_paused` is called when reading pauses, and when it resumes."""
        self._transport = transport
        self._on_paused = on_paused
        self.paused = 0  # the reasons why reading is paused
        self.is_stalled = False  # the peer does not keep up with what is written
        self._unread_bytes = _NOT_JUDGED  # in the write buffer when the peer was judged last

    def __repr__(self) -> str:
        reading = f"paused ({self.paused})" if self.paused else "reading"
        return f"<Flow {reading}, {'stalled' if self.is_stalled else 'writing'}>"

    def pause(self, reason: int, on: bool) -> None:
        """Set or lift one reason not to read. Only the first reason and the last cost a system call."""
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
        """The write buffer has room again, or the peer is judged afresh."""
        self.is_stalled = False
        self._unread_bytes = _NOT_JUDGED

    def owe(self, size: int) -> None:
        """So many more bytes were written while the write buffer was full."""
        if self._unread_bytes != _NOT_JUDGED:
            self._unread_bytes += size

    def has_moved(self, least_bytes: float = 1) -> bool:
        """Whether the peer still has bytes to read, and has read at least `least_bytes` since the last call."""
        before = self._unread_bytes
        self._unread_bytes = left = self._transport.get_write_buffer_size()
        return left > 0 and (before == _NOT_JUDGED or before - left >= max(1, least_bytes))
