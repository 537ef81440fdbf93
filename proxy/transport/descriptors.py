"""How many sockets the data plane may have open, by the process's limit of file descriptors. PURE: it only counts.

A process that has none left can neither accept nor connect, nor answer its own health check. So a part is kept for the
admin listener, files and listening sockets, and the rest is shared between clients and upstreams: an exchange needs one
of each.
"""

from __future__ import annotations

import sys
from typing import Final, final

_RESERVED: Final = 64
NO_LIMIT: Final = sys.maxsize


@final
class Descriptors:
    """Open sockets, of one data plane."""

    __slots__ = ("clients", "most", "upstreams")

    def __init__(self, limit: int = NO_LIMIT) -> None:
        """`limit`: of file descriptors that the process may have open (RLIMIT_NOFILE)."""
        self.most = max(1, (limit - _RESERVED) // 2)  # clients; and upstreams
        self.clients = 0
        self.upstreams = 0  # open or being opened, for exchanges; a tunnel's are those of its client
