"""Whole small messages of one turn of the event loop, sent together at its end.

A write to a sleeping peer on another core costs the writer several microseconds to wake it. Between two requests that
are ready in the same turn there is time enough for the peer to fall asleep again; sent in one go, they wake it once.
Measured (two cores, 32 connections): 15.5 µs in the kernel per exchange instead of 22.

Whoever uses a transport directly as well (to write a part of a message, to end it, to give it away) flushes first. May
know transports and the event loop; must not know messages.
"""

from __future__ import annotations

import asyncio


class Outbox:
    """What is to be sent. Holds nothing beyond one turn, and so no more than was received in it."""

    __slots__ = ("_loop", "_messages")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._messages: list[tuple[asyncio.Transport, bytes]] = []

    def send(self, transport: asyncio.Transport, message: bytes) -> None:
        """Write `message` to `transport` when this turn ends, unless the transport is closing by then."""
        if not self._messages:
            self._loop.call_soon(self.flush)
        self._messages.append((transport, message))

    def flush(self) -> None:
        """Send now what waits, in its order."""
        messages, self._messages = self._messages, []
        for transport, message in messages:
            if not transport.is_closing():
                transport.write(message)
