"""Tells the service manager how the sidecar is doing: ready, reloading, stopping, alive. The protocol of sd_notify(3).

May know the datagram socket that NOTIFY_SOCKET names. Must not know the lifecycle; the environment is an argument.
A manager that cannot be reached changes nothing: it ends what it does not hear of, by its own rules.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Mapping


class ServiceManager:
    """Where `NOTIFY_SOCKET` leads; says nothing without it."""

    def __init__(self, environ: Mapping[str, str], pid: int) -> None:
        """`pid`: our process. A watchdog that is meant for another process does not count."""
        path = environ.get("NOTIFY_SOCKET", "")
        self._path = f"\0{path[1:]}" if path.startswith("@") else path
        self._is_told = path.startswith(("/", "@"))
        self._pause_s = _watchdog_s(environ, pid) / 2 if self._is_told else 0.0

    def ready(self) -> None:
        """The start, or a reload, is over."""
        self._tell("READY=1", "STATUS=serving")

    def reloading(self) -> None:
        """The settings are being read again; `ready` says when that is over."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", "STATUS=reading the settings")

    def stopping(self, in_flight: int) -> None:
        """The sidecar drains, with so many exchanges in flight."""
        self._tell("STOPPING=1", f"STATUS=draining, {in_flight} in flight at the beginning")

    async def keep_alive(self) -> None:
        """Say so for ever, twice in each interval of the watchdog; return at once if there is no watchdog.

        It runs in the event loop, so a loop that hangs does not say so.
        """
        while self._pause_s:
            self._tell("WATCHDOG=1")
            await asyncio.sleep(self._pause_s)

    def _tell(self, *lines: str) -> None:
        if not self._is_told:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.connect(self._path)
            sender.send("\n".join(lines).encode())


def _watchdog_s(environ: Mapping[str, str], pid: int) -> float:
    """Seconds of the watchdog's interval; 0 without one."""
    microseconds = environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return 0.0
    return int(microseconds) / 1_000_000


NOBODY = ServiceManager({}, os.getpid())
