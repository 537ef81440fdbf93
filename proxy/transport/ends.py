"""Tells of peers that have gone while nothing is read from them.

A transport whose reading is paused hears neither FIN nor RST. Whoever wants to know of it is watched here. The kernel
is asked once a tick, for all of them in one call. A pause that is over before the next tick costs no system call.

May know sockets. Must not know what reading waits for.
"""

from __future__ import annotations

import contextlib
import select
from collections.abc import Callable
from typing import Final, final

_ENDED: Final = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
_LOST: Final = select.EPOLLHUP | select.EPOLLERR

Tell = Callable[[bool], None]  # is told at each tick until it is forgotten; whether both ways are lost, not one


@final
class Ends:
    """The sockets that are not read from for now."""

    __slots__ = ("_epoll", "_new", "_watched")

    def __init__(self) -> None:
        self._epoll: select.epoll | None = None  # made when it is first needed
        self._new: dict[int, Tell] = {}  # since the last tick
        self._watched: dict[int, Tell] = {}

    def __len__(self) -> int:
        """How many sockets are watched."""
        return len(self._new) + len(self._watched)

    def watch(self, fd: int, tell: Tell) -> None:
        """Call `tell` once the peer of the socket `fd` has ended its side, or the connection is lost."""
        if fd in self._watched:
            self._watched[fd] = tell
        elif fd >= 0:
            self._new[fd] = tell

    def forget(self, fd: int) -> None:
        """Watch it no more. At the latest when its connection is lost: the number may be another socket's then."""
        self._new.pop(fd, None)
        if self._watched.pop(fd, None) is not None and self._epoll is not None:
            with contextlib.suppress(OSError):  # closed meanwhile, which the kernel has noticed by itself
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
        """Watch none any more."""
        self._new.clear()
        self._watched.clear()
        if self._epoll is not None:
            self._epoll.close()
            self._epoll = None
