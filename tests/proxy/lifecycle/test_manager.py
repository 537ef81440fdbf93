"""What the service manager is told, on a real datagram socket (sd_notify(3))."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.lifecycle import ServiceManager

PID = 4242


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The manager's end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(str(tmp_path / "notify"))
        end.settimeout(5)
        yield end


def told(end: socket.socket) -> list[str]:
    return end.recv(4096).decode().split("\n")


def test_a_life(manager: socket.socket) -> None:
    sidecar = ServiceManager({"NOTIFY_SOCKET": manager.getsockname()}, PID)
    sidecar.ready()
    assert told(manager) == ["READY=1", "STATUS=serving"]
    sidecar.reloading()
    reloading, when, status = told(manager)
    assert (reloading, status) == ("RELOADING=1", "STATUS=reading the settings")
    assert 0 <= time.monotonic() - int(when.removeprefix("MONOTONIC_USEC=")) / 1e6 < 5, "CLOCK_MONOTONIC"
    sidecar.stopping(3)
    assert told(manager) == ["STOPPING=1", "STATUS=draining, 3 in flight at the beginning"]


def test_an_abstract_socket() -> None:
    """`@` stands for the zero byte that its name begins with."""
    name = f"ops-sidecar-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(f"\0{name}")
        end.settimeout(5)
        ServiceManager({"NOTIFY_SOCKET": f"@{name}"}, PID).ready()
        assert told(end)[0] == "READY=1"


@pytest.mark.parametrize("path", ["", "relative", "/nowhere/at/all", "@nobody-listens-here"])
async def test_nobody_listens(path: str) -> None:
    """Nothing is said, and nothing fails."""
    sidecar = ServiceManager({"NOTIFY_SOCKET": path}, PID)
    sidecar.ready()
    sidecar.stopping(0)
    await asyncio.wait_for(sidecar.keep_alive(), 5)


def test_a_name_that_is_not_a_path_is_not_told(
    manager: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the systemd protocol, only absolute paths and abstract sockets are addresses."""
    monkeypatch.chdir(tmp_path)
    ServiceManager({"NOTIFY_SOCKET": "notify"}, PID).ready()
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(100)


def test_a_manager_that_does_not_read_holds_nothing_up(manager: socket.socket) -> None:
    sidecar = ServiceManager({"NOTIFY_SOCKET": manager.getsockname()}, PID)
    for _ in range(2000):  # more than its queue holds
        sidecar.ready()


@pytest.mark.parametrize("further", [{}, {"WATCHDOG_PID": str(PID)}])
async def test_the_watchdog_hears_twice_in_each_interval(manager: socket.socket, further: dict[str, str]) -> None:
    environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "2000", **further}
    manager.setblocking(False)
    task = asyncio.create_task(ServiceManager(environ, PID).keep_alive())
    for _ in range(3):
        heard = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(manager, 100), 5)
        assert heard == b"WATCHDOG=1"
    task.cancel()


@pytest.mark.parametrize(("microseconds", "pause_s"), [("30000000", 15.0), ("1", 0.0000005)])
async def test_the_pause_between_two_signs_of_life(
    manager: socket.socket, microseconds: str, pause_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        raise asyncio.CancelledError

    monkeypatch.setattr(asyncio, "sleep", sleep)
    environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": microseconds}
    with pytest.raises(asyncio.CancelledError):
        await ServiceManager(environ, PID).keep_alive()
    assert pauses == [pause_s]


@pytest.mark.parametrize("further", [{"WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "0"}])
async def test_a_watchdog_of_another_process_is_not_ours(manager: socket.socket, further: dict[str, str]) -> None:
    environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "2000", **further}
    await asyncio.wait_for(ServiceManager(environ, PID).keep_alive(), 5)
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(100)
