"""Two machines on one wire: network namespaces `pod` and `world`, with IPv4 and IPv6 between them.

Sockets are made in any of them, as any user, and then used from here: a socket keeps its namespace and its user.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from lab.peers import WAIT_S

T = TypeVar("T")
POD = {socket.AF_INET: "10.77.0.1", socket.AF_INET6: "fd77::1"}
WORLD = {socket.AF_INET: "10.77.0.2", socket.AF_INET6: "fd77::2"}
_CLONE_NEWNET = 0x40000000
_numbers = itertools.count()


class Namespaces:
    """`pod` and `world`. Skips the test by name where the machine does not permit them."""

    def __init__(self) -> None:
        for tool in ("ip", "nft"):
            if shutil.which(tool) is None:
                pytest.skip(f"{tool} is not installed")
        suffix = f"{os.getpid()}-{next(_numbers)}"
        self.pod, self.world = f"pod-{suffix}", f"world-{suffix}"
        try:
            for name in (self.pod, self.world):
                self._ip("netns", "add", name)
            self._ip("-n", self.pod, "link", "add", "eth0", "type", "veth", "peer", "eth0", "netns", self.world)
            for name, addresses in ((self.pod, POD), (self.world, WORLD)):
                self._ip("-n", name, "address", "add", f"{addresses[socket.AF_INET]}/24", "dev", "eth0")
                self._ip("-n", name, "address", "add", f"{addresses[socket.AF_INET6]}/64", "dev", "eth0", "nodad")
                for device in ("lo", "eth0"):
                    self._ip("-n", name, "link", "set", device, "up")
            self.run(self.pod, "nft", "list", "ruleset")
        except subprocess.CalledProcessError as error:
            self.close()
            pytest.skip(f"network namespaces with rules are not permitted here: {error.stderr.strip()}")

    def _ip(self, *arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True, timeout=WAIT_S)

    def run(self, name: str, *command: str, text: str = "") -> str:
        """A command in a namespace; what it prints."""
        done = subprocess.run(
            ["ip", "netns", "exec", name, *command], input=text, check=True, capture_output=True, text=True, timeout=60
        )
        return done.stdout

    def prefix(self, name: str) -> tuple[str, ...]:
        """Of a command that is to run in a namespace."""
        return ("ip", "netns", "exec", name)

    def socket(self, name: str, family: socket.AddressFamily, uid: int = 0) -> socket.socket:
        """A TCP socket of a namespace and a user."""

        def make() -> socket.socket:
            libc = ctypes.CDLL(None, use_errno=True)
            with Path(f"/run/netns/{name}").open("rb") as opened:
                if libc.setns(opened.fileno(), _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            libc.setfsuid(uid)  # of this thread alone
            made = socket.socket(family, socket.SOCK_STREAM)
            made.settimeout(WAIT_S)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            return made

        return _in_a_thread(make)

    def listen(self, name: str, host: str, port: int) -> socket.socket:
        """A listening socket of a namespace."""
        made = self.socket(name, socket.AF_INET6 if ":" in host else socket.AF_INET)
        made.bind((host, port))
        made.listen(64)
        return made

    def connect(self, name: str, host: str, port: int, uid: int = 0) -> socket.socket:
        """A connection from a namespace, by a user."""
        made = self.socket(name, socket.AF_INET6 if ":" in host else socket.AF_INET, uid)
        try:
            made.connect((host, port))
        except BaseException:
            made.close()
            raise
        return made

    def close(self) -> None:
        """Both are gone, and whatever is in them."""
        for name in (self.pod, self.world):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, timeout=WAIT_S, check=False)


def _in_a_thread(work: Callable[[], T]) -> T:
    """The result of `work`, in a thread of its own, which ends: its namespace and user are nobody else's."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(WAIT_S)
    if errors:
        raise errors[0]
    return results[0]
