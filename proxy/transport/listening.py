"""One listening socket: bound once, kept over reloads, closed without losing clients in its queue.

May know sockets and the event loop.
Must not know what serves the clients (`accept` makes that).
Must not know which listener keeps which address: the data plane decides that.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterable
from typing import Any, Final

from proxy.plan import Address
from proxy.transport.binding import (
    FileIdentity,
    bind_every_interface,
    cannot_listen,
    file_identity,
    pass_on,
    path_to_bind,
    remove_own_socket,
    take_path,
)
from proxy.transport.sockets import keep_alive, protocols

_BACKLOG: Final = 1024

Accept = Callable[[], asyncio.Protocol]  # makes the protocol for a new client
Waiting = list[tuple[Accept, socket.socket]]  # accepted by the kernel, but not served yet


class ListeningSocket:
    """The socket at which one listener's clients connect."""

    def __init__(self, bind: Address, accept: Callable[[], Any]) -> None:
        """`accept` makes an object with the methods of an asyncio.Protocol for each client; another may replace it."""
        self.bind = bind  # as the plan in force has it; the socket stays if another plan names it otherwise
        self.accept = accept
        self._server: asyncio.Server
        self._file: FileIdentity | None = None  # of a Unix socket
        self._is_handed = False  # the service manager has bound it, and other processes may hold it as well

    def __repr__(self) -> str:
        return f"<ListeningSocket at {self.address if hasattr(self, '_server') else self.bind}>"

    async def open(
        self, name: str, *, v6_only: bool = False, reuse_port: bool = False, handed: socket.socket | None = None
    ) -> None:
        """Bind and accept. Raises StartError with the address and `name`, the listener's.

        `v6_only`: `[::]` is for IPv6 alone.
        Otherwise it is what the system makes of it: on Linux for IPv4 as well, unless net.ipv6.bindv6only says no.
        `reuse_port`: another process may listen there as well.
        `handed`: a socket that the service manager has bound there. It is taken as it is, and stays when we close it.
        """
        loop = asyncio.get_running_loop()
        accept = protocols(self._accept)
        path, host, port = self.bind.unix_path, self.bind.host, self.bind.port
        self._is_handed = handed is not None
        try:
            if handed is not None:
                handed.setblocking(False)
                create = loop.create_unix_server if path else loop.create_server
                self._server = await create(accept, sock=handed, backlog=_BACKLOG)
            elif path:
                bound_path = path_to_bind(path, reuse_port=reuse_port)
                self._server = await loop.create_unix_server(accept, bound_path, backlog=_BACKLOG)
                take_path(bound_path, path)
                self._file = file_identity(path)
            elif host == "::":  # the event loop would always make it v6_only
                bound = bind_every_interface(port, v6_only=v6_only, reuse_port=reuse_port)
                self._server = await loop.create_server(accept, sock=bound, backlog=_BACKLOG)
            else:
                self._server = await loop.create_server(
                    accept, host or None, port, backlog=_BACKLOG, reuse_port=reuse_port
                )
        except OSError as error:
            raise cannot_listen(name, self.bind, error) from None

    def _accept(self) -> asyncio.Protocol:
        return protocols(self.accept)()

    @property
    def address(self) -> Address:
        """The bound address, with the real port if port 0 was asked for."""
        return self.bind if self.bind.unix_path else Address(*self._server.sockets[0].getsockname()[:2])

    def keep_alive(self, idle_s: float) -> None:
        """Of who comes in from now on: ask after so long a silence whether they are still there; 0: never."""
        for each in self._server.sockets:
            keep_alive(each, idle_s)

    def is_at(self, bind: Address) -> bool:
        """Whether `bind` names this socket. Port 0 names none."""
        if not (bind.port or bind.unix_path):
            return False
        return bind == self.bind or (len(self._server.sockets) == 1 and bind == self.address)

    def pass_on(self) -> None:
        """Leave further clients to the process that listens there as well, if one does."""
        if not self.bind.unix_path and not self._is_handed:
            for copy in self._copies():
                with copy:
                    pass_on(copy)

    def close(self) -> Waiting:
        """Stop accepting. Returns the clients that the kernel has accepted by then, for `serve`.

        Those at a handed socket wait there for the next process.
        """
        # Copies keep the socket and its queue alive while the event loop closes it.
        copies = [] if self._is_handed else self._copies()
        accept = protocols(self.accept)
        self._server.close()
        remove_own_socket(self.bind.unix_path, self._file)
        waiting: Waiting = []
        for copy in copies:
            with copy:
                waiting += ((accept, client) for client in _accept_all(copy))
        return waiting

    def _copies(self) -> list[socket.socket]:
        copies: list[socket.socket] = []
        with contextlib.suppress(OSError):  # no file descriptor is left, so accepting would fail as well
            copies += [socket.socket(fileno=os.dup(each.fileno())) for each in self._server.sockets]
        return copies


async def serve(waiting: Waiting) -> None:
    """Serve the clients that waited at a socket that is closed. A cancellation closes them."""
    loop = asyncio.get_running_loop()
    waiting.reverse()
    try:
        while waiting:
            accept, client = waiting[-1]
            try:
                await loop.connect_accepted_socket(accept, client)
            except OSError:  # gone already
                client.close()
            waiting.pop()
    finally:
        drop(waiting)


def drop(waiting: Waiting) -> None:
    """Close the waiting clients."""
    for _, client in waiting:
        client.close()


def _accept_all(listening: socket.socket) -> Iterable[socket.socket]:
    """The clients that wait now. The kernel queues at most `_BACKLOG` plus one; later clients came too late."""
    listening.setblocking(False)
    for _ in range(_BACKLOG + 1):
        try:
            client, _ = listening.accept()
        except BlockingIOError:
            return
        except ConnectionAbortedError:  # gone while it waited
            continue
        except OSError:  # no file descriptor is left, and the next would fail as well
            return
        client.setblocking(False)
        yield client
