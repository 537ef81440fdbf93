"""The fixtures of the lab. A conftest.py imports those that its tests use."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab.collectors import Collector, collecting
from lab.peers import Upstream
from lab.sidecar import LISTEN, LoopThread, Sidecar, merged
from lab.wire import Wire


@pytest.fixture(scope="session")
def loop_thread() -> Iterator[LoopThread]:
    thread = LoopThread()
    yield thread
    thread.stop()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture
def logs(request: pytest.FixtureRequest) -> bool:
    """Whether sidecars have an access log (`sidecar.records`): by mark. Usual ones have none, and remember less."""
    return request.node.get_closest_marker("logs") is not None


@pytest.fixture
def start(loop_thread: LoopThread, logs: bool) -> Iterator[Callable[..., Sidecar]]:
    """`start(settings)` starts a sidecar from settings over these: no outbound, no admin, inbound on a free port.

    Further keywords go to `Sidecar`. Each is stopped at the end of the test, which fails if an exchange is left.
    """
    started: list[Sidecar] = []

    def start_one(settings: dict[str, Any], **parts: Any) -> Sidecar:
        base = {"inbound": {"listen": LISTEN}, "outbound": {"listen": "off"}, "admin": {"listen": "off"}}
        sidecar = Sidecar(loop_thread, merged(base, settings), logs=logs, **parts)
        started.append(sidecar)
        return sidecar

    yield start_one
    for sidecar in started:
        sidecar.stop()


@pytest.fixture
def wired(start: Callable[..., Sidecar], upstream: Upstream) -> Callable[..., Wire]:
    """`wired(settings)`: a sidecar with these settings in front of a scripted app."""

    def make(settings: dict[str, Any] | None = None) -> Wire:
        return Wire(start(merged({"inbound": {"app": upstream.url}}, settings or {})), upstream)

    return make


@pytest.fixture
def wire(wired: Callable[..., Wire]) -> Wire:
    """A sidecar with the default settings in front of a scripted app."""
    return wired()


@pytest.fixture
def deaf() -> Iterator[str]:
    """An address that answers no SYN: a listener whose accept queue is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def billing() -> Iterator[Upstream]:
    """The service that the app calls."""
    server = Upstream()
    yield server
    server.close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


@pytest.fixture
def exporting(start: Callable[..., Sidecar], upstream: Upstream, collector: Collector) -> Callable[..., Wire]:
    """A sidecar that exports to `collector`, at once."""

    def make(**settings: Any) -> Wire:
        export = {"endpoint": f"http://127.0.0.1:{collector.port}", "delay_s": 0.001, "flush_s": 0.2}
        base = {"inbound": {"app": upstream.url}, "export": export, "service": {"name": "shop"}}
        return Wire(start(merged(base, settings)), upstream)

    return make
