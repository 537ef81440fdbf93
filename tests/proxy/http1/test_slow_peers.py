"""Peers that do not read, or read late: buffers stay bounded, deadlines fire, and nothing that was written is lost."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import pytest

from proxy.http1 import upstream as upstream_side
from proxy.http1.upstream import UpstreamConnection
from proxy.plan import Limits, Plan, PoolPlan, Router, Timeouts

BUFFER = 64 * 1024
MOST = BUFFER + 2 * 256 * 1024  # the mark, and what one read on either side may bring beyond it
BIG = b"HTTP/1.1 200 OK\r\nDate: today\r\nContent-Length: %d\r\n\r\n"


def connection_of(sidecar: Any) -> Any:
    (connection,) = sidecar.plane._listeners["inbound"].connections
    return connection


async def stuff(wire: Any, block: bytes, times: int) -> int:
    """Send `block` again and again until nothing is taken for a while; how often it was."""
    for sent in range(times):
        wire.writer.write(block)
        try:
            async with asyncio.timeout(0.3):
                await wire.writer.drain()
        except (TimeoutError, ConnectionError):
            return sent
    return times


async def test_upload_to_an_upstream_that_does_not_read(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the first packet alone is more than the connection takes at once."""
    made = UpstreamConnection.connection_made

    def made_small(self: UpstreamConnection, transport: asyncio.BaseTransport) -> None:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        made(self, transport)

    monkeypatch.setattr(UpstreamConnection, "connection_made", made_small)
    sidecar, origin = await lab.pair(limits=Limits(buffer_bytes=1024))
    origin.by_hand()
    wire = await sidecar.connect()
    wire.writer.transport.set_write_buffer_limits(high=0)
    block = bytes(1 << 20)
    head = b"POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 1000000000\r\n\r\n"
    await stuff(wire, head + block * 16, 1)
    await stuff(wire, block, 64)
    held = connection_of(sidecar)._exchange._answerer.transport.get_write_buffer_size()
    assert held <= MOST
    wire.reset()


async def test_pipelining_client_that_does_not_read(lab: Any) -> None:
    """The next request waits until the last answer has left."""
    sidecar, origin = await lab.pair(timeouts=Timeouts(idle_s=30))
    body = bytes(200_000)
    origin.answering(*[BIG % len(body) + body] * 400)
    wire = await sidecar.connect()
    await wire.send(b"GET / HTTP/1.1\r\nHost: app\r\n\r\n" * 400)
    connection = connection_of(sidecar)
    most = 0
    for _ in range(100):
        await asyncio.sleep(0.01)
        most = max(most, connection.transport.get_write_buffer_size())
    assert most <= MOST + len(body)
    for _ in range(400):
        head = await wire.head()
        assert head.startswith(b"HTTP/1.1 200 ")
        await wire.exactly(len(body))


async def test_no_request_goes_out_for_a_client_that_is_full(lab: Any) -> None:
    """Its response, which may be endless, could not be held back any more."""
    sidecar, origin = await lab.pair()
    body = bytes(200_000)
    full = []

    async def serve(upstream: Any) -> None:
        while True:
            await upstream.message()
            full.append(connection_of(sidecar).transport.get_write_buffer_size() > BUFFER)
            await upstream.send(BIG % len(body) + body)

    origin.serve = serve
    wire = await sidecar.connect()
    await wire.send(b"GET / HTTP/1.1\r\nHost: app\r\n\r\n" * 400)
    for _ in range(100):
        await asyncio.sleep(0.005)
    assert 0 < len(full) < 400
    assert not any(full)
    wire.reset()


async def test_pipelining_client_that_never_reads_is_cut(lab: Any, eventually: Any) -> None:
    sidecar, origin = await lab.pair(timeouts=Timeouts(idle_s=0.3))
    body = bytes(200_000)
    origin.answering(*[BIG % len(body) + body] * 400)
    wire = await sidecar.connect()
    await wire.send(b"GET / HTTP/1.1\r\nHost: app\r\n\r\n" * 400)
    listener = sidecar.metrics.listener("inbound")
    await eventually(lambda: listener.connections_total == 1 and listener.connections_open == 0)
    assert sidecar.plane.in_flight() == 0


