"""Clients that the kernel has redirected, and that do not speak HTTP: their bytes go where they were meant to go."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import replace
from typing import cast

from lab.pairs import Plane
from lab.transports import FakeTransport

from proxy.http1.client import ClientConnection
from proxy.listener.listener_rules import ListenerRules
from proxy.listener.records.spans import Spans
from proxy.plan import Router
from proxy.telemetry.otlp.buffer import Outlet

HELLO = b"\x16\x03\x01\x00\x05hello"  # as TLS begins


class Redirected:
    """A socket whose client wanted to go to this port of 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self._port = port

    def fileno(self) -> int:
        return -1

    def getsockopt(self, *_: int) -> bytes:
        return struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", self._port, socket.inet_aton("127.0.0.1"))


async def redirected(port: int) -> tuple[Plane, ClientConnection, FakeTransport]:
    """A client that wanted to go there; nothing is known of other hosts."""
    plane = Plane(rest={"transparent": True})
    plan = plane.listener.rules.plan
    (upstream,) = plan.router.upstreams()
    free = replace(plan, router=Router(replace(upstream, target=None), []))
    plane.listener.use(ListenerRules(free, plane.pools, plane.metrics, Spans(Outlet()), "test"))
    client = ClientConnection(plane.listener)
    near = FakeTransport(peername=("10.0.0.1", 5), sockname=("10.0.0.9", 9081), socket=Redirected(port))
    near.protocol = client
    client.connection_made(near)
    return plane, client, near


async def test_its_bytes_go_through_a_tunnel_that_is_counted() -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as there:
        there.setblocking(False)
        plane, client, near = await redirected(there.getsockname()[1])
        client.data_received(HELLO)
        upstream, _ = await asyncio.wait_for(loop.sock_accept(there), 5)
        with upstream:
            assert await asyncio.wait_for(loop.sock_recv(upstream, 100), 5) == HELLO
            metrics = plane.metrics.listener("inbound")
            assert (metrics.tunnels_total, metrics.tunnels_open) == ({"redirected": 1}, 1)
            cast(asyncio.Protocol, near.protocol).eof_received()
            assert await asyncio.wait_for(loop.sock_recv(upstream, 100), 5) == b""
            cast(asyncio.Protocol, near.protocol).connection_lost(None)
            assert metrics.tunnels_open == 0


async def test_one_that_cannot_be_reached_is_told_nothing_in_http() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and nobody listens
        plane, client, near = await redirected(nobody.getsockname()[1])
        client.data_received(HELLO)
        await plane.listener._connecting.wait_closed()
    assert (near.is_aborted, near.take()) == (True, b"")
    assert plane.metrics.listener("inbound").tunnels_total == {}


async def test_a_listener_that_is_aborted_leaves_no_task() -> None:
    with socket.create_server(("127.0.0.1", 0)) as there:
        plane, client, near = await redirected(there.getsockname()[1])
        before = asyncio.all_tasks()
        client.data_received(HELLO)
        assert len(asyncio.all_tasks() - before) == 1
        plane.listener.abort()
        await plane.listener.wait_closed()
        assert asyncio.all_tasks() == before
    assert (near.is_aborted, plane.metrics.listener("inbound").tunnels_total) == (True, {})
