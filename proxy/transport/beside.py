"""Whether another process of ours may listen at the same addresses (`restart.reuse_port`).

Each takes a place for each address: an abstract Unix socket (unix(7)), whose name the kernel keeps free of others in
this network namespace, and frees when the process ends. A place that cannot be taken is another's.

To look for others means to try all their places: a tenth of a millisecond. So whoever takes a place knocks at the
others first, before it listens, and who has found itself alone looks again only after a knock.
"""

from __future__ import annotations

import hashlib
import socket
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from proxy.plan import Address

_PLACES: Final = 8  # processes that may stand beside one another at an address


class Beside:
    """The places of one process."""

    def __init__(self) -> None:
        self._wanted: set[str] = set()  # addresses
        self._taken: dict[str, tuple[int, socket.socket]] = {}  # by address
        self._is_sure = False  # it was alone at the last look, and nobody has knocked since

    def stand_at(self, addresses: Iterable[Address]) -> None:
        """Take a place at each of `addresses`, and leave the others. Nobody shares a port that the kernel chooses."""
        self._wanted = {_key(each) for each in addresses if each.unix_path or each.port}
        for key in self._taken.keys() - self._wanted:
            self._taken.pop(key)[1].close()
        self._is_sure = False
        self._take_places()

    def _take_places(self) -> None:
        for key in self._wanted - self._taken.keys():
            for place in range(_PLACES):
                taken = _take(key, place)
                if taken is not None:
                    self._taken[key] = place, taken
                    _knock(taken, key, place)
                    break

    def is_alone(self) -> bool:
        """Whether no other process stands at any of the addresses. Without a place for us, others do."""
        if len(self._taken) < len(self._wanted):
            self._take_places()
            return False
        if self._is_sure and not any(_has_knock(taken) for _, taken in self._taken.values()):
            return True
        self._is_sure = self._looks_alone()
        return self._is_sure

    def _looks_alone(self) -> bool:
        for key, (own, _) in self._taken.items():
            for place in range(_PLACES):
                if place != own:
                    free = _take(key, place)
                    if free is None:
                        return False
                    free.close()
        return True


def _key(address: Address) -> str:
    return hashlib.sha256(address.unix_path.encode()).hexdigest()[:32] if address.unix_path else str(address.port)


def _take(key: str, place: int) -> socket.socket | None:
    """A place, or None if another has it; elsewhere than on Linux there are none."""
    if sys.platform != "linux":
        return None
    taken = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        taken.bind(_name(key, place))
    except OSError:
        taken.close()
        return None
    return taken


def _name(key: str, place: int) -> str:
    return f"\0ops-sidecar/{key}/{place}"


def _knock(taken: socket.socket, key: str, own: int) -> None:
    for place in range(_PLACES):
        if place != own:
            with suppress(OSError):  # nobody is there, or so many knocks wait that one more says nothing new
                taken.sendto(b"?", _name(key, place))


def _has_knock(taken: socket.socket) -> bool:
    try:
        return bool(taken.recv(1))
    except OSError:
        return False