async def test_client_that_never_reads_an_early_answer_is_cut(lab: Any, eventually: Any) -> None:
    """It stopped reading while it was still sending, and has sent all since."""
    sidecar, origin = await lab.pair(timeouts=Timeouts(idle_s=0.3, body_read_s=30, response_body_s=30))
    origin.by_hand()
    wire = await sidecar.connect()
    await wire.send(b"POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 10\r\n\r\nhello")
    upstream = await origin.accept()
    await upstream.head()
    await upstream.send(BIG % 1_000_000_000)
    await stuff(upstream, bytes(1 << 20), 64)
    assert connection_of(sidecar)._flow.is_stalled
    await wire.send(b"hello")
    await eventually(lambda: sidecar.plane.in_flight() == 0)


async def test_echo_to_a_client_that_only_sends(lab: Any, eventually: Any) -> None:
    """Each end waits for the other to read. No one is to blame but the client, and it is not waited for for ever."""
    sidecar, origin = await lab.pair(timeouts=Timeouts(idle_s=0.3))
    origin.by_hand()
    wire = await sidecar.connect()
    await wire.send(b"POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 1000000000\r\n\r\n")
    upstream = await origin.accept()
    await upstream.head()
    upstream.writer.transport.pause_reading()
    await stuff(wire, bytes(1 << 20), 64)
    await upstream.send(BIG % 1_000_000_000)
    await stuff(upstream, bytes(1 << 20), 64)
    await eventually(lambda: sidecar.plane.in_flight() == 0)


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
async def test_a_reload_changes_how_much_is_held_for_a_client(lab: Any, eventually: Any, busy: bool) -> None:
    """Of a connection that is open, be it between two exchanges or in the middle of one."""
    sidecar, origin = await lab.pair(limits=Limits(buffer_bytes=4 << 20))
    origin.by_hand()
    upstream = lab.upstream(origin)
    wire = await sidecar.connect()
    await wire.send(b"GET / HTTP/1.1\r\nHost: app\r\n\r\n")
    app = await origin.accept()
    await app.head()
    if not busy:
        await app.send(BIG % 0)
        await wire.head()
    await sidecar.plane.replace_plan(Plan(2, (lab.inbound(upstream, limits=Limits(buffer_bytes=1024)),), None))
    if not busy:
        await wire.send(b"GET / HTTP/1.1\r\nHost: app\r\n\r\n")
        await app.head()
    wire.writer.transport.pause_reading()
    app.writer.transport.set_write_buffer_limits(high=0)
    await app.send(BIG % (1 << 30))
    held = connection_of(sidecar).transport.get_write_buffer_size
    app.writer.write(bytes(40 << 20))
    await eventually(held)
    await stuff(app, b"x", 1)
    assert held() <= MOST
    wire.reset()


@pytest.mark.parametrize(("before", "after"), [(1024, 4 << 20), (4 << 20, 1024)], ids=["more", "less"])
async def test_a_reload_changes_how_much_is_held_for_a_pooled_connection(
    lab: Any, eventually: Any, before: int, after: int
) -> None:
    """From its next exchange on."""
    sidecar, origin = await lab.pair(limits=Limits(buffer_bytes=before))
    origin.by_hand()
    wire = await sidecar.connect()
    await wire.send(b"GET / HTTP/1.1\r\nHost: app\r\n\r\n")
    app = await origin.accept()
    await app.head()
    await app.send(BIG % 0)
    await wire.head()
    listener = lab.inbound(lab.upstream(origin), limits=Limits(buffer_bytes=after))
    await sidecar.plane.replace_plan(Plan(2, (listener,), None))
    wire.writer.transport.set_write_buffer_limits(high=0)
    await wire.send(b"POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 1000000000\r\n\r\n")
    await app.head()
    app.writer.transport.pause_reading()
    held = connection_of(sidecar)._exchange._answerer.transport.get_write_buffer_size
    wire.writer.write(bytes(40 << 20))
    await eventually(lambda: held() >= after)
    await stuff(wire, b"x", 1)
    assert held() <= after + MOST - BUFFER
    assert origin.opened == 1
    wire.reset()


async def test_waiting_requests_do_not_wait_for_a_connection_that_failed(lab: Any) -> None:
    """Each is answered by a try of its own, not by the timeout of the queue."""
    origin = await lab.origin()
    upstream = lab.upstream(1, pool=PoolPlan(max_connections=1), timeouts=Timeouts(queue_s=30))
    sidecar = await lab.sidecar(lab.inbound(upstream))
    wires = [await sidecar.connect() for _ in range(3)]
    for wire in wires:
        await wire.send(b"GET / HTTP/1.1\r\nHost: app\r\n\r\n")
    for wire in wires:
        assert (await wire.head()).startswith(b"HTTP/1.1 502 ")
    assert origin.opened == 0


