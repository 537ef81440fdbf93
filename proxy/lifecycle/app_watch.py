"""Notices a sidecar that has outlived its app: the app was up and is gone, or their shared network is gone.

A container's network ends with the container that made it, often the app's.
Restarting only the app leaves the sidecar alone in the old network.
So the sidecar exits, and its restart policy brings it back in the new one.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
from collections.abc import Awaitable, Callable
from math import inf

_LOOK_S = 1.0
_LOOKS = 4  # looks within the time that an app may be gone
_SIOCGIFFLAGS = 0x8913  # netdevice(7)
_IFF_UP, _IFF_LOOPBACK = 0x1, 0x8


class Absence:
    """Measures how long the app, or the network, has been gone. Pure: the time is an argument."""

    def __init__(self) -> None:
        self._app_was_up = False
        self._had_network = False
        self._since: float | None = None

    def look(self, now: float, limit_s: float, *, app: bool, network: bool) -> str:
        """What has been gone for `limit_s` seconds, in words; empty for nothing. Only what was there can be gone."""
        self._app_was_up |= app
        self._had_network |= network
        gone = "its app" if self._app_was_up and not app else ""
        if self._had_network and not network:
            gone = "its network"
        if not gone:
            self._since = None
        elif self._since is None:
            self._since = now
        return gone if self._since is not None and now - self._since >= limit_s else ""


async def until_gone(
    limit_s: Callable[[], float],
    is_app_up: Callable[[], Awaitable[bool]],
    has_network: Callable[[], bool],
    pause_s: float = _LOOK_S,
) -> str:
    """Return when something has been gone for `limit_s()` seconds: what it is, in words. 0 seconds: never.

    `pause_s`: the longest time between two looks.
    """
    loop = asyncio.get_running_loop()
    absence = Absence()
    while True:
        limit = limit_s()
        if limit:
            gone = absence.look(loop.time(), limit, app=await is_app_up(), network=has_network())
            if gone:
                return gone
        await asyncio.sleep(min(pause_s, (limit or inf) / _LOOKS))


def has_network() -> bool:
    """Whether an interface other than loopback is up; true if unknown."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            for _, name in socket.if_nameindex():
                answer = fcntl.ioctl(asking, _SIOCGIFFLAGS, struct.pack("16s16x", name.encode()))
                (flags,) = struct.unpack("16xH14x", answer)
                if flags & _IFF_UP and not flags & _IFF_LOOPBACK:
                    return True
    except OSError:
        return True
    return False
