"""101 turns the pair of connections into a tunnel (RFC 9110 7.8, RFC 6455); the real `websockets` library speaks
through it."""

# ruff: noqa: E501 - a raw message or a row of a table is one line

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import websockets
from lab.peers import Client, Upstream, UpstreamConnection
from lab.pump import fill
from lab.sidecar import Sidecar
from lab.wire import Wire

UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"


@pytest.fixture
def tunnel(wire: Wire) -> tuple[Client, UpstreamConnection]:
    client = wire.client()
    client.send(UPGRADE)
    app = wire.accept()
    asked = app.stream.request_head()
    assert asked.value("upgrade") == b"websocket"
    assert (asked.value("connection") or b"").lower() == b"upgrade"
    assert asked.value("sec-websocket-key") == b"dGhlIHNhbXBsZSBub25jZQ=="
    app.send(SWITCH)
    answer = client.stream.response_head()
    assert answer.start[0] == b"101"
    assert answer.value("upgrade") == b"websocket"
    assert (answer.value("connection") or b"").lower() == b"upgrade"
    assert answer.value("sec-websocket-accept") is not None
    return client, app


def test_bytes_pass_untouched(tunnel: tuple[Client, UpstreamConnection]) -> None:
    """After the 101 bytes are bytes, though they look like HTTP."""
    client, app = tunnel
    for data in (b"GET / HTTP/1.1\r\nTransfer-Encoding: x\r\n\r\n", bytes(range(256)) * 300):
        client.send(data)
        assert app.exactly(len(data)) == data
        app.send(data)
        assert client.exactly(len(data)) == data


def test_tunnels_are_counted(tunnel: tuple[Client, UpstreamConnection], wire: Wire) -> None:
    assert wire.sidecar.metrics.listener("inbound").tunnels_total == {"upgrade": 1}


def test_http10_cannot_upgrade(wire: Wire) -> None:
    """RFC 9110 7.8: a server ignores the wish of an HTTP/1.0 request."""
    raw = UPGRADE.replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"keep-alive, ", b"")
    assert wire.passes(raw).head.value("upgrade") is None


def test_half_close_each_way(tunnel: tuple[Client, UpstreamConnection]) -> None:
    """One end finishes, the other may still speak."""
    client, app = tunnel
    client.send(b"last").finish()
    assert app.to_end() == b"last"
    app.send(b"reply")
    app.close()
    assert client.to_end() == b"reply"


@pytest.mark.parametrize("piece", [0, 1], ids=["whole", "bytewise"])
def test_bytes_right_behind_the_101(wire: Wire, piece: int) -> None:
    """What comes in one packet with the 101 belongs to the tunnel."""
    client = wire.client()
    client.send(UPGRADE)
    app = wire.accept()
    app.stream.request_head()
    app.settle = wire.sidecar.settle
    app.send(SWITCH + b"\x81\x05hello", piece=piece)
    assert client.stream.response_head().start[0] == b"101"
    assert client.exactly(7) == b"\x81\x05hello"


def test_bytes_before_the_101(wire: Wire) -> None:
    """A client that speaks early is held, not read as a second request."""
    client = wire.client()
    client.send(UPGRADE + b"\x81\x05hello")
    app = wire.accept()
    app.stream.request_head()
    wire.settle()
    assert app.is_silent()
    app.send(SWITCH)
    assert app.exactly(7) == b"\x81\x05hello"
    app.send(b"x")
    assert client.stream.response_head().start[0] == b"101"
    assert client.exactly(1) == b"x"


def test_declined(wire: Wire) -> None:
    """RFC 9110 7.8: an app may ignore the wish; then it is an ordinary exchange."""
    client = wire.client()
    client.send(UPGRADE)
    app = wire.accept()
    app.answer(b"plain")
    assert client.response().body == b"plain"
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    wire.settle()
    (wire.accept() if wire.upstream.has_caller() else app).answer(b"next")
    assert client.response().body == b"next"


def test_426_says_what_is_needed(wire: Wire) -> None:
    """RFC 9110 15.5.22: the Upgrade field of a 426 is what it is about; but none to what we cannot be switched to."""
    answer = wire.answers(
        b"HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n"
    )
    assert answer.status == 426
    assert answer.head.value("upgrade") == b"websocket"
    assert b"upgrade" in (answer.head.value("connection") or b"").lower()


def test_426_for_http2_is_not_ours_to_ask(wire: Wire) -> None:
    """RFC 9110 7.8: Upgrade is between two neighbours, and ours speak HTTP/1.1 with us."""
    answer = wire.answers(
        b"HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n"
    )
    assert answer.status == 426
    assert answer.head.value("upgrade") is None


@pytest.mark.parametrize(
    "request_bytes",
    [
        UPGRADE.replace(b"HTTP/1.1", b"HTTP/1.0"),  # RFC 9110 7.8: a server ignores Upgrade in HTTP/1.0
        UPGRADE.replace(b"keep-alive, Upgrade", b"keep-alive"),  # not nominated: it was not meant for us
        UPGRADE.replace(b"Upgrade: websocket", b"Upgrade: h2c"),
    ],
    ids=["http10", "not-nominated", "h2c"],
)
def test_no_upgrade(wire: Wire, request_bytes: bytes) -> None:
    """RFC 9110 7.8: the app is not asked, and a 101 all the same is no answer."""
    client = wire.client()
    client.send(request_bytes)
    app = wire.accept()
    assert "upgrade" not in app.request().head.names()
    app.send(SWITCH + b"tunnelled")
    assert client.response().status == 502
    assert b"tunnelled" not in client.received


