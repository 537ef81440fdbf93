"""Notices peers that have left while nothing is read from them.

A transport whose reading is paused hears neither FIN nor RST. Such connections are watched here.
Once a tick, one system call asks the kernel about all of them.
A pause that ends before the next tick costs no system call.

May know sockets. Must not know what reading waits for.
"""

from __future__ import annotations

import contextlib
import select
from collections.abc import Callable
from typing import Final, final

from proxy.transport.sockets import NO_DESCRIPTOR

_ENDED: Final = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
_LOST: Final = select.EPOLLHUP | select.EPOLLERR

Tell = Callable[[bool], None]  # called at each tick until forgotten, with whether both ways are lost


@final
class Ends:
    """The sockets that are not read from at present."""

    __slots__ = ("_epoll", "_new", "_watched")

    def __init__(self) -> None:
        self._epoll: select.epoll | None = None  # made on first use
        self._new: dict[int, Tell] = {}  # since the last tick
        self._watched: dict[int, Tell] = {}

    def __len__(self) -> int:
        """The number of watched sockets."""
        return len(self._new) + len(self._watched)

    def watch(self, fd: int, tell: Tell) -> None:
        """Call `tell` once the peer of the socket `fd` has ended its side, or the connection is lost."""
        if fd in self._watched:
            self._watched[fd] = tell
        elif fd != NO_DESCRIPTOR:
            self._new[fd] = tell

    def forget(self, fd: int) -> None:
        """Stop watching it.
        Call this at the latest when the connection is lost: another socket may get the same number.
        """
        self._new.pop(fd, None)
        if self._watched.pop(fd, None) is not None and self._epoll is not None:
            with contextlib.suppress(OSError):  # closed meanwhile; the kernel has noticed
                self._epoll.unregister(fd)

    def on_tick(self) -> None:
        """Ask the kernel."""
        if self._new:
            new, self._new = self._new, {}
            for fd, tell in new.items():
                self._add(fd, tell)
        if self._watched and self._epoll is not None:
            for fd, events in self._epoll.poll(0, len(self._watched)):
                found = self._watched.get(fd)
                if found is not None:
                    found(bool(events & _LOST))

    def _add(self, fd: int, tell: Tell) -> None:
        if self._epoll is None:
            self._epoll = select.epoll()
        with contextlib.suppress(OSError):  # closed meanwhile
            self._epoll.register(fd, _ENDED)
            self._watched[fd] = tell

    def close(self) -> None:
        """Stop watching all of them."""
        self._new.clear()
        self._watched.clear()
        if self._epoll is not None:
            self._epoll.close()
            self._epoll = None
