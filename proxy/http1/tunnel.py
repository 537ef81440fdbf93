"""Tunnels: after CONNECT or 101 the bytes pass untouched, both ways, each way ending on its own.

May know transports. Must not know what the bytes mean.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from proxy.http1.deadlines import NEVER, Ticker


class TunnelSide(asyncio.Protocol):
    """One end of a tunnel; what it reads, its peer writes."""

    __slots__ = ("_count", "_idle_s", "_lost", "_on_lost", "_saw_eof", "_ticker", "deadline", "peer", "transport")

    peer: TunnelSide

    def __init__(
        self,
        transport: asyncio.Transport,
        ticker: Ticker,
        *,
        idle_s: float,
        count: Callable[[int], None],
        on_lost: Callable[[Exception | None], None],
    ) -> None:
        """`count` is told of bytes read here; `on_lost` is what the transport's former protocol does at its end."""
        self.transport = transport
        self._ticker = ticker
        self._idle_s = idle_s
        self._count = count
        self._on_lost = on_lost
        self._saw_eof = False
        self._lost = False
        self.deadline = NEVER

    def start(self) -> None:
        """Take over the transport."""
        self.transport.set_protocol(self)
        self.deadline = self._ticker.now + self._idle_s
        self._ticker.add(self)
        self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        self._count(len(data))
        self.deadline = self.peer.deadline = self._ticker.now + self._idle_s
        if not self.peer._lost:
            self.peer.transport.write(data)

    def eof_received(self) -> bool:
        self._saw_eof = True
        peer = self.peer
        if peer._lost or peer._saw_eof or not peer.transport.can_write_eof():
            peer.transport.close()
            return False
        peer.transport.write_eof()
        return True  # the other way goes on

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._ticker.discard(self)
        if not self.peer._lost:
            self.peer.transport.close()
        self._on_lost(exc)

    def pause_writing(self) -> None:
        if not self.peer._lost:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        if not self.peer._lost:
            self.peer.transport.resume_reading()

    def on_deadline(self) -> None:
        """No byte either way for too long."""
        self.deadline = NEVER
        self.transport.abort()


def join(client: TunnelSide, upstream: TunnelSide) -> None:
    """Make a tunnel of two sides and start it."""
    client.peer = upstream
    upstream.peer = client
    client.start()
    upstream.start()
