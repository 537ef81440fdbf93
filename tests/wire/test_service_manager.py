"""Under a service manager: sockets that it hands over, what it is told, and a next instance at the same sockets."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from lab.peers import Upstream
from lab.process import SidecarProcess
from lab.sidecar import connect
from lab.steady import Steady, SteadyApp

from proxy.plan import Address

OFF = ("--outbound", "off", "--admin", "off")
# What systemd does in the child: the sockets become descriptors from 3 on, and LISTEN_PID is the child's own.
HAND_OVER = """if True:
    import os, sys
    fd = int(sys.argv[1])
    os.dup2(fd, 3)
    os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES="inbound")
    os.execv(sys.argv[2], sys.argv[2:])"""


@pytest.fixture
def held() -> Iterator[socket.socket]:
    """A socket that the manager listens at."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        listener.set_inheritable(True)
        yield listener


def handed(held: socket.socket, *arguments: str, environ: dict[str, str] | None = None) -> SidecarProcess:
    """A sidecar that is given `held`."""
    prefix = (sys.executable, "-c", HAND_OVER, str(held.fileno()))
    return SidecarProcess(*arguments, environ=environ, prefix=prefix, close_fds=False)


def at(held: socket.socket) -> str:
    host, port = held.getsockname()
    return f"{host}:{port}"


def test_a_handed_socket_serves_and_stays(held: socket.socket, upstream: Upstream) -> None:
    """Who comes after the end waits in its queue for the next process."""
    address = Address(*held.getsockname())
    arguments = ("--inbound", at(held), "--app", upstream.url, *OFF)
    with handed(held, *arguments) as first:
        client = first.client()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        upstream.answer(b"first")
        assert client.response().body == b"first"
        client.close()
        assert first.end() == 0
    with connect(address) as waiting:
        waiting.sendall(b"GET /waited HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        with handed(held, *arguments):
            assert upstream.answer(b"second").target == b"/waited"
            assert waiting.makefile("rb").read().endswith(b"second")


def test_a_socket_that_no_listener_names_is_refused(held: socket.socket, upstream: Upstream) -> None:
    with pytest.raises(AssertionError) as ended:
        handed(held, "--inbound", "127.0.0.1:0", "--app", upstream.url, *OFF)
    assert f"cannot start: the service manager hands over a socket at {at(held)}, and no listener is there" in str(
        ended.value
    )


def test_what_the_manager_is_told(tmp_path: Path, upstream: Upstream) -> None:
    """READY after the start, RELOADING and READY around a reload, STOPPING when it drains, WATCHDOG in between."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        seen: list[str] = []

        def until(word: str) -> None:
            while not seen or seen[-1] != word:
                seen.append(manager.recv(4096).decode().split("\n")[0])

        environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "100000"}
        arguments = ("--inbound", "127.0.0.1:0", "--app", upstream.url, *OFF)
        with SidecarProcess(*arguments, environ=environ) as sidecar:
            until("READY=1")
            until("WATCHDOG=1")
            sidecar.send_signal(signal.SIGHUP)
            until("RELOADING=1")
            until("READY=1")
            assert sidecar.end() == 0
            until("STOPPING=1")


def test_a_loop_that_hangs_is_not_alive(tmp_path: Path, upstream: Upstream) -> None:
    """A stopped process says nothing: the manager's watchdog then ends it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "20000"}
        with SidecarProcess("--inbound", "127.0.0.1:0", "--app", upstream.url, *OFF, environ=environ) as sidecar:
            manager.settimeout(20)
            while manager.recv(4096) != b"WATCHDOG=1":
                continue  # it is starting
            sidecar.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, sidecar.process.pid, os.WSTOPPED | os.WNOWAIT)
            manager.settimeout(0.2)  # ten times the watchdog's interval
            with pytest.raises(TimeoutError):
                while True:
                    manager.recv(4096)
            sidecar.send_signal(signal.SIGCONT)
            manager.settimeout(20)
            assert manager.recv(4096) == b"WATCHDOG=1"


@pytest.mark.slow
def test_two_instances_at_one_socket_follow_each_other_without_a_lost_request(held: socket.socket) -> None:
    """200 POSTs a second, each on a connection of its own, while three processes follow one another."""
    with SteadyApp() as app, ExitStack() as processes:
        arguments = ("--inbound", at(held), "--app", app.url, *OFF)
        before = processes.enter_context(handed(held, *arguments))
        with Steady(held.getsockname()[1], per_s=200, fresh_every=1) as client:
            for _ in range(2):
                after = processes.enter_context(handed(held, *arguments))
                time.sleep(0.3)  # under load
                assert before.end() == 0
                before = after
    assert not +client.lost
    assert client.refused == 0
    assert client.answered > 100


@pytest.mark.slow
def test_a_restart_refuses_nobody_while_none_serves(held: socket.socket) -> None:
    """50 POSTs a second wait in the socket's queue (of 1024) between two processes."""
    with SteadyApp() as app, ExitStack() as processes:
        arguments = ("--inbound", at(held), "--app", app.url, *OFF)
        first = processes.enter_context(handed(held, *arguments))
        with Steady(held.getsockname()[1], per_s=50, fresh_every=1) as client:
            time.sleep(0.2)  # under load
            assert first.end() == 0
            processes.enter_context(handed(held, *arguments))
            time.sleep(0.2)
    assert not +client.lost
    assert client.refused == 0
    assert client.answered > 20
