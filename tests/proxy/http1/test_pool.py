"""The pool: which connection is used, when it is closed, what DNS changes mean. Waiting is in test_exchange."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

import pytest

from proxy.plan import Address, PoolPlan, UpstreamTarget

GET = b"GET / HTTP/1.1\r\nHost: app\r\n\r\n"


async def both(sidecar: Any) -> None:
    """Two requests at once, so two connections to the upstream."""
    wires = [await sidecar.connect() for _ in range(2)]
    for wire in wires:
        await wire.send(GET)
    for wire in wires:
        await wire.message()


async def test_one_connection_serves_many_requests(lab: Any) -> None:
    sidecar, origin = await lab.pair()
    for _ in range(3):
        wire = await sidecar.connect()
        await wire.send(GET)
        await wire.message()
    assert origin.opened == 1
    metrics = sidecar.metrics.upstream("app")
    assert (metrics.connects, metrics.reused, metrics.connections_idle, metrics.connections_open) == (1, 2, 1, 1)


async def test_idle_connections_are_closed(lab: Any, eventually: Any) -> None:
    sidecar, _ = await lab.pair(pool=PoolPlan(idle_s=0.2))
    await both(sidecar)
    metrics = sidecar.metrics.upstream("app")
    await eventually(lambda: metrics.connections_open == 0)
    assert metrics.idle_closed["timeout"] >= 1
    assert metrics.connections_idle == 0


@pytest.mark.parametrize(("hint", "opened"), [(b"timeout=1", 2), (b"timeout=60, max=9", 1)])
async def test_an_upstream_says_how_long_it_keeps_a_connection(lab: Any, hint: bytes, opened: int) -> None:
    """A second before that the connection serves no other request: it might be closing already."""
    sidecar, origin = await lab.pair()
    response = b"HTTP/1.1 200 OK\r\nKeep-Alive: %b\r\nContent-Length: 0\r\n\r\n" % hint
    origin.answering(response, response)
    wire = await sidecar.connect()
    for _ in range(2):
        await wire.send(GET)
        head, _ = await wire.message()
        assert b"Keep-Alive" not in head
    assert origin.opened == opened


async def test_surplus_connections_are_closed(lab: Any, eventually: Any) -> None:
    sidecar, origin = await lab.pair(pool=PoolPlan(max_idle=1))
    origin.by_hand()
    wires = [await sidecar.connect() for _ in range(2)]
    for wire in wires:
        await wire.send(GET)
    upstreams = [await origin.accept() for _ in range(2)]
    for upstream in upstreams:
        await upstream.head()
        await upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    for wire in wires:
        await wire.message()
    metrics = sidecar.metrics.upstream("app")
    await eventually(lambda: metrics.connections_open == 1)
    assert metrics.idle_closed == {"surplus": 1}


async def test_a_connection_that_dies_idle_is_noticed(lab: Any, eventually: Any) -> None:
    sidecar, origin = await lab.pair()
    origin.answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    wire = await sidecar.connect()
    await wire.send(GET)
    await wire.message()
    await (await origin.accept()).close()
    metrics = sidecar.metrics.upstream("app")
    await eventually(lambda: metrics.connections_open == 0)
    assert metrics.idle_closed == {"peer": 1}


async def test_a_tick_between_an_end_and_its_loss(lab: Any) -> None:
    """The peer has ended the connection, and the event loop has not closed it yet: that is no timeout of ours."""
    sidecar, _ = await lab.pair()
    wire = await sidecar.connect()
    await wire.send(GET)
    await wire.message()
    (pool,) = sidecar.plane._pools._pools.values()
    (connection,) = pool._idle
    connection.eof_received()
    pool.on_tick()
    assert sidecar.metrics.upstream("app").idle_closed == {"peer": 1}


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_a_connection_that_ends_is_not_used_again(lab: Any, response: bytes) -> None:
    sidecar, origin = await lab.pair()
    origin.answering(response)
    wire = await sidecar.connect()
    for opened in (1, 2):
        await wire.send(GET)
        await wire.message()
        assert origin.opened == opened


async def test_keep_alive_of_an_http_1_0_upstream(lab: Any) -> None:
    sidecar, origin = await lab.pair()
    origin.answering(*[b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"] * 2)
    wire = await sidecar.connect()
    for _ in range(2):
        await wire.send(GET)
        await wire.message()
    assert origin.opened == 1


async def test_the_dns_is_followed(lab: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a name moves, idle connections to the old address are closed, and new requests go to the new one."""
    origin = await lab.origin(host="0.0.0.0")
    answers = ["127.0.0.1"]
    asked = 0

    async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        nonlocal asked
        asked += 1
        if not answers:
            raise socket.gaierror("down")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)
    target = UpstreamTarget("http", Address("app.test", origin.port))
    upstream = lab.upstream(origin, target=target, pool=PoolPlan(dns_refresh_s=0.2))
    sidecar = await lab.sidecar(lab.inbound(upstream))
    wire = await sidecar.connect()
    await wire.send(GET)
    await wire.message()
    answers[:] = ["127.0.0.2"]
    metrics = sidecar.metrics.upstream("app")
    await eventually(lambda: metrics.idle_closed == {"moved": 1})
    await wire.send(GET)
    await wire.message()
    assert origin.opened == 2
    answers.clear()  # the DNS is down: the last answer holds
    before = asked
    await eventually(lambda: asked > before)
    await wire.send(GET)
    assert (await wire.message())[0].startswith(b"HTTP/1.1 200 ")


async def test_surplus_bytes_are_seen_before_a_connection_is_used_again(lab: Any) -> None:
    """They lie in the kernel when the next request comes, and would be taken for its answer."""
    sidecar, origin = await lab.pair()
    origin.answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    wire = await sidecar.connect()
    await wire.send(GET)
    await wire.message()
    upstream = await origin.accept()
    origin.serve = origin.answer_ok
    (connection,) = sidecar.plane._listeners["inbound"].connections
    os.write(upstream.writer.get_extra_info("socket").fileno(), b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
    connection.data_received(GET)  # in this very turn of the loop
    assert (await wire.message())[1] == b"ok"
    assert sidecar.metrics.upstream("app").idle_closed == {"surplus-bytes": 1}
