"""What a drain waits for besides exchanges: last bytes, requests that the kernel holds, the app's last calls."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from lab.peers import WAIT_S, Client, Upstream, UpstreamConnection
from lab.pump import MIB
from lab.sidecar import LISTEN, Sidecar
from lab.wire import Wire

from proxy.semantics.websocket import going_away

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def test_the_last_bytes_of_an_answer(start: Callable[..., Sidecar], upstream: Upstream, tmp_path: Path) -> None:
    """An answer that is over for us but has not left yet, because its client is slow, is not cut.

    Over a Unix socket, since that holds little.
    """
    inbound = {"listen": f"unix:{tmp_path}/in", "app": upstream.url}
    sidecar = start({"inbound": inbound, "limits": {"buffer_bytes": MIB}, "drain": {"timeout_s": 20}})
    client = sidecar.client()
    client.send(GET)
    app = upstream.accept()
    app.request()
    size = MIB // 2
    app.reply(bytes(size))
    sidecar.until(lambda: sidecar.plane.in_flight() == 0)
    draining = sidecar.begin(sidecar.plane.drain())
    sidecar.settle(50)
    assert not draining.done()
    assert len(client.response().body) == size
    assert draining.result(5) is True


def test_a_request_that_was_sent_before_the_drain(wire: Wire) -> None:
    """It is in the kernel, unread, when the idle connections are closed."""
    client = wire.client()
    wire.exchange(client, GET)
    wire.settle()
    plane = wire.sidecar.plane
    with wire.sidecar.standstill():
        draining = wire.sidecar.begin(plane.drain())
        client.send(GET)
    wire.upstream.answer(b"last")
    assert client.response().body == b"last"
    assert draining.result(5) is True


def test_a_client_that_was_accepted_in_the_turn_of_the_drain(wire: Wire) -> None:
    """The event loop has taken it out of the kernel's queue, and tells the listener a turn later."""
    plane = wire.sidecar.plane
    (listening,) = plane._doors["inbound"].sockets
    accept, begun = listening.accept, []

    def accept_and_drain() -> object:
        if not begun:
            begun.append(asyncio.ensure_future(plane.drain()))
        return accept()

    listening.accept = accept_and_drain
    client = wire.client()
    wire.sidecar.until(lambda: begun)
    wire.settle()
    assert not wire.sidecar.call(begun[0].done)
    client.send(GET)
    wire.upstream.answer(b"served")
    assert client.response().body == b"served"
    wire.sidecar.until(lambda: begun[0].done() and begun[0].result())


def test_grace_takes_leave(wired: Callable[..., Wire]) -> None:
    """Answers say `Connection: close`, new callers are served, and idle connections are closed bit by bit."""
    wire = wired({"drain": {"grace_s": 60}})
    clients = [wire.client() for _ in range(120)]  # two a second
    begun = wire.sidecar.plane._ticker.now
    wire.sidecar.until(lambda: wire.sidecar.plane._ticker.now > begun)  # idleness is told apart by ticks
    for client in (clients[0], clients[1], clients[-1]):
        wire.exchange(client, GET)
    draining = wire.sidecar.begin(wire.sidecar.plane.drain())
    silent = {client.sock: client for client in clients[2:-1]}  # they never asked: the longest idle of all
    for _ in range(2):
        (first, *others), _, _ = select.select(silent, [], [], WAIT_S)
        assert silent.pop(first).is_ended()
        assert len(others) < 60
    for client in (wire.client(), clients[-1]):
        client.send(GET)
        wire.upstream.answer(b"still")
        answer = client.response()
        assert (answer.body, answer.head.value("connection")) == (b"still", b"close")
        assert client.is_ended()
    assert not draining.done()
    draining.cancel()


