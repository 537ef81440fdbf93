"""A pool of HTTP/1.1 connections without sockets: its connector connects when the test says so.

Compiled code takes no stand-ins: there, the tests that import this are skipped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.transports import FakeTransport
from proxy.http1 import pool as module
from proxy.http1.kept_connection import HeldRequests
from proxy.http1.pool import ConnectionPool
from proxy.http1.upstream import UpstreamConnection
from proxy.plan import Address, PoolPlan, Timeouts, UpstreamTarget
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import response_kinds
from proxy.telemetry.metrics import UpstreamMetrics
from proxy.transport.connector import Connector
from proxy.transport.deadlines import Ticker
from proxy.transport.descriptors import Descriptors
from proxy.transport.outbox import Outbox

if not cast(str, module.__file__).endswith(".py"):
    pytest.skip("what is compiled takes no stand-ins", allow_module_level=True)

CONNECT_S, QUEUE_S = 2.0, 3.0


class Waiter:
    """Wants a connection, and writes down what it is given."""

    def __init__(self, *, fresh: bool = False, client: bytes = b"10.0.0.1") -> None:
        self.terms = SimpleNamespace(timeouts=Timeouts(connect_s=CONNECT_S, queue_s=QUEUE_S))
        self.wants_fresh = fresh
        self.deadline = 0.0
        self.client = client
        self.given: list[Any] = []
        self.details: list[str] = []  # of the faults among them

    def can_begin_again(self) -> bool:
        return False

    def on_connected(self, connection: UpstreamConnection) -> None:
        self.given.append(connection)

    def on_unconnected(self, refusal: Refusal) -> None:
        self.given.append(refusal.fault)
        self.details.append(refusal.detail)


class Name:
    """A resolver whose look-ups the test answers."""

    def __init__(self) -> None:
        self.stale = False
        self.answer: asyncio.Future[tuple[str, ...]] = asyncio.get_running_loop().create_future()
        self.is_over = False

    def is_stale(self, now: float) -> bool:
        return self.stale

    async def addresses(self) -> tuple[str, ...]:
        try:
            return await self.answer
        finally:
            for _ in range(9):  # it takes its time
                await asyncio.sleep(0)
            self.is_over = True


class Rig:
    """A pool, and the connections that it is making."""

    def __init__(self, **plan: Any) -> None:
        self.target = UpstreamTarget("http", Address("app.test", 80))
        self.resolver = Name()
        self.dialling: list[tuple[Callable[[str], UpstreamConnection], asyncio.Future[UpstreamConnection]]] = []
        self.times: list[float] = []
        self.metrics = UpstreamMetrics()
        self.ticker = Ticker(asyncio.get_running_loop())
        self.descriptors = Descriptors(64 + 2 * 3)
        self.shed = 0
        self.sheds = True  # an idle connection makes room where it has to
        self.pool = ConnectionPool(
            cast(Connector, self),
            PoolPlan(**plan),
            self.metrics,
            self.ticker,
            Outbox(asyncio.get_running_loop()),
            HeldRequests(asyncio.get_running_loop()),
            self.descriptors,
            self.on_shed,
            response_kinds(),
        )

    def on_shed(self) -> bool:
        self.shed += 1
        return self.sheds

    async def connect(self, make: Callable[[str], UpstreamConnection], timeout_s: float) -> UpstreamConnection:
        self.times.append(timeout_s)
        made: asyncio.Future[UpstreamConnection] = asyncio.get_running_loop().create_future()
        self.dialling.append((make, made))
        return await made

    def wait(self, *, fresh: bool = False, client: bytes = b"10.0.0.1") -> Waiter:
        """A waiter that joins the queue or is served."""
        waiter = Waiter(fresh=fresh, client=client)
        self.pool.acquire(cast(Any, waiter))
        return waiter

    async def connected(self, peer: str = "10.0.0.1", *, lost: bool = False) -> UpstreamConnection:
        """The connection that is dialled for longest is made."""
        await asyncio.sleep(0)
        make, made = self.dialling.pop(0)
        connection = make("")
        transport = FakeTransport(peername=(peer, 80))
        transport.protocol = connection
        connection.connection_made(transport)
        if lost:
            connection.connection_lost(None)
        made.set_result(connection)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return connection

    async def refused(self) -> None:
        await asyncio.sleep(0)
        self.dialling.pop(0)[1].set_exception(Refusal(Fault.CONNECTION_REFUSED, "refused"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def used(self, peer: str = "10.0.0.1") -> UpstreamConnection:
        """A connection that is in use by a waiter of its own."""
        waiter = self.wait()
        connection = await self.connected(peer)
        assert waiter.given == [connection]
        return connection

    async def stop(self) -> None:
        self.pool.abort()
        await self.pool.wait_closed()


async def turns() -> None:
    """Enough for whatever can go on to be over."""
    for _ in range(30):
        await asyncio.sleep(0)
