"""Listening sockets that the service manager has bound and handed over at the start (sd_listen_fds(3)).

They outlive the process: clients that come between two processes wait in the queue of the socket.
May know sockets. Must not know listeners or settings; the environment is an argument.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Final

from proxy.address import Address
from proxy.errors import StartError

_FIRST_FD: Final = 3  # SD_LISTEN_FDS_START


class HandedSockets:
    """The sockets, by address. Each stays open for the life of the process, so that a reload can return to it."""

    def __init__(self, sockets: Mapping[Address, socket.socket] | None = None) -> None:
        self._sockets = dict(sockets or {})

    def addresses(self) -> tuple[Address, ...]:
        """Where they are bound."""
        return tuple(self._sockets)

    def take(self, bind: Address) -> socket.socket | None:
        """A copy of the socket at `bind`, for the caller to close; None if there is none."""
        held = self._sockets.get(bind)
        return held.dup() if held is not None else None

    def close(self) -> None:
        """Close our copies. The manager has its own."""
        for held in self._sockets.values():
            held.close()
        self._sockets.clear()


def handed_over(environ: Mapping[str, str], pid: int, first_fd: int = _FIRST_FD) -> HandedSockets:
    """The sockets that `environ` announces to the process `pid`. Raises StartError if one is of another kind."""
    count = environ.get("LISTEN_FDS", "")
    if environ.get("LISTEN_PID") != str(pid) or not count.isdecimal():
        return HandedSockets()
    found: dict[Address, socket.socket] = {}
    for fd in range(first_fd, first_fd + int(count)):
        try:
            one = socket.socket(fileno=fd)
            is_listening = one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        except OSError as error:
            raise StartError(f"file descriptor {fd} of the service manager is not a socket: {error.strerror}") from None
        if not is_listening or one.type != socket.SOCK_STREAM:
            one.close()
            raise StartError(
                f"file descriptor {fd} of the service manager is not a listening stream socket: use ListenStream="
            )
        one.set_inheritable(False)
        found[_address(one)] = one
    return HandedSockets(found)


def _address(one: socket.socket) -> Address:
    name = one.getsockname()
    return Address(unix_path=os.fsdecode(name)) if one.family == socket.AF_UNIX else Address(*name[:2])
