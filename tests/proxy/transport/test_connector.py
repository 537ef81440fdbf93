"""Connections to upstreams: every address in its turn and its share of the time, and faults by their name."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import trustme

from proxy.plan import Address, UpstreamTarget
from proxy.semantics.faults import Fault, Refusal
from proxy.transport.connector import Connector, refusal_of
from proxy.transport.resolve import Lookups, Resolver


class Fixed(Resolver):
    """A name with these addresses."""

    def __init__(self, *addresses: str) -> None:
        super().__init__("name.test", 60, Lookups())
        self._fixed = addresses

    async def addresses(self) -> tuple[str, ...]:
        return self._fixed


class Network:
    """Addresses that begin with `up` answer, with `dead` never do; others refuse. `dialled`: when each was tried."""

    def __init__(self) -> None:
        self.dialled: list[tuple[str, float]] = []

    async def create_connection(self, make: Callable[[], Any], ip: str, port: int, **_: Any) -> tuple[None, Any]:
        self.dialled.append((ip, asyncio.get_running_loop().time()))
        if ip.startswith("dead"):
            await asyncio.Event().wait()
        if not ip.startswith("up"):
            raise ConnectionRefusedError(errno.ECONNREFUSED, "refused")
        return None, SimpleNamespace(protocol=ip)


@pytest.fixture
async def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    made = Network()
    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", made.create_connection, raising=False)
    return made


def connector(*addresses: str, own: str = "") -> Connector:
    """Of a name with `addresses`. What goes to `own` would come back to us."""
    return Connector(UpstreamTarget("http", Address("name.test", 1)), Fixed(*addresses), lambda ip, _: ip == own)


async def connect(to: Connector, timeout_s: float = 5) -> Any:
    return await to.connect(lambda _alpn: asyncio.Protocol(), timeout_s)


async def refusal(to: Connector, timeout_s: float = 5) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await connect(to, timeout_s)
    return caught.value


async def test_each_connection_begins_with_the_next_address(network: Network) -> None:
    to = connector("up1", "up2", "up3")
    assert [await connect(to) for _ in range(4)] == ["up2", "up3", "up1", "up2"]


async def test_every_address_is_tried(network: Network) -> None:
    to = connector("no1", "up", "no2")
    assert [await connect(to) for _ in range(3)] == ["up"] * 3
    assert [ip for ip, _ in network.dialled] == ["up", "no2", "no1", "up", "no1", "up"]


async def test_no_address_answers(network: Network) -> None:
    """The last one's fault is told."""
    found = await refusal(connector("no1", "no2"))
    assert (found.fault, found.detail) == (Fault.CONNECTION_REFUSED, "no1 port 1 refuses connections")


async def test_a_dead_address_does_not_use_up_the_time_of_the_others(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left is shared out evenly: a third, then a half of the rest, then all of it."""
    given: list[float] = []
    timeout = asyncio.timeout

    def at_once(delay_s: float) -> asyncio.Timeout:
        given.append(delay_s)
        return timeout(delay_s if len(given) == 1 else 0.01)

    monkeypatch.setattr(asyncio, "timeout", at_once)
    assert await connect(connector("up", "dead1", "dead2"), 60) == "up"
    whole, *shares = given
    assert whole == 60
    assert [round(share_s, -1) for share_s in shares] == [20, 30, 60]
    assert all(share_s <= most for share_s, most in zip(shares, (20, 30, 60), strict=True))


async def test_only_dead_addresses(network: Network) -> None:
    """Told as a timeout, within the whole time."""
    assert (await refusal(connector("dead1", "dead2"), 0.05)).fault is Fault.CONNECT_TIMEOUT
    assert [ip for ip, _ in network.dialled] == ["dead2", "dead1"]


async def test_an_address_that_leads_back_is_refused_before_it_is_dialled(network: Network) -> None:
    assert (await refusal(connector("up1", "up2", own="up2"))).fault is Fault.LOOP
    assert network.dialled == []


async def test_the_look_up_is_part_of_the_time() -> None:
    class Hanging(Fixed):
        async def addresses(self) -> tuple[str, ...]:
            await asyncio.Event().wait()
            return ()

    to = Connector(UpstreamTarget("http", Address("name.test", 1)), Hanging(), lambda ip, port: False)
    found = await refusal(to, 0.05)
    assert (found.fault, found.detail) == (Fault.CONNECT_TIMEOUT, "no connection to the upstream within 0.05 s")


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), Fault.CONNECTION_REFUSED),
        (FileNotFoundError(errno.ENOENT, "no socket"), Fault.CONNECTION_REFUSED),
        (OSError(errno.ENETUNREACH, "unreachable"), Fault.UNREACHABLE),
        (OSError(errno.ETIMEDOUT, "timed out"), Fault.CONNECT_TIMEOUT),
        (ssl.SSLError(1, "handshake"), Fault.TLS_ERROR),
        (ConnectionResetError(errno.ECONNRESET, "reset"), Fault.CONNECTION_LOST),
    ],
)
def test_faults(error: OSError, fault: Fault) -> None:
    assert refusal_of(error, "x").fault is fault


async def test_a_connection_made_too_late_is_closed() -> None:
    """Made in the very turn in which its time is over: the event loop closes it, and tells nobody of the loss."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        target = UpstreamTarget("http", Address("127.0.0.1", port))
        to = Connector(target, Resolver("127.0.0.1", port, 60), lambda ip, port: False)

        class Late(asyncio.Protocol):
            """Takes up all the time that there is in its `connection_made`."""

            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                time.sleep(0.2)

        with pytest.raises(Refusal) as caught:
            await to.connect(lambda _alpn: Late(), 0.1)
        assert caught.value.fault is Fault.CONNECT_TIMEOUT
        with server.accept()[0] as far:
            far.setblocking(False)
            assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(far, 1), 5) == b""


@pytest.mark.parametrize(("spoken", "agreed"), [(["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1"), ([], "")])
async def test_tls_says_what_is_made_of_a_connection(spoken: list[str], agreed: str) -> None:
    """By ALPN (RFC 7301); and what is made has the transport from its first byte on."""
    authority = trustme.CA()
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(serving)
    if spoken:
        serving.set_alpn_protocols(spoken)

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"first")

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=serving)
    port = server.sockets[0].getsockname()[1]
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    target = UpstreamTarget("https", Address("127.0.0.1", port), context, "127.0.0.1")
    to = Connector(target, Fixed("127.0.0.1"), lambda ip, port: False)
    asked: list[str] = []
    came: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    class Receiving(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            came.set_result(data)

    def make(alpn: str) -> Receiving:
        asked.append(alpn)
        return Receiving()

    made = await to.connect(make, 5)
    assert asked == [agreed]
    assert await asyncio.wait_for(came, 5) == b"first"
    made.transport.abort()  # type: ignore[attr-defined]
    server.close()
