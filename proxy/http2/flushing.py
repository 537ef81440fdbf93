"""Writes what the connections of one turn have to say, together, when the turn's input is read.

What one connection receives, others write: a request goes to an upstream, its response to a client.
For speed: each of them then writes once, and its peer wakes once (as in `transport.outbox`).
Since content has been written or copied by then, connections can also share what they read into (`bulk`).

May know the event loop. Must not know what is written.
"""

from __future__ import annotations

import asyncio
from abc import ABCMeta, abstractmethod
from typing import Final, final

_BUFFER_BYTES: Final = 512 * 1024


class Flushed(metaclass=ABCMeta):
    """A connection that gathers its output."""

    __slots__ = ()

    @abstractmethod
    def flush(self) -> None:
        """Write it."""


@final
class Flusher:
    """The connections with output, of one data plane."""

    __slots__ = ("_buffer", "_is_due", "_loop", "_reading", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[Flushed] = []
        self._reading = 0  # connections whose input is being read now: they call `end`
        self._is_due = False
        self._buffer: memoryview | None = None

    def buffer(self) -> memoryview:
        """What connections with much to read read into, all of them: what one leaves there is gone with the next."""
        buffer = self._buffer
        if buffer is None:
            buffer = self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        return buffer

    def later(self, connection: Flushed) -> None:
        """Flush `connection` at the end of this turn at the latest."""
        self._waiting.append(connection)
        if not self._reading and not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._on_turn)

    def begin(self) -> None:
        """A connection begins to read what has come."""
        self._reading += 1

    def end(self) -> None:
        """It has read all: flush what that has brought about."""
        self._reading -= 1
        if not self._reading:
            self._flush()

    def _on_turn(self) -> None:
        self._is_due = False
        self._flush()

    def _flush(self) -> None:
        while self._waiting:  # to write may give others credit, and so something to write
            waiting, self._waiting = self._waiting, []
            for connection in waiting:
                connection.flush()
