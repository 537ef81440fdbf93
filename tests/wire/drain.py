"""POSTs that are lost when a server ends under load, beside a real nginx: `make drain` (ROUNDS=3).

A client sends 1000 POSTs a second on 50 kept connections, so that each is idle for 50 ms between two of them.
The server is told to end gracefully (SIGTERM; nginx: SIGQUIT).
A POST that meets a connection that closes is lost, and no client may send it twice.
A connection that is refused loses nothing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from lab.process import SidecarProcess
from lab.sidecar import LISTEN
from lab.steady import Steady, SteadyApp

from bench.peer_files import nginx_proxy

ROUNDS = int(os.environ.get("ROUNDS", "3"))
LOAD_S = 0.7


def lost_posts(port: int, end: list[object]) -> int:
    """How many are lost while `end`, the last word to a server at `port`, is said and heeded."""
    with Steady(port, fresh_every=0, connections=50) as client:
        time.sleep(LOAD_S)
        for say in end:
            say()  # type: ignore[operator]
    assert client.answered > 100, client.answered
    return sum(count for why, count in client.lost.items() if why.startswith(("closed: ", "no answer")))


def sidecar(app: SteadyApp, grace_s: float) -> int:
    arguments = ("--inbound", LISTEN, "--outbound", "off", "--admin", "off", "--app", app.url)
    with SidecarProcess(*arguments, "--set", f"drain.grace_s={grace_s}") as process:
        return lost_posts(process.addresses["inbound"].port, [process.terminate, process.wait])


@contextmanager
def nginx(directory: Path, app: SteadyApp) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    file = directory / "nginx.conf"
    file.write_text(nginx_proxy(str(directory), port, app.port))
    command = [shutil.which("nginx") or "", "-p", str(directory), "-c", str(file), "-e", "stderr"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield port, process
    finally:
        process.kill()
        process.wait()


@pytest.mark.skipif(shutil.which("nginx") is None, reason="no nginx to compare with")
def test_no_more_posts_are_lost_than_nginx_loses(tmp_path: Path) -> None:
    found: dict[str, list[int]] = {"nginx": [], "no grace": [], "a second": []}
    with SteadyApp() as app:
        for _ in range(ROUNDS):
            with nginx(tmp_path, app) as (port, process):
                end: list[object] = [lambda it=process: it.send_signal(signal.SIGQUIT), process.wait]
                found["nginx"].append(lost_posts(port, end))
            found["no grace"].append(sidecar(app, 0))
            found["a second"].append(sidecar(app, 1))
    print("\nPOSTs lost at the end of", *(f"{name}: {counts}" for name, counts in found.items()), sep="\n  ")
    assert sum(found["no grace"]) <= sum(found["nginx"]), found
    assert sum(found["a second"]) <= 1, found
