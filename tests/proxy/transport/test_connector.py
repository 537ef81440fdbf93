"""Connections to upstreams: every address in its turn, names that move, and faults by their name."""

from __future__ import annotations

import asyncio
import errno
import select
import socket
import ssl
import time
from collections.abc import Collection, Iterator

import pytest
import trustme

from proxy.plan import Address, UpstreamTarget
from proxy.semantics.faults import Fault, Refusal
from proxy.transport import connector as connector_module
from proxy.transport import dialling, resolve
from proxy.transport.connector import Connector, refusal_of
from proxy.transport.descriptors import Descriptors
from proxy.transport.resolve import Lookups, Resolver


class Fixed(Resolver):
    """A name with these addresses."""

    def __init__(self, *addresses: str) -> None:
        super().__init__("name.test", 60, Lookups())
        self._fixed = addresses

    async def addresses(self) -> tuple[str, ...]:
        return self._fixed

    async def anew(self, tried: Collection[str], answers: int) -> tuple[str, ...]:
        return ()


class Ports:
    """Servers at one port of several loopback addresses."""

    def __init__(self) -> None:
        self.port = 0
        self._servers: dict[str, socket.socket] = {}

    def serve(self, *ips: str) -> None:
        for ip in ips:
            family = socket.AF_INET6 if ":" in ip else socket.AF_INET
            server = self._servers[ip] = socket.create_server((ip, self.port), family=family)
            self.port = server.getsockname()[1]

    def fall_silent(self, ip: str) -> None:
        """Answer nobody at `ip`: its queue of connections is full, and the kernel drops what comes."""
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        server = self._servers[ip] = socket.socket(family)
        server.bind((ip, self.port))
        server.listen(0)
        for number in range(2):
            waiting = self._servers[f"{ip} {number}"] = socket.socket(family)
            waiting.setblocking(False)
            waiting.connect_ex((ip, self.port))

    def has_caller(self, ip: str) -> bool:
        callers = select.poll()
        callers.register(self._servers[ip], select.POLLIN)
        return bool(callers.poll(0))

    def close(self) -> None:
        for server in self._servers.values():
            server.close()


@pytest.fixture
def ports() -> Iterator[Ports]:
    made = Ports()
    yield made
    made.close()


class Peer(asyncio.Protocol):
    """Knows which address it was made for."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.ip = transport.get_extra_info("peername")[0]
        self.transport = transport


def connector(port: int, *addresses: str, own: str = "", resolver: Resolver | None = None) -> Connector:
    """Of a name with `addresses`. What goes to `own` would come back to us."""
    target = UpstreamTarget("http", Address("name.test", port))
    return Connector(target, resolver or Fixed(*addresses), lambda ip, _: LOOP if ip == own else None)


async def connect(to: Connector, timeout_s: float = 5) -> str:
    """The address that it leads to."""
    made = await to.connect(lambda _alpn: Peer(), timeout_s)
    made.transport.abort()
    return str(made.ip)


async def refusal(to: Connector, timeout_s: float = 5) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await connect(to, timeout_s)
    return caught.value


LOOP = Refusal(Fault.LOOP, "round")
A, B, C = "127.0.0.2", "127.0.0.3", "127.0.0.4"


async def test_each_connection_begins_with_the_next_address(ports: Ports) -> None:
    ports.serve(A, B, C)
    to = connector(ports.port, A, B, C)
    assert [await connect(to) for _ in range(4)] == [A, B, C, A]


async def test_families_are_served_alike(ports: Ports) -> None:
    """The round goes on within each family; the family that the system puts first stays first."""
    ports.serve("::1", A, B)
    to = connector(ports.port, "::1", A, B)
    assert [await connect(to) for _ in range(2)] == ["::1"] * 2
    to = connector(ports.port, A, "::1", B)
    assert [await connect(to) for _ in range(3)] == [A, B, A]


async def test_every_address_is_tried(ports: Ports) -> None:
    ports.serve(B)
    to = connector(ports.port, A, B, C)
    assert [await connect(to) for _ in range(3)] == [B] * 3


async def test_no_address_answers(ports: Ports) -> None:
    """The last one's fault is told."""
    ports.serve(C)
    found = await refusal(connector(ports.port, A, B))
    assert (found.fault, found.detail) == (Fault.CONNECTION_REFUSED, f"{B} port {ports.port} refuses connections")


