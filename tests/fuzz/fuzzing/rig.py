"""A sidecar in this process and a scripted upstream behind it, with everything watched that must not happen.

Looks into the sidecar's objects, as a leak cannot be seen from outside; changes nothing in them.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
from collections.abc import AsyncIterator, Callable
from typing import Any

from fuzzing.peers import Peer
from ops_lib.propagation import FORMATS, Format
from proxy.dataplane import DataPlane
from proxy.http1.client import ClientConnection
from proxy.http1.upstream import UpstreamConnection
from proxy.listener import upstream_health
from proxy.listener.exchange import Exchange
from proxy.plan import (
    Address,
    DrainPlan,
    Limits,
    ListenerPlan,
    Plan,
    PoolPlan,
    PropagationPlan,
    Router,
    Timeouts,
    UpstreamPlan,
    UpstreamTarget,
)
from proxy.telemetry.access_log import AccessRecord
from proxy.telemetry.metrics import Metrics
from proxy.transport.tunnel import TunnelSide

PROPAGATION = PropagationPlan(FORMATS, (Format.TRACECONTEXT, Format.B3))


class _Errors(logging.Handler):
    """Keeps what asyncio and the sidecar complain of."""

    def __init__(self, found: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._found = found

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == upstream_health.__name__:
            return  # upstreams do fail here
        self._found.append(logging.Formatter().format(record))


class Rig:
    """One sidecar with an inbound and an outbound listener, both in front of `on_upstream`."""

    def __init__(self, on_upstream: Callable[[Peer], None], **parts: Any) -> None:
        """`on_upstream` is called at each change of an upstream's connection. `parts`: timeouts, pool, limits."""
        self.metrics = Metrics()
        self.records: list[AccessRecord] = []
        self.errors: list[str] = []
        self.upstreams: list[Peer] = []
        self._on_upstream = on_upstream
        self._parts = parts
        self._generation = 0
        self._handler = _Errors(self.errors)
        self._clients: list[Peer] = []

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: self.errors.append(repr(context)))
        for name in ("asyncio", "proxy"):
            logging.getLogger(name).addHandler(self._handler)
        gc.collect()
        self.fds = fds()
        self._server = await loop.create_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.plane = DataPlane(self.plan(), metrics=self.metrics, access_log=self.records.append)
        await self.plane.start()

    def plan(self, **changes: Any) -> Plan:
        self._generation += 1
        parts = {**self._parts, **changes}
        timeouts = parts.get("timeouts", Timeouts())
        limits = parts.get("limits", Limits())
        pool = parts.get("pool", PoolPlan())
        target = UpstreamTarget("http", Address("127.0.0.1", self.port))
        app = UpstreamPlan("app", target, PROPAGATION, timeouts, pool)
        other = UpstreamPlan("other", None, PROPAGATION, timeouts, pool)
        local = (Address("127.0.0.1", 0),)
        listeners = (
            ListenerPlan("inbound", "inbound", local, Router(app), True, limits=limits, timeouts=timeouts),
            ListenerPlan(
                "outbound", "outbound", local, Router(other), False, connect=True, limits=limits, timeouts=timeouts
            ),
        )
        return Plan(self._generation, listeners, None, drain=DrainPlan(0.0, 3.0, 0.0))

    def _accept(self) -> Peer:
        peer = Peer(self._on_upstream)
        self.upstreams.append(peer)
        return peer

    @classmethod
    @contextlib.asynccontextmanager
    async def started(cls, on_upstream: Callable[[Peer], None], **parts: Any) -> AsyncIterator[Rig]:
        """A rig at work, stopped at the end; then nothing may have been complained of."""
        rig = cls(on_upstream, **parts)
        await rig.start()
        try:
            yield rig
        finally:
            await rig.stop()
        rig.check_errors()

    async def client(self, listener: str = "inbound") -> Peer:
        address = self.plane.addresses()[listener][0]
        _, peer = await asyncio.get_running_loop().create_connection(Peer, address.host, address.port)
        self._clients.append(peer)
        return peer

    def forget_closed(self) -> None:
        """Let go of connections that are over."""
        self.upstreams = [peer for peer in self.upstreams if not peer.is_lost]
        self._clients = [peer for peer in self._clients if not peer.is_lost]

    def pools(self) -> list[Any]:
        table = self.plane._pools
        return [pool.http1 for pool in (*table._pools.values(), *table._closing)]

    def leftovers(self) -> list[str]:
        """What is still there although nothing goes on any more; connections that idle are not."""
        found = [f"in_flight {self.plane.in_flight()}"] if self.plane.in_flight() else []
        for name, listener in self.metrics.listeners.items():
            if listener.tunnels_open or listener.connections_open:
                found.append(f"{name}: tunnels {listener.tunnels_open}, connections {listener.connections_open}")
        pools = self.pools()
        for name, upstream in self.metrics.upstreams.items():
            of_it = [pool for pool in pools if pool._metrics is upstream]
            gauges = (upstream.connections_open, upstream.connections_idle, upstream.queued)
            real = (
                sum(len(pool._all) for pool in of_it),
                sum(len(pool._idle) for pool in of_it),
                sum(len(pool._waiters) for pool in of_it),
            )
            if gauges != real:
                found.append(f"{name}: gauges {gauges}, real {real}")
            if real[0] != real[1] or real[2] or any(pool._tasks for pool in of_it):
                found.append(f"{name}: {real} and {sum(len(pool._tasks) for pool in of_it)} being made")
        listeners = [*self.plane._listeners.values(), *self.plane._retired]
        found += [
            f"{one.name}: {len(one.connections)} {len(one._connecting)}"
            for one in listeners
            if one.connections or len(one._connecting)
        ]
        idle = sum(len(pool._idle) for pool in pools)
        descriptors = self.plane._descriptors
        if (descriptors.clients, descriptors.upstreams) != (0, idle):
            found.append(f"descriptors: {descriptors.clients} of clients, {descriptors.upstreams} of upstreams")
        if len(self.plane._ticker) != idle:
            found.append(f"{len(self.plane._ticker)} in the ticker")
        return found

    async def settle(self, within_s: float = 6.0) -> None:
        """Until nothing is left over. Raises AssertionError where something stays."""
        for peer in [*self._clients]:
            peer.close()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_s
        while (left := self.leftovers()) and loop.time() < deadline:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
        assert not left, left

    async def stop(self) -> None:
        for peer in [*self._clients]:
            peer.close()
        await self.plane.stop()
        self._server.close()
        for peer in self.upstreams:
            peer.close()
        for _ in range(5):
            await asyncio.sleep(0)
        for name in ("asyncio", "proxy"):
            logging.getLogger(name).removeHandler(self._handler)
        self._clients.clear()
        self.upstreams.clear()

    def check_errors(self) -> None:
        """Nothing was raised into the loop, and nobody complained."""
        assert not self.errors, "\n".join(self.errors[:3])

    async def check_leaks(self) -> None:
        """After `stop`: no descriptor and no object of an exchange is left."""
        for _ in range(100):
            await asyncio.sleep(0.01)
            gc.collect()
            kinds = (ClientConnection, UpstreamConnection, Exchange, TunnelSide)
            alive = [type(one).__name__ for one in gc.get_objects() if type(one) in kinds]
            leaked = sorted(set(fds().values()) - set(self.fds.values()))
            if not (leaked or alive):
                return
        raise AssertionError(f"descriptors {leaked}, objects {alive[:20]}")


def fds() -> dict[str, str]:
    """The descriptors that this process has open, and what they are."""
    found = {}
    for entry in os.scandir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the one of scandir itself
            found[entry.name] = os.readlink(entry.path)  # noqa: PTH115 - what it says is not a path
    return found
