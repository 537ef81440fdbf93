"""Both ends of the wire, on the loop that the sidecar runs on: raw protocols that keep every byte."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import Callable
from typing import cast

WAIT_S = 8.0


class Peer(asyncio.Protocol):
    """One connection. `received` has every byte that came."""

    transport: asyncio.Transport

    def __init__(self, on_change: Callable[[Peer], None] | None = None) -> None:
        self.received = bytearray()
        self.saw_eof = False
        self.is_lost = False
        self.is_finished = False  # on our side
        self._on_change = on_change
        self._changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._tell()

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._tell()

    def eof_received(self) -> bool:
        self.saw_eof = True
        self._tell()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        self._tell()

    @property
    def is_over(self) -> bool:
        """Nothing more will come."""
        return self.saw_eof or self.is_lost

    def _tell(self) -> None:
        self._changed.set()
        if self._on_change is not None:
            self._on_change(self)

    async def until(self, condition: Callable[[], object], within_s: float = WAIT_S) -> bool:
        """Whether `condition` came to hold."""
        try:
            async with asyncio.timeout(within_s):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def write(self, data: bytes) -> None:
        if not (self.is_finished or self.is_lost or self.transport.is_closing()):
            self.transport.write(data)

    async def send(self, data: bytes, dice: random.Random) -> None:
        """In random pieces; between them, others have their turn."""
        for piece in pieces(data, dice):
            self.write(piece)
            for _ in range(dice.randrange(4)):
                await asyncio.sleep(0)

    def half_close(self) -> None:
        if not (self.is_lost or self.transport.is_closing()):
            self.is_finished = True
            self.transport.write_eof()

    def close(self) -> None:
        if not self.is_lost:
            self.transport.close()

    def reset(self) -> None:
        """Close with RST."""
        if not self.is_lost:
            endpoint = self.transport.get_extra_info("socket")
            endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()

    def pause(self) -> None:
        if not self.is_lost:
            self.transport.pause_reading()

    def resume(self) -> None:
        if not self.is_lost:
            self.transport.resume_reading()


def pieces(data: bytes, dice: random.Random) -> list[bytes]:
    """`data`, cut at random: not at all, at a few places, or to single bytes."""
    kind = dice.randrange(4)
    if kind == 0 or len(data) < 2:
        return [data]
    if kind == 1 and len(data) < 400:
        return [data[index : index + 1] for index in range(len(data))]
    cuts = sorted(dice.randrange(1, len(data)) for _ in range(dice.randrange(1, 6)))
    return [data[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if end > begin]
