"""The floor: a blind copy of bytes between two TCP connections on uvloop; system calls and nothing else.

`python -m bench.programs.tcp_copy PORT UPSTREAM_PORT`. It reads no HTTP: one upstream connection for each client's.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop


class End(asyncio.Protocol):
    """One end of a pair. What it receives is written to `other`; the client's end opens the upstream's."""

    def __init__(self, upstream_port: int, client: End | None = None) -> None:
        self._upstream_port = upstream_port
        self.other: End | None = client
        self._early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self.other is None:
            self._opening = asyncio.ensure_future(self._open())
        else:
            self.other.join(self)

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: End(self._upstream_port, self), "127.0.0.1", self._upstream_port)
        except OSError:
            self.transport.abort()

    def join(self, other: End) -> None:
        """The upstream's end is connected: send what came meanwhile."""
        self.other = other
        for data in self._early:
            other.transport.write(data)
        self._early.clear()

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self._early.append(data)
        else:
            self.other.transport.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self.other is not None:
            self.other.transport.close()


async def serve(port: int, upstream_port: int) -> None:
    """Serves until the process is ended."""
    server = await asyncio.get_running_loop().create_server(lambda: End(upstream_port), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