def test_an_app_that_stops_slowly_keeps_its_way_out(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    """For as long as the drain may take, by default."""
    sidecar = start({"inbound": {"app": upstream.url}, "outbound": {"listen": LISTEN}, "drain": {"timeout_s": 7}})
    begun = sidecar.plane._ticker.now
    draining = sidecar.begin(sidecar.plane.drain())
    sidecar.until(lambda: sidecar.plane._ticker.now > begun + 3)
    assert not draining.done()
    upstream.close()
    assert draining.result(20) is True


UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n"
TEXT = b"\x81\x02hi"


def switched(wire: Wire) -> tuple[Client, UpstreamConnection]:
    """A WebSocket through the sidecar."""
    client = wire.client()
    client.send(UPGRADE)
    app = wire.accept()
    app.stream.request_head()
    app.send(SWITCH)
    assert client.stream.response_head().start[0] == b"101"
    return client, app


def test_a_websocket_is_told_that_it_is_over(wired: Callable[..., Wire]) -> None:
    """With 1001 at both ends; if one is in mid-frame, the other end's connection just ends. Nothing counts as cut."""
    wire = wired({"drain": {"timeout_s": 0.3}})
    client, app = switched(wire)
    mid_client, mid_app = switched(wire)
    for far in (app, mid_app):
        far.send(TEXT)
    mid_app.send(TEXT[:3])
    assert client.exactly(4) == TEXT
    assert mid_client.exactly(7) == TEXT + TEXT[:3]
    draining = wire.sidecar.begin(wire.sidecar.plane.drain())
    assert client.exactly(4) == going_away()
    closed = app.exactly(8)
    assert closed == going_away(closed[2:6])
    assert mid_client.is_ended()
    assert mid_app.exactly(8)[:2] == b"\x88\x82"
    for peer in (client, app, mid_app):
        assert peer.is_ended()
    assert draining.result(5) is True


def test_a_tunnel_is_closed_when_the_time_is_over(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    """Both ends see an orderly end, also where nobody answers it."""
    sidecar = start({"inbound": {"listen": "off"}, "outbound": {"listen": LISTEN}, "drain": {"timeout_s": 0.3}})
    client = sidecar.client("outbound")
    client.send(b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (upstream.authority, upstream.authority))
    far = upstream.accept()
    assert client.response("CONNECT").status == 200
    far.send(b"x")
    assert client.exactly(1) == b"x"
    draining = sidecar.begin(sidecar.plane.drain())
    assert client.is_ended()
    assert far.is_ended()
    client.send(b"unheard")  # it leaves nothing behind: within a second the connection is gone
    assert draining.result(5) is True
    assert sidecar.plane.in_flight() == 0


def lingering(start: Callable[..., Sidecar], app: Upstream) -> Sidecar:
    """A sidecar that waits a minute for the last calls of its app."""
    drain = {"timeout_s": 60, "outbound_linger_s": 60}
    return start({"inbound": {"app": app.url}, "outbound": {"listen": LISTEN}, "drain": drain})


def test_the_outbound_listener_stays_until_the_app_has_gone(start: Callable[..., Sidecar]) -> None:
    """And not for the rest of `outbound_linger_s`."""
    with closing(Upstream()) as app:
        sidecar = lingering(start, app)
        draining = sidecar.begin(sidecar.plane.drain())
        app.accept().close()  # the sidecar asks whether the app is still there
        client = sidecar.client("outbound")
        assert client.ask(b"GET / HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n").status == 502
    assert draining.result(20) is True
    assert client.is_ended()


def test_a_drain_without_lingering_does_not_wait_for_the_app(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    sidecar = lingering(start, upstream)
    assert sidecar.begin(sidecar.plane.drain(linger=False)).result(20) is True
    assert not upstream.has_caller()


def test_a_slow_client_gets_the_last_answer(wired: Callable[..., Wire]) -> None:
    """The connection ends after it, and what was written before is not thrown away."""
    size = 24 * MIB  # more than the kernel holds
    wire = wired({"limits": {"buffer_bytes": size}})
    client = wire.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    app = wire.accept()
    app.request()
    app.sock.settimeout(20)
    app.reply(bytes(size))
    wire.sidecar.until(lambda: not wire.sidecar.plane.in_flight())
    assert len(client.response().body) == size
    assert client.is_ended()
