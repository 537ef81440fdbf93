"""The next process takes over at the same addresses (`restart.reuse_port`), and no client notices."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from lab.peers import Upstream
from lab.process import SidecarProcess
from lab.sidecar import Sidecar
from lab.steady import Steady, SteadyApp

REUSE = ("--set", "restart.reuse_port=true")


@pytest.fixture
def port() -> Iterator[int]:
    """One that several processes may listen at. It is held here, where nobody listens."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def arguments(port: int, app: str) -> list[str]:
    return ["--inbound", f"127.0.0.1:{port}", "--outbound", "off", "--admin", "off", "--app", app]


@pytest.mark.slow
def test_a_rolling_restart_under_load_fails_no_request(port: int) -> None:
    """Up to 1000 POSTs a second, a fifth on connections of their own, while three processes follow one another."""
    with SteadyApp() as app, ExitStack() as processes:
        before = processes.enter_context(SidecarProcess(*arguments(port, app.url), *REUSE))
        with Steady(port) as client:
            for _ in range(2):
                after = processes.enter_context(SidecarProcess(*arguments(port, app.url), *REUSE))
                time.sleep(0.5)  # under load
                assert before.end() == 0
                before = after
            time.sleep(0.5)
        assert before.end() == 0
    assert not +client.lost
    assert client.refused == 0
    assert client.answered > 500


def test_without_it_an_address_is_of_one_process(port: int, upstream: Upstream) -> None:
    with (
        SidecarProcess(*arguments(port, upstream.url), *REUSE),
        SidecarProcess(*arguments(port, upstream.url), ready=False) as second,
    ):
        second.await_line("cannot listen")
        assert second.wait() == 1


def test_a_unix_socket_passes_to_the_next(start: Callable[..., Sidecar], upstream: Upstream, tmp_path: Path) -> None:
    """The file is replaced; who stops first leaves it to the other."""
    settings = {
        "inbound": {"listen": f"unix:{tmp_path}/in.sock", "app": upstream.url},
        "restart": {"reuse_port": True},
    }
    first, second = start(settings), start(settings)
    assert first.begin(first.plane.drain()).result(5) is True
    client = second.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    upstream.answer(b"second")
    assert client.response().body == b"second"
    assert second.metrics.listener("inbound").connections_total == 1
