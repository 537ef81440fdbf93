"""The listening socket of the admin listener, and the connections that come from it.

May know asyncio. Must not know HTTP, what is asked (`application`), or the data plane.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import Final

from proxy.admin.connection import Connection
from proxy.admin.routes import Application
from proxy.plan import Address
from proxy.telemetry.state import State
from proxy.transport.binding import (
    FileIdentity,
    cannot_listen,
    file_identity,
    pass_on,
    path_to_bind,
    remove_own_socket,
    take_path,
)

MOST_CONNECTIONS: Final = 32
_CLOSING_S: Final = 1.0  # for handlers at work to give their answers


class AdminServer:
    """An application on one socket."""

    def __init__(self, application: Application, state: State, name: str = "admin") -> None:
        """`state` counts the connections that were closed to make room for others. `name`: for messages."""
        self._application = application
        self._state = state
        self._name = name
        self._connections: dict[Connection, None] = {}  # the oldest first
        self._tasks: set[asyncio.Task[None]] = set()  # handlers at work
        self._is_closed = False
        self._nothing_left = asyncio.Event()
        self._listening: asyncio.Server | None = None
        self._path = ""
        self._file: FileIdentity | None = None

    async def listen(self, address: Address, *, reuse_port: bool = False) -> Address:
        """Bind `address`; returns it with the real port. Raises StartError if that fails.

        `reuse_port`: another process may listen there as well.
        """
        loop = asyncio.get_running_loop()
        try:
            if address.unix_path:
                bound_path = path_to_bind(address.unix_path, reuse_port=reuse_port)
                self._listening = await loop.create_unix_server(self._connection, bound_path)
                take_path(bound_path, address.unix_path)
                self._path, self._file = address.unix_path, file_identity(address.unix_path)
                return address
            self._listening = await loop.create_server(
                self._connection, address.host, address.port, reuse_port=reuse_port
            )
        except OSError as error:
            raise cannot_listen(self._name, address, error) from None
        return Address(*self._listening.sockets[0].getsockname()[:2])

    def pass_on(self) -> None:
        """Leave new connections to another process that listens here, if one does: it is the one that is ready."""
        for each in self._listening.sockets if self._listening is not None and not self._path else ():
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(each.fileno())) as copy:
                pass_on(copy)

    async def close(self) -> None:
        """Close the socket and every connection. Handlers at work have a second to answer."""
        self._is_closed = True
        if self._listening is not None:
            self._listening.close()
            remove_own_socket(self._path, self._file)
        for connection in list(self._connections):
            connection.leave()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_S):
                await self._until_nothing_is_left()
        for connection in list(self._connections):
            connection.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _until_nothing_is_left(self) -> None:
        while self._connections or self._tasks:
            self._nothing_left.clear()
            await self._nothing_left.wait()

    def _connection(self) -> Connection:
        return Connection(self._application, self)

    # --- what a connection tells

    def opened(self, connection: Connection) -> None:
        """Keep it. Above a limit, the oldest is closed.

        So health checks are answered, and the data plane keeps its file descriptors.
        """
        if self._is_closed:
            connection.cut()
            return
        if len(self._connections) >= MOST_CONNECTIONS:
            self._drop(next(iter(self._connections)))
            self._state.admin_connections_cut += 1
        self._connections[connection] = None

    def _drop(self, oldest: Connection) -> None:
        del self._connections[oldest]
        oldest.cut()

    def lost(self, connection: Connection) -> None:
        """Forget it."""
        self._connections.pop(connection, None)
        self._nothing_left.set()

    def began(self, task: asyncio.Task[None]) -> None:
        """Keep the handler until it has ended."""
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._nothing_left.set()
