"""Backpressure on one connection: why its reading is paused, whether its peer takes what is written.

May know transports. Must not know what flows.
"""

from __future__ import annotations

import asyncio
from typing import Final

# Why reading is paused, as bits.
UPSTREAM_FULL: Final = 1
BEHIND: Final = 2  # more has come than was read: requests that wait for their turn, more chunks than fit one turn


class Flow:
    """Of one transport."""

    __slots__ = ("_paused", "_transport", "_unread_bytes")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._paused = 0
        self._unread_bytes = -1  # in the write buffer when the peer last did not read; -1: it does

    @property
    def is_paused(self) -> bool:
        """Whether nothing is read for now."""
        return self._paused != 0

    @property
    def is_stalled(self) -> bool:
        """Whether the peer takes nothing of what is written, for now."""
        return self._unread_bytes >= 0

    def pause(self, reason: int, on: bool) -> None:
        """Set or lift one reason not to read. Only the first and the last cost a system call."""
        before = self._paused
        self._paused = before | reason if on else before & ~reason
        if bool(before) != bool(self._paused) and not self._transport.is_closing():
            if self._paused:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def resume(self) -> None:
        """Lift every reason."""
        if self._paused:
            self.pause(self._paused, False)

    def stall(self) -> None:
        """The write buffer is full."""
        self._unread_bytes = self._transport.get_write_buffer_size()

    def unstall(self) -> None:
        """The write buffer has room again, or the peer is to be judged anew."""
        self._unread_bytes = -1

    def has_moved(self) -> bool:
        """Whether there is something left for the peer to read, and less of it than when this was asked last."""
        before = self._unread_bytes
        self._unread_bytes = left = self._transport.get_write_buffer_size()
        return left > 0 and (before < 0 or left < before)