async def test_an_idle_connection_that_has_ended_is_not_counted(lab: Any, eventually: Any) -> None:
    """A request comes between its end and the news of it."""
    sidecar, origin = await lab.pair()
    wire = await sidecar.connect()
    get = b"GET / HTTP/1.1\r\nHost: app\r\n\r\n"
    await wire.send(get)
    await wire.message()
    (pool,) = sidecar.plane._pools._pools.values()
    idle = pool._idle[0]
    idle.eof_received()
    await wire.send(get)
    await wire.message()
    idle.transport.close()
    metrics = sidecar.metrics.upstream("app")
    await eventually(lambda: metrics.connections_open == 1)
    assert metrics.connections_idle == len(pool._idle) == 1
    assert origin.opened == 2


async def test_requests_before_a_half_close_are_all_answered(lab: Any) -> None:
    sidecar, _ = await lab.pair()
    wire = await sidecar.connect()
    wire.writer.write(b"GET / HTTP/1.1\r\nHost: app\r\n\r\n" * 3)
    wire.half_close()
    answer = await wire.rest()
    assert answer.count(b"HTTP/1.1 200 ") == 3
    assert answer.count(b"Connection: close") == 1


async def test_half_a_request_before_a_half_close(lab: Any) -> None:
    """Behind a whole one: the first is answered, the second refused at once."""
    sidecar, _ = await lab.pair()
    wire = await sidecar.connect()
    get = b"GET / HTTP/1.1\r\nHost: app\r\n\r\n"
    wire.writer.write(get + b"POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 5\r\n\r\nhel")
    wire.half_close()
    answer = await wire.rest()
    assert answer.count(b"HTTP/1.1 200 ") == 1
    assert b"HTTP/1.1 400 " in answer
    assert sidecar.plane.in_flight() == 0


async def test_a_tunnel_to_a_server_that_speaks_first(lab: Any) -> None:
    origin = await lab.origin()

    async def greet(wire: Any) -> None:
        await wire.send(b"220 hello\r\n")
        await origin.hand_over(wire)

    origin.serve = greet
    sidecar = await lab.sidecar(lab.outbound(Router(lab.upstream(None, "other")), connect=True))
    for _ in range(50):
        wire = await sidecar.connect("outbound")
        await wire.send(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: x:1\r\n\r\n" % origin.port)
        assert (await wire.head()).startswith(b"HTTP/1.1 200 ")
        assert await wire.until(b"\r\n") == b"220 hello\r\n"
        with contextlib.suppress(OSError):
            await wire.close()


@pytest.mark.parametrize("fields", [b"", b"Connection: close\r\n"], ids=["kept", "closed"])
async def test_an_upstream_that_answers_a_request_and_does_not_read_it(
    lab: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch, fields: bytes
) -> None:
    """The rest is its own to take, for a while: no other request waits behind it, and the connection does end."""
    monkeypatch.setattr(upstream_side, "_LAST_BYTES_S", 0.2)
    sidecar, origin = await lab.pair(limits=Limits(buffer_bytes=1024), pool=PoolPlan(max_connections=1))
    origin.by_hand()
    wire = await sidecar.connect()
    await wire.send(b"GET / HTTP/1.1\r\nHost: app\r\n\r\n")
    app = await origin.accept()
    await app.head()
    await app.send(BIG % 0)
    await wire.head()
    (pool,) = sidecar.plane._pools._pools.values()
    (connection,) = pool._all
    for transport, option in ((connection.transport, socket.SO_SNDBUF), (app.writer.transport, socket.SO_RCVBUF)):
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, option, 4096)
    app.writer.transport.pause_reading()
    await wire.send(b"POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 60000\r\n\r\n" + bytes(60_000))
    await eventually(lambda: connection.is_full and connection.served == 2)
    await app.send(b"HTTP/1.1 200 OK\r\nDate: today\r\n%bContent-Length: 0\r\n\r\n" % fields)
    assert b"Connection: close" not in await wire.head(), "the request was whole"
    await wire.send(b"GET / HTTP/1.1\r\nHost: app\r\n\r\n")
    another = await origin.accept()
    await another.head()
    assert connection.is_lost
