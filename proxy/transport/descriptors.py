"""How many sockets the data plane may have open, by the process's limit of file descriptors. PURE: it only counts.

A process without free descriptors cannot accept, connect, or answer its own health check.
So a part is reserved for the admin listener, files and listening sockets.
Clients and upstreams share the rest: an exchange needs one of each.
"""

from __future__ import annotations

import sys
from typing import Final, final

_RESERVED: Final = 64
NO_LIMIT: Final = sys.maxsize


@final
class Descriptors:
    """Counts the open sockets of one data plane."""

    __slots__ = ("clients", "most", "upstreams")

    def __init__(self, limit: int = NO_LIMIT) -> None:
        """`limit`: how many file descriptors the process may have open (RLIMIT_NOFILE)."""
        self.most = max(1, (limit - _RESERVED) // 2)  # clients; and upstreams
        self.clients = 0
        self.upstreams = 0  # open or being opened, for exchanges and at the far ends of tunnels


@final
class Place:
    """One of those that upstreams may have, taken until it is freed."""

    __slots__ = ("_descriptors", "_is_free")

    def __init__(self, descriptors: Descriptors) -> None:
        self._descriptors = descriptors
        self._is_free = False
        descriptors.upstreams += 1

    def free(self) -> None:
        """Give it back. To say so twice does no harm."""
        if not self._is_free:
            self._is_free = True
            self._descriptors.upstreams -= 1
