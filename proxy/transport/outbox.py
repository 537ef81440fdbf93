"""Sends the small messages of one turn of the event loop together, at its end.

For speed: a write to a peer that sleeps on another core has to wake it.
Between two writes of one turn, the peer may fall asleep again.
Written together, the messages wake it once (docs/decisions/006).

Flush before using a transport directly: to write part of a message, to close it, or to give it away.
May know transports and the event loop.
Must not know messages.
"""

from __future__ import annotations

import asyncio


class Outbox:
    """Messages to be sent. They wait for the rest of one turn, so they are bounded by what that turn received."""

    __slots__ = ("_flush", "_loop", "_messages")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._flush = self.flush  # bound once, for speed
        self._messages: list[tuple[asyncio.Transport, bytes]] = []

    def send(self, transport: asyncio.Transport, message: bytes) -> None:
        """Write `message` to `transport` when this turn ends, unless the transport is closing by then."""
        if not self._messages:
            self._loop.call_soon(self._flush)
        self._messages.append((transport, message))

    def flush(self) -> None:
        """Send what waits now, in order."""
        messages, self._messages = self._messages, []
        for transport, message in messages:
            if not transport.is_closing():
                transport.write(message)
