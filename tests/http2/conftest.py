"""Real peers of HTTP/2 and gRPC before and behind a sidecar."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from lab.fixtures import billing, collector, deaf, logs, loop_thread, start, upstream, wire, wired  # noqa: F401 - fixture
from lab.h2 import App, Peer, client
from lab.rpc import Caller, Service
from lab.sidecar import Sidecar, connect, merged


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.close()


@pytest.fixture
def beside(start: Callable[..., Sidecar], service: Service) -> Callable[..., Sidecar]:  # noqa: F811
    """`beside(settings)`: a sidecar in front of the service."""

    def make(settings: dict[str, Any] | None = None) -> Sidecar:
        return start(merged({"inbound": {"app": service.url}}, settings or {}))

    return make


@pytest.fixture
def calling() -> Iterator[Callable[..., Caller]]:
    """`calling(sidecar)`: a caller of one of its listeners."""
    made: list[Caller] = []

    def make(sidecar: Sidecar, listener: str = "inbound", *options: tuple[str, Any]) -> Caller:
        address = sidecar.addresses[listener]
        made.append(Caller(f"{address.host}:{address.port}", *options))
        return made[-1]

    yield make
    for caller in made:
        caller.close()


@pytest.fixture
def app() -> Iterator[App]:
    """An app that speaks HTTP/2, and does what the test says."""
    made = App()
    yield made
    made.close()


@pytest.fixture
def knock() -> Iterator[Callable[..., Peer]]:
    """`knock(sidecar)`: a raw client of HTTP/2 at one of its listeners."""
    made: list[Peer] = []

    def make(sidecar: Sidecar, listener: str = "inbound", **values: int) -> Peer:
        made.append(client(connect(sidecar.addresses[listener]), **values))
        return made[-1]

    yield make
    for peer in made:
        peer.close()
