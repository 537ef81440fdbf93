"""Connections that are dialled, and come to nothing: none is left open, and another address may still do."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from proxy.plan import Address, UpstreamTarget
from proxy.semantics.faults import Fault, Refusal
from proxy.transport.connector import Connector
from proxy.transport.resolve import Lookups, Resolver


class Moving(Resolver):
    """A name that leads to one address, and when that fails to another."""

    def __init__(self) -> None:
        super().__init__("name.test", 60, Lookups())

    async def addresses(self) -> tuple[str, ...]:
        return ("127.0.0.1",)

    async def anew(self, tried: Collection[str], answers: int) -> tuple[str, ...]:
        return tuple(ip for ip in ("127.0.0.1", "127.0.0.2") if ip not in tried)


@pytest.fixture
def port() -> Iterator[int]:
    """Somebody listens there, at both addresses."""
    with socket.create_server(("127.0.0.1", 0)) as first:
        found = first.getsockname()[1]
        with socket.create_server(("127.0.0.2", found)):
            yield found


class Handshakes:
    """What comes after the dialling; it fails for the first `failures`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *failures: BaseException) -> None:
        self.dialled: list[tuple[str, socket.socket]] = []
        self._failures = list(failures)
        monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", self._make, raising=False)

    async def _make(self, made: Any, *, sock: socket.socket, **_: Any) -> tuple[None, Any]:
        self.dialled.append((sock.getpeername()[0], sock))
        if self._failures:
            raise self._failures.pop(0)
        protocol = made()
        protocol.protocol = "made"
        return None, protocol

    def open(self) -> list[str]:
        """Which addresses are still connected."""
        return [ip for ip, sock in self.dialled if sock.fileno() >= 0]


class Peer(asyncio.Protocol):
    """Its connection's transport."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)


def connector(port: int, moved: list[str]) -> Connector:
    target = UpstreamTarget("http", Address("name.test", port))
    return Connector(target, Moving(), lambda ip, port: None, on_moved=lambda: moved.append("moved"))


async def test_where_a_handshake_fails_the_next_address_is_tried(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """And that the name leads elsewhere is told."""
    moved: list[str] = []
    shakes = Handshakes(monkeypatch, ssl.SSLError("bad"))
    assert await connector(port, moved).connect(str, 5) == "made"
    assert ([ip for ip, _ in shakes.dialled], shakes.open()) == (["127.0.0.1", "127.0.0.2"], ["127.0.0.2"])
    assert moved == ["moved"]
    shakes.dialled[1][1].close()


async def test_where_every_handshake_fails_the_last_is_told(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shakes = Handshakes(monkeypatch, ssl.SSLError("bad"), ConnectionResetError(104, "reset"))
    with pytest.raises(Refusal) as caught:
        await connector(port, []).connect(str, 5)
    assert caught.value.fault is not Fault.TLS_ERROR
    assert f"127.0.0.2 port {port}" in caught.value.detail
    assert (len(shakes.dialled), shakes.open()) == (2, [])


async def test_a_connection_that_is_no_longer_wanted_is_closed(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shakes = Handshakes(monkeypatch, asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        await connector(port, []).connect(str, 5)
    assert (len(shakes.dialled), shakes.open()) == (1, [])


async def test_a_socket_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = str(tmp_path / "app.sock")
    target = UpstreamTarget("http", Address(unix_path=path))
    with pytest.raises(Refusal) as caught:
        await Connector(target, Moving(), lambda ip, port: None).connect(str, 5)
    assert (caught.value.fault, caught.value.detail) == (Fault.CONNECTION_REFUSED, f"{path} refuses connections")


async def test_a_socket_that_is_closed_as_soon_as_it_is_made_leaves_nothing_to_the_next(port: int) -> None:
    """Its number is the next one's, which would wait for ever beside what the loop still watches for the first."""
    told: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context))
    dial = connector(port, [])._dial
    for _ in range(3):
        made = dial("127.0.0.1")
        async with asyncio.timeout(5):
            while not made.done():  # noqa: ASYNC110 - whoever awaits it is told too late
                await asyncio.sleep(0)
        made.result().close()
        await asyncio.sleep(0)
    assert told == []


@pytest.mark.parametrize(("more", "idle_s"), [({}, 0), ({"tcp_keepalive_s": 0.0}, 0), ({"tcp_keepalive_s": 7.0}, 7)])
async def test_a_silent_upstream_is_asked_whether_it_is_still_there_only_where_that_is_wanted(
    port: int, more: dict[str, float], idle_s: int
) -> None:
    """By the system; and so is another target at the same address."""
    target = UpstreamTarget("http", Address("name.test", port))
    to = Connector(target, Moving(), lambda ip, port: None, **more)
    for one in (to, to.to(target)):
        made = await one.connect(lambda _alpn: Peer(), 5)
        dialled = made.transport.get_extra_info("socket")
        is_asked = dialled.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        after_s = dialled.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) if is_asked else 0
        made.transport.abort()
        assert after_s == idle_s
