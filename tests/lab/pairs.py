"""Connections of the data plane without sockets: a client's, and the upstream's that its requests are sent on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, cast

from lab.transports import FakeTransport
from ops_lib.hosts import parse_pattern
from ops_lib.propagation import FORMATS, Format
from proxy.http1.client import ClientConnection
from proxy.http1.kept_connection import HeldRequests
from proxy.http1.pool import ConnectionPool, connection_pools
from proxy.http1.upstream import UpstreamConnection
from proxy.listener.listener import Listener
from proxy.listener.listener_rules import ListenerRules
from proxy.listener.records.spans import Spans
from proxy.listener.upstreams.pools import HTTP_1_1, HTTP_2, PoolFactory, Pools
from proxy.plan import Address, Clients, ListenerPlan, PoolPlan, PropagationPlan, Router, UpstreamPlan, UpstreamTarget
from proxy.telemetry.metrics import Metrics
from proxy.telemetry.otlp.buffer import Outlet
from proxy.transport.deadlines import Ticker
from proxy.transport.descriptors import Descriptors
from proxy.transport.outbox import Outbox


class Plane:
    """A listener and a pool, whose turns a test takes one by one."""

    def __init__(
        self,
        pool: PoolPlan | None = None,
        make_pool: PoolFactory | None = None,
        names: tuple[str, ...] = (),
        clients: Clients | None = None,
        held: asyncio.AbstractEventLoop | None = None,
        rest: dict[str, Any] | None = None,
        http2: Literal["always", "never"] = "never",
        response_header: str = "",
    ) -> None:
        """`held`: the loop whose turns requests on kept connections wait for; None: they are sent at once.
        `rest`: of the listener's plan; `http2`: whether the upstream is known to speak it.
        `response_header`: of answers, to tell the trace; none if empty.
        `names`: patterns of hosts with their own upstream; the listener then routes by names."""
        loop = asyncio.get_running_loop()
        plan_of_pool = replace(pool or PoolPlan(), http2=http2)
        propagation = PropagationPlan(extract=FORMATS, inject=(Format.TRACECONTEXT,), response_header=response_header)
        target = UpstreamTarget("http", Address("127.0.0.1", 8080))
        upstream = UpstreamPlan("app", target, propagation, pool=plan_of_pool)
        other = replace(upstream, name="other")
        router = Router(upstream, [(parse_pattern(name), other) for name in names])
        binds = (Address("127.0.0.1", 0),)
        own = clients or Clients()
        more: dict[str, Any] = {"direction": "inbound", "fixed_upstream": not names, "clients": own, **(rest or {})}
        plan = ListenerPlan("inbound", binds=binds, router=router, **more)
        self.metrics, self.ticker, self.outbox = Metrics(), Ticker(loop), Outbox(loop)
        descriptors = Descriptors()
        factory = make_pool or connection_pools(
            self.ticker, self.outbox, HeldRequests(held or cast(Any, AtOnce())), descriptors
        )
        self.pools = pools = Pools({HTTP_1_1: factory, HTTP_2: factory}, self.metrics, lambda _ip, _port: "")
        spans = Spans(Outlet())
        rules = ListenerRules(plan, pools, self.metrics, spans, "test")
        self.listener = Listener(
            rules,
            ticker=self.ticker,
            outbox=self.outbox,
            pools=pools,
            descriptors=descriptors,
            access_log=None,
            spans=spans,
        )
        self.pool = cast(ConnectionPool, pools.pool("app", target, plan_of_pool))

    def pairs(self, count: int, address: str = "10.0.0.1") -> list[Pair]:
        """`address`: the clients'."""
        return [Pair(self, address=address) for _ in range(count)]


class AtOnce:
    """Stands for a loop whose turn ends at once."""

    def call_soon(self, callback: Callable[[], object]) -> None:
        """Calls it."""
        callback()


class Pair:
    """One client's connection, and an idle one to the upstream, which has served a request before."""

    def __init__(self, plane: Plane, *, kept: bool = True, address: str = "10.0.0.1", **extra: Any) -> None:
        """`kept`: whether there is one to the upstream. `extra`: what else the client's transport knows."""
        self.client = ClientConnection(plane.listener)
        self.near = FakeTransport(peername=(address, 50000), **extra)
        self.near.protocol = self.client
        self.client.connection_made(self.near)
        if kept:
            self._keep(plane)

    def _keep(self, plane: Plane) -> None:
        self.upstream: UpstreamConnection = plane.pool.new_protocol()
        self.far = FakeTransport(peername=("127.0.0.1", 8080))
        self.far.protocol = self.upstream
        self.upstream.connection_made(self.far)
        self.upstream.served = 1
        plane.pool._all.add(self.upstream)
        plane.pool._idle.append(self.upstream)
