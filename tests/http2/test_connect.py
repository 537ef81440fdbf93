"""CONNECT over HTTP/2 (RFC 9113, 8.5): a tunnel in one stream, under the same settings as over HTTP/1.1."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

import pytest
from lab.h2 import CANCEL, DATA, ENHANCE_YOUR_CALM, HEADERS, RST_STREAM, Peer
from lab.peers import Upstream, UpstreamConnection
from lab.sidecar import LISTEN, Sidecar

Start = Callable[..., Sidecar]
Knock = Callable[..., Peer]

TUNNELS = {"inbound": {"listen": "off"}, "outbound": {"listen": LISTEN, "connect": True}}


def connect(client: Peer, authority: str, *, end: bool = False) -> int:
    stream, client.next_id = client.next_id, client.next_id + 2
    client.headers(stream, [(":method", "CONNECT"), (":authority", authority)], end=end)
    return stream


@pytest.fixture
def sidecar(start: Start) -> Sidecar:
    return start(TUNNELS)


@pytest.fixture
def tunnel(sidecar: Sidecar, knock: Knock, upstream: Upstream) -> tuple[Peer, int, UpstreamConnection]:
    """A client, the stream of its tunnel, and the far end."""
    client = knock(sidecar, "outbound")
    stream = connect(client, upstream.authority.decode())
    far = upstream.accept()
    assert client.frame(HEADERS, stream=stream).fields == [(":status", "200")]
    return client, stream, far


def until_end(client: Peer, stream: int) -> bytes:
    content = b""
    while True:
        came = client.frame(DATA, RST_STREAM, stream=stream)
        assert came.kind == DATA
        content += came.payload
        if came.ends:
            return content


def test_bytes_pass_both_ways(tunnel: tuple[Peer, int, UpstreamConnection]) -> None:
    """Whatever they are; the upstream may speak first."""
    client, stream, far = tunnel
    far.send(b"\x00\xff220 hello\r\n\r\n")
    assert client.frame(DATA, stream=stream).payload == b"\x00\xff220 hello\r\n\r\n"
    client.data(stream, b"GET / HTTP/1.1\r\n\r\n" + bytes(range(256)))
    assert far.exactly(18 + 256) == b"GET / HTTP/1.1\r\n\r\n" + bytes(range(256))


def test_bytes_that_come_early(sidecar: Sidecar, knock: Knock, upstream: Upstream) -> None:
    """Before the 200 they are the tunnel's already, and its end, too."""
    client = knock(sidecar, "outbound")
    stream = connect(client, upstream.authority.decode())
    client.data(stream, b"early", end=True)
    far = upstream.accept()
    assert far.to_end() == b"early"
    assert client.frame(HEADERS, stream=stream).fields == [(":status", "200")]
    far.send(b"late").close()
    assert until_end(client, stream) == b"late"


def test_each_direction_ends_by_itself(tunnel: tuple[Peer, int, UpstreamConnection]) -> None:
    """The upstream's end first, the client's later."""
    client, stream, far = tunnel
    far.send(b"bye").finish()
    assert until_end(client, stream) == b"bye"
    client.data(stream, b"still here")
    assert far.exactly(10) == b"still here"
    client.data(stream, b"", end=True)
    assert far.is_ended()


def test_much_passes_with_backpressure(tunnel: tuple[Peer, int, UpstreamConnection]) -> None:
    """Of 4 MiB the sidecar takes what the client has credit for, and what fits into buffers; then all arrives."""
    client, stream, far = tunnel
    size = 4 * 1024 * 1024
    sender = threading.Thread(target=lambda: far.send(bytes(size)).finish())
    client.credits = False
    sender.start()
    came = 0
    while came < 65535:  # the windows that the protocol starts with
        came += len(client.frame(DATA, stream=stream).payload)
    assert came == 65535
    client.credits = True
    client.credit(0, came)
    client.credit(stream, came)
    assert came + len(until_end(client, stream)) == size
    sender.join(5)


def test_a_reset_ends_the_far_connection_and_no_other_stream(
    sidecar: Sidecar, tunnel: tuple[Peer, int, UpstreamConnection], upstream: Upstream
) -> None:
    client, stream, far = tunnel
    other = connect(client, upstream.authority.decode())
    second = upstream.accept()
    assert client.frame(HEADERS, stream=other).fields == [(":status", "200")]
    client.reset(stream, CANCEL)
    assert far.is_ended()
    client.data(other, b"on")
    assert second.exactly(2) == b"on"
    sidecar.until(lambda: sidecar.metrics.listener("outbound").tunnels_open == 1)


def test_a_far_end_that_is_reset_resets_the_stream(
    sidecar: Sidecar, tunnel: tuple[Peer, int, UpstreamConnection]
) -> None:
    client, stream, far = tunnel
    far.reset()
    assert client.frame(DATA, RST_STREAM, stream=stream).kind in (DATA, RST_STREAM)
    sidecar.until(lambda: not sidecar.metrics.listener("outbound").tunnels_open)
    metrics = sidecar.metrics.listener("outbound")
    assert metrics.tunnels_total == {"connect": 1}


@pytest.mark.parametrize(
    ("settings", "listener", "authority", "status"),
    [
        ({}, "inbound", "a.test:1", "405"),
        (TUNNELS | {"outbound": {"listen": LISTEN, "connect": False}}, "outbound", "a.test:1", "405"),
        (TUNNELS, "outbound", "a.test", "400"),
        (TUNNELS, "outbound", "169.254.169.254:80", "403"),
        (TUNNELS, "outbound", "127.0.0.1:1", "502"),
    ],
)
def test_refusals_are_those_of_http_1(
    start: Start,
    knock: Knock,
    upstream: Upstream,
    settings: dict[str, object],
    listener: str,
    authority: str,
    status: str,
) -> None:
    sidecar = start(settings or {"inbound": {"app": upstream.url}})
    over_http1 = sidecar.ask(
        f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode(), listener, method="CONNECT"
    )
    client = knock(sidecar, listener)
    answer = client.answer(connect(client, authority))
    assert answer.status == int(status) == over_http1.status
    assert answer.body == over_http1.body


def test_a_client_that_takes_it_back_ends_the_attempt(start: Start, knock: Knock, deaf: str) -> None:
    sidecar = start(TUNNELS)
    client = knock(sidecar, "outbound")
    stream = connect(client, deaf.removeprefix("http://"))
    sidecar.settle()
    client.reset(stream, CANCEL)
    sidecar.until(lambda: sidecar.plane.in_flight() == 0)


def test_a_stop_ends_tunnels(start: Start, knock: Knock, upstream: Upstream) -> None:
    sidecar = start(TUNNELS)
    client = knock(sidecar, "outbound")
    connect(client, upstream.authority.decode())
    far = upstream.accept()
    assert client.frame(HEADERS).fields == [(":status", "200")]
    sidecar.thread.run(sidecar.plane.stop())
    assert far.is_ended()


def test_a_flood_of_tunnels_that_are_taken_back(sidecar: Sidecar, knock: Knock, upstream: Upstream) -> None:
    """It ends in GOAWAY, and leaves nothing behind."""
    client = knock(sidecar, "outbound")
    authority = upstream.authority.decode()
    with contextlib.suppress(OSError):  # it ends before all are sent
        for _ in range(300):
            client.reset(connect(client, authority))
    assert client.goaway().number == ENHANCE_YOUR_CALM
    sidecar.until(lambda: sidecar.plane.in_flight() == 0)
    assert sidecar.metrics.listener("outbound").tunnels_open == 0