@pytest.mark.parametrize("protocol", [b"other", b"h2c", b"websocket, h2c", b"", b",", b"websocket x"])
def test_switch_to_something_else(wire: Wire, protocol: bytes) -> None:
    """RFC 9110 7.8: nobody is switched to a protocol that the client did not offer: 502, and nothing of it passes."""
    client = wire.client()
    client.send(UPGRADE)
    app = wire.accept()
    app.request()
    app.send(SWITCH.replace(b"Upgrade: websocket", b"Upgrade: " + protocol) + b"tunnelled")
    assert client.response().status == 502
    assert b"tunnelled" not in client.received
    assert app.to_end() == b""


@pytest.mark.parametrize(
    ("offered", "protocol"), [(b"foo/2, bar", b"Foo"), (b"tcp", b"TCP"), (b"h2c, websocket", b"websocket,")]
)
def test_switch_to_one_of_several(wire: Wire, offered: bytes, protocol: bytes) -> None:
    """RFC 9110 7.8: names of protocols have no case, and which version it became is the app's to say."""
    client = wire.client()
    client.send(UPGRADE.replace(b"Upgrade: websocket", b"Upgrade: " + offered))
    app = wire.accept()
    app.request()
    app.send(SWITCH.replace(b"Upgrade: websocket", b"Upgrade: " + protocol))
    assert client.stream.response_head().value("upgrade") == protocol


def test_app_gone_ends_the_tunnel(tunnel: tuple[Client, UpstreamConnection]) -> None:
    """A reset on one side ends the other."""
    client, app = tunnel
    app.reset()
    assert client.to_end() == b""


def test_tunnel_backpressure(tunnel: tuple[Client, UpstreamConnection]) -> None:
    """A reader that stops stops the writer: bytes are not gathered in the sidecar."""
    client, app = tunnel
    sent = fill(app.sock)
    assert sent < 16 * 1024 * 1024
    app.finish()
    assert len(client.to_end()) == sent


def test_switch_while_the_app_is_full(start: Callable[..., Sidecar], tmp_path: Path) -> None:
    """The app switches without having read the request's body: what it holds back before holds back after.

    Its socket is filled bit by bit. Then the end of the body comes in one piece, and is more than may wait for the app.
    """
    with closing(Upstream(unix_path=tmp_path / "app")) as upstream:
        sidecar = start({"inbound": {"app": upstream.url}, "limits": {"buffer_bytes": 16 * 1024}})
        client = sidecar.client()
        client.send(UPGRADE.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n"))
        with upstream.accept() as app:
            app.stream.request_head()
            [connection] = sidecar.plane._listeners["inbound"].connections
            exchange = connection._exchange  # type: ignore[attr-defined]  # a ClientConnection
            sent = 0
            while not sidecar.call(lambda: exchange.answerer.transport.get_write_buffer_size()):
                client.send(b"1000\r\n" + bytes(4096) + b"\r\n")
                sent += 4096
                sidecar.until(lambda sent=sent: exchange.bytes_in == sent)  # type: ignore[misc]
            client.send(b"7000\r\n" + bytes(28 * 1024) + b"\r\n0\r\n\r\n")
            sidecar.until(lambda: exchange.request_done)
            app.send(SWITCH)
            assert client.stream.response_head().start[0] == b"101"
            assert fill(client.sock) < 16 * 1024 * 1024


def test_switch_while_the_client_is_full(start: Callable[..., Sidecar], upstream: Upstream, tmp_path: Path) -> None:
    """The client has stopped reading at the 1xx before the 101: what the app sends then has to wait."""
    sidecar = start({"inbound": {"app": upstream.url, "listen": f"unix:{tmp_path}/in"}})
    client = sidecar.client()
    client.send(UPGRADE)
    with upstream.accept() as app:
        app.stream.request_head()
        app.send(24 * (b"HTTP/1.1 103 Early Hints\r\nLink: " + 10_000 * b"x" + b"\r\n\r\n") + SWITCH)
        assert fill(app.sock) < 16 * 1024 * 1024
        client.reset()


async def test_websockets_library(wire: Wire) -> None:
    """A real client and a real server, text, binary, ping, 1 MiB with compression, and the closing handshake."""

    async def echo(connection: websockets.ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)
        await connection.wait_closed()

    wire.upstream.sock.setblocking(False)
    async with asyncio.timeout(10), websockets.serve(echo, sock=wire.upstream.sock.dup(), max_size=None):
        port = wire.sidecar.addresses["inbound"].port
        async with websockets.connect(f"ws://127.0.0.1:{port}/chat", max_size=None) as client:
            for message in ("hello", b"\x00\xff", "ä" * 600_000):
                await client.send(message)
                assert await client.recv() == message
            await (await client.ping())
        assert client.close_code == 1000


async def test_websockets_library_at_the_end_of_a_drain(wired: Callable[..., Wire]) -> None:
    """Both learn by 1001 that the sidecar goes, behind messages of any kind."""
    wire = wired({"drain": {"timeout_s": 0.3}})
    codes: list[int | None] = []

    async def echo(connection: websockets.ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)
        codes.append(connection.close_code)

    wire.upstream.sock.setblocking(False)
    async with asyncio.timeout(10), websockets.serve(echo, sock=wire.upstream.sock.dup()):
        port = wire.sidecar.addresses["inbound"].port
        async with websockets.connect(f"ws://127.0.0.1:{port}/chat") as client:
            for message in ("hello", b"\x00\xff", "ä" * 300_000):
                await client.send(message)
                assert await client.recv() == message
            draining = wire.sidecar.begin(wire.sidecar.plane.drain())
            await client.wait_closed()
            codes.append(client.close_code)
            assert await asyncio.wrap_future(draining) is True
    assert codes == [1001, 1001]
