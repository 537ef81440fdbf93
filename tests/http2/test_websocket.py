"""A WebSocket over HTTP/2 (RFC 8441) towards an app that speaks HTTP/1.1: GET, Upgrade, and a tunnel."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable

import pytest
import websockets
from lab.h2 import CANCEL, DATA, HEADERS, RST_STREAM, Peer
from lab.messages import Message
from lab.peers import Upstream, UpstreamConnection
from lab.sidecar import Sidecar

pytestmark = pytest.mark.logs

Start = Callable[..., Sidecar]
Knock = Callable[..., Peer]

T, S = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
FIELDS = [("sec-websocket-version", "13"), ("sec-websocket-protocol", "chat"), ("b3", f"{T}-{S}-1")]
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"


def ask(client: Peer, *, protocol: str = "websocket") -> int:
    stream, client.next_id = client.next_id, client.next_id + 2
    head = [(":method", "CONNECT"), (":protocol", protocol), (":scheme", "http"), (":path", "/chat?a=1")]
    client.headers(stream, [*head, (":authority", "app.test"), *FIELDS])
    return stream


def accepting(request: Message) -> bytes:
    key = request.head.value("sec-websocket-key") or b""
    made = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    accept = b"Upgrade: websocket\r\nSec-WebSocket-Accept: " + made
    return SWITCHING + accept + b"\r\nSec-WebSocket-Protocol: chat\r\n\r\n"


@pytest.fixture(params=["auto", "never"])
def sidecar(request: pytest.FixtureRequest, start: Start, upstream: Upstream) -> Sidecar:
    return start({"inbound": {"app": upstream.url, "http2": request.param}, "drain": {"timeout_s": 0.3}})


@pytest.fixture
def client(sidecar: Sidecar, knock: Knock) -> Peer:
    return knock(sidecar)


Asked = tuple[Peer, int, UpstreamConnection, Message]


@pytest.fixture
def asked(client: Peer, upstream: Upstream) -> Asked:
    stream = ask(client)
    app = upstream.accept()
    return client, stream, app, app.request()


def test_the_handshake(asked: Asked) -> None:
    client, stream, app, request = asked
    assert (request.method, request.target) == (b"GET", b"/chat?a=1")
    head = request.head
    assert [head.value(name) for name in ("upgrade", "connection", "host", "sec-websocket-version")] == [
        b"websocket", b"Upgrade", b"app.test", b"13",
    ]  # fmt: skip
    assert len(base64.b64decode(head.value("sec-websocket-key") or b"")) == 16
    assert head.value("traceparent") == f"00-{T}-{S}-01".encode()
    assert not {"content-length", "transfer-encoding", ":protocol"} & set(head.names())
    app.send(accepting(request))
    told = client.frame(HEADERS, stream=stream)
    assert not told.ends
    assert dict(told.fields) == {":status": "200", "sec-websocket-protocol": "chat"}
    assert client.their_settings[8] == 1


def test_bytes_pass_both_ways_and_each_ends_by_itself(asked: Asked) -> None:
    client, stream, app, request = asked
    client.data(stream, b"early")  # before the 200
    app.send(accepting(request) + b"first")
    client.frame(HEADERS, stream=stream)
    assert client.frame(DATA, stream=stream).payload == b"first"
    assert app.exactly(5) == b"early"
    for number in range(3):
        client.data(stream, b"to %d" % number)
        assert app.exactly(4) == b"to %d" % number
        app.send(b"fro")
        assert client.frame(DATA, stream=stream).payload == b"fro"
    client.data(stream, b"", end=True)
    assert app.is_ended()
    app.send(b"bye").close()
    assert client.frame(DATA, stream=stream).payload == b"bye"
    assert client.frame(DATA, stream=stream).ends


def test_tunnels_are_counted(sidecar: Sidecar, asked: Asked) -> None:
    client, stream, app, request = asked
    app.send(accepting(request))
    client.frame(HEADERS, stream=stream)
    metrics = sidecar.metrics.listener("inbound")
    assert (metrics.tunnels_total, metrics.tunnels_open) == ({"upgrade": 1}, 1)
    assert [(record.method, record.status) for record in sidecar.records] == [("GET", 101)]
    client.reset(stream, CANCEL)
    assert app.is_ended()
    sidecar.until(lambda: metrics.tunnels_open == 0)


def test_a_client_that_leaves_before_the_101(asked: Asked) -> None:
    client, stream, app, _ = asked
    client.reset(stream, CANCEL)
    assert app.is_ended()


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", 403),
        (b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n", 426),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 502),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 502),
        (SWITCHING + b"Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", 502),
        (SWITCHING + b"Upgrade: websocket\r\n\r\n", 502),
        (SWITCHING + b"Upgrade: other\r\n\r\n", 502),
    ],
    ids=["403", "426", "200", "200, chunked", "wrong accept", "no accept", "another protocol"],
)
def test_no_tunnel(asked: Asked, answer: bytes, status: int) -> None:
    """A 200 of HTTP/1.1 is no yes; to a CONNECT it would be one. What the client sends goes nowhere."""
    client, stream, app, _ = asked
    client.data(stream, b"early")
    app.send(answer)
    told = client.frame(HEADERS, stream=stream)
    assert dict(told.fields)[":status"] == str(status)
    assert b"early" not in app.received


def test_another_protocol_is_501(client: Peer) -> None:
    told = client.answer(ask(client, protocol="connect-udp"))
    assert told.status == 501
    assert b"only WebSocket" in told.body


async def test_the_websockets_library_answers(start: Start, knock: Knock) -> None:
    async def echo(socket: websockets.ServerConnection) -> None:
        async for message in socket:
            await socket.send(message)

    async with websockets.serve(echo, "127.0.0.1", 0, subprotocols=[websockets.Subprotocol("chat")]) as server:
        port = next(iter(server.sockets)).getsockname()[1]

        def talk() -> bytes:
            client = knock(start({"inbound": {"app": f"http://127.0.0.1:{port}"}}))
            stream = ask(client)
            assert dict(client.frame(HEADERS, stream=stream).fields)[":status"] == "200"
            client.data(stream, bytes((0x81, 0x85, 0, 0, 0, 0)) + b"hello")  # masked with zeros
            told = client.frame(DATA, RST_STREAM, stream=stream).payload
            client.data(stream, bytes((0x88, 0x82, 0, 0, 0, 0)) + (1000).to_bytes(2, "big"))
            return told

        assert await asyncio.to_thread(talk) == bytes((0x81, 5)) + b"hello"


def test_a_drain_says_goodbye(sidecar: Sidecar, asked: Asked) -> None:
    """Both get a Close frame with 1001, as over HTTP/1.1."""
    client, stream, app, request = asked
    app.send(accepting(request))
    client.frame(HEADERS, stream=stream)
    drained = sidecar.begin(sidecar.plane.drain(linger=False))
    assert client.frame(DATA, stream=stream).payload == bytes((0x88, 2)) + (1001).to_bytes(2, "big")
    assert client.frame(DATA, stream=stream).ends
    assert app.to_end()[:2] == bytes((0x88, 0x82))
    client.data(stream, b"", end=True)
    app.close()
    assert drained.result(5)