async def test_a_silent_address_does_not_hold_up_the_next(ports: Ports) -> None:
    """Not for a second, after which the kernel itself would try it again."""
    ports.serve(B)
    ports.fall_silent(A)
    descriptors = Descriptors()
    to = Connector(
        UpstreamTarget("http", Address("name.test", ports.port)), Fixed(A, B), lambda ip, port: None, descriptors
    )
    assert await connect(to) == B
    assert descriptors.upstreams == 0, "the loser does not count any more"


async def test_a_loser_comes_last_for_a_while(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the next connections do not wait for it again; when its time is over, it has its turn."""
    ports.serve(B, C)
    to = connector(ports.port, A, B, C)
    dialled: list[str] = []
    dial = to._dial

    def noted(ip: str) -> asyncio.Future[socket.socket]:
        dialled.append(ip)
        return dial(ip)

    monkeypatch.setattr(to, "_dial", noted)
    assert [await connect(to) for _ in range(4)] == [B, B, C, B]
    assert dialled == [A, B, B, C, B]
    monkeypatch.setattr(connector_module, "_LAST_S", -1.0)
    to._last_until.clear()
    dialled.clear()
    assert [await connect(to) for _ in range(3)] == [B, C, B]
    assert dialled == [B, C, A, B]


async def test_the_other_family(ports: Ports) -> None:
    """IPv6 first, as the system has it, but nothing comes back: IPv4 is not held up for long."""
    ports.serve("127.0.0.1")
    ports.fall_silent("::1")
    assert await connect(connector(ports.port, "::1", "127.0.0.1")) == "127.0.0.1"


async def test_what_cannot_be_dialled_at_all(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    """A zone that there is not, an address without a route, no file descriptor: a fault like any other."""
    ports.serve(B)
    assert await connect(connector(ports.port, "fe80::1%nowhere", B)) == B
    assert (await refusal(connector(ports.port, "fe80::1%nowhere"))).fault is Fault.CONNECTION_LOST

    def none_left(*_: object) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    to = connector(ports.port, B)
    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", none_left)
        found = await refusal(to)
    assert (found.fault, "Too many open files" in found.detail) == (Fault.CONNECTION_LOST, True)


async def test_only_silent_addresses(ports: Ports) -> None:
    """Told as a timeout, within the whole time."""
    ports.serve(C)
    ports.fall_silent(A)
    assert (await refusal(connector(ports.port, A), 0.05)).fault is Fault.CONNECT_TIMEOUT


async def test_an_address_that_leads_back_is_not_dialled(ports: Ports) -> None:
    """Another one is; where none is left, the loop is told and not that another one refused."""
    ports.serve(A, B)
    assert await connect(connector(ports.port, A, B, own=A)) == B
    assert (await refusal(connector(ports.port, A, C, own=A))).fault is Fault.LOOP
    assert not ports.has_caller(A)


class Moving(Resolver):
    """A name that the system answers from `now`. `asked`: how often."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *now: str) -> None:
        super().__init__("name.test", 1000, Lookups())
        self.now = now
        self.asked = 0
        monkeypatch.setattr(resolve, "_look_up", self._look_up)

    async def _look_up(self, host: str) -> tuple[str, ...]:
        self.asked += 1
        return self.now


async def test_a_service_that_moved_is_looked_up_anew(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the request is answered, and once, however many find that the old address refuses."""
    ports.serve(C)
    moving = Moving(monkeypatch, A)
    to = connector(ports.port, resolver=moving)
    assert (await refusal(to)).fault is Fault.CONNECTION_REFUSED
    assert moving.asked == 1, "an answer of this very moment is not doubted"
    moving.now = (C,)
    assert await asyncio.gather(*(connect(to) for _ in range(5))) == [C] * 5
    assert moving.asked == 2
    assert await connect(to) == C
    assert moving.asked == 2, "the new one is remembered"


async def test_a_service_that_is_down_is_not_looked_up_each_time(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    ports.serve(C)
    moving = Moving(monkeypatch, A)
    to = connector(ports.port, resolver=moving)
    for _ in range(5):
        assert (await refusal(to)).fault is Fault.CONNECTION_REFUSED
    assert moving.asked == 2


async def test_a_service_that_moved_away_from_a_silent_address(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked up anew as well, while the old one is waited for."""
    monkeypatch.setattr(dialling, "_SILENCE_S", 0.01)
    ports.serve(C, A)
    moving = Moving(monkeypatch, A)
    to = connector(ports.port, resolver=moving)
    assert await connect(to) == A
    ports.close()
    ports.serve(C)
    ports.fall_silent(A)
    moving.now = (A, C)
    assert await connect(to) == C


async def test_the_look_up_is_part_of_the_time() -> None:
    class Hanging(Fixed):
        async def addresses(self) -> tuple[str, ...]:
            await asyncio.Event().wait()
            return ()

    to = Connector(UpstreamTarget("http", Address("name.test", 1)), Hanging(), lambda ip, port: None)
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


def test_an_alert_of_the_upstream_is_told_apart_from_other_failures_of_tls() -> None:
    error = ssl.SSLError(1, "it failed")
    error.reason = "TLSV1_ALERT_INTERNAL_ERROR"
    refusal = refusal_of(error, "a port 1")
    assert refusal.fault is Fault.TLS_ALERT
    assert refusal.detail == "a port 1 refused us with the TLS alert: internal error"


async def test_of_several_addresses_that_may_not_be_dialled_the_first_is_told() -> None:
    target = UpstreamTarget("http", Address("name.test", 1))
    to = Connector(target, Fixed(A, B), lambda ip, _: Refusal(Fault.LOOP, f"round by {ip}"))
    assert (await refusal(to)).detail == f"round by {A}"


async def test_a_tunnel_to_an_https_upstream_is_left_to_the_client(ports: Ports) -> None:
    """It speaks TLS itself, with the upstream: we dial, and say nothing."""
    ports.serve(A)
    target = UpstreamTarget("https", Address(A, ports.port), ssl.create_default_context(), A)
    made = await Connector(target, Fixed(A), lambda ip, _: None).connect(lambda _alpn: Peer(), 5, tls=False)
    assert made.ip == A
    made.transport.abort()


async def test_a_connection_made_too_late_is_closed() -> None:
    """Made in the very turn in which its time is over: the event loop closes it, and tells nobody of the loss."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        target = UpstreamTarget("http", Address("127.0.0.1", port))
        to = Connector(target, Resolver("127.0.0.1", port, 60), lambda ip, port: None)

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

    writers: list[asyncio.StreamWriter] = []

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        writer.write(b"first")

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=serving)
    port = server.sockets[0].getsockname()[1]
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    target = UpstreamTarget("https", Address("127.0.0.1", port), context, "127.0.0.1")
    to = Connector(target, Fixed("127.0.0.1"), lambda ip, port: None)
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
    writers[0].close()
    server.close()


@pytest.mark.parametrize(
    ("error", "fault", "words"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), Fault.CONNECTION_REFUSED, "a port 1 refuses connections"),
        (FileNotFoundError(errno.ENOENT, "x"), Fault.CONNECTION_REFUSED, "a port 1 refuses connections"),
        (TimeoutError(errno.ETIMEDOUT, "x"), Fault.CONNECT_TIMEOUT, "a port 1 did not answer"),
        *(
            (OSError(number, "no way"), Fault.UNREACHABLE, "a port 1 cannot be reached: no way")
            for number in (
                errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EHOSTDOWN, errno.ENETDOWN,
            )
        ),
        (OSError(errno.EMFILE, "too many"), Fault.CONNECTION_LOST, "the connection to a port 1 failed: too many"),
        (ConnectionResetError(), Fault.CONNECTION_LOST, "a port 1 closed the connection during the TLS handshake"),
        (OSError("odd"), Fault.CONNECTION_LOST, "the connection to a port 1 failed: odd"),
        (ssl.SSLError(1, "bad"), Fault.TLS_ERROR, "TLS with a port 1 failed: "),
    ],
)  # fmt: skip
def test_what_is_said_of_each_error(error: OSError, fault: Fault, words: str) -> None:
    refusal = refusal_of(error, "a port 1")
    assert refusal.fault is fault
    assert refusal.detail.startswith(words)
