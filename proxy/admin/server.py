"""The admin application's listening socket.

May know aiohttp. Must not know what is asked (`application`), or the data plane.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

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

MOST_CONNECTIONS = 32


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Replaces aiohttp's answer to a request that it cannot read, which has a traceback and parts of the request."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


class AdminServer:
    """The admin application on one socket."""

    def __init__(self, app: web.Application, state: State, name: str = "admin") -> None:
        """`state` counts the connections that were closed to make room for others. `name`: for messages."""
        self._name = name
        log = logging.getLogger(__name__)
        log.addFilter(_is_worth_a_line)
        self._runner = web.AppRunner(app, access_log=None, keepalive_timeout=15.0, shutdown_timeout=1.0, logger=log)
        self._state = state
        self._connections: web.Server
        self._listening: asyncio.Server | None = None
        self._path = ""
        self._file: FileIdentity | None = None

    async def listen(self, address: Address, *, reuse_port: bool = False) -> Address:
        """Bind `address`; returns it with the real port. Raises StartError if that fails.

        `reuse_port`: another process may listen there as well.
        """
        loop = asyncio.get_running_loop()
        await self._runner.setup()
        assert self._runner.server is not None
        self._connections = self._runner.server
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
            await self._runner.cleanup()
            raise cannot_listen(self._name, address, error) from None
        return Address(*self._listening.sockets[0].getsockname()[:2])

    def pass_on(self) -> None:
        """Leave new connections to another process that listens here, if one does: it is the one that is ready."""
        for each in self._listening.sockets if self._listening is not None and not self._path else ():
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(each.fileno())) as copy:
                pass_on(copy)

    def _connection(self) -> asyncio.Protocol:
        """A new connection.
        Above a limit, the oldest is closed.
        So health checks are answered, and the data plane keeps its file descriptors.
        """
        connections = [one for one in self._connections.connections if one.transport is not None]
        if len(connections) >= MOST_CONNECTIONS:
            connections[0].force_close()
            self._state.admin_connections_cut += 1
        return self._connections()

    async def close(self) -> None:
        """Close the socket and every connection."""
        if self._listening is not None:
            self._listening.close()
            remove_own_socket(self._path, self._file)
        await self._runner.cleanup()
