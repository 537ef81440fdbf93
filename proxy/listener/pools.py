"""Every pool of connections to upstreams, by its target. Listeners share them.

May know the plan and what a pool promises. Must not know messages in flight.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from proxy.http1.pool import Pool
from proxy.plan import Address, PoolPlan, UpstreamTarget
from proxy.semantics.faults import Fault, Refusal
from proxy.telemetry.metrics import Metrics, count
from proxy.transport.connector import Connector
from proxy.transport.deadlines import Ticker
from proxy.transport.descriptors import Descriptors
from proxy.transport.resolve import Lookups, Resolver

_Key = tuple[str, UpstreamTarget, PoolPlan]  # the upstream's name, where it is, and how its connections are kept

MAX_POOLS = 1024  # of targets that requests name; the longest idle one makes room


class PoolTable:
    """Every pool, by its target. Listeners share them, and one whose target the next plan names again is kept."""

    def __init__(
        self,
        ticker: Ticker,
        metrics: Metrics,
        leads_back: Callable[[str, int, bool], bool],
        descriptors: Descriptors,
    ) -> None:
        """`leads_back(ip, port, inbound)`: whether a request that a listener sends there would come back to us."""
        self._ticker = ticker
        self._metrics = metrics
        self._leads_back = leads_back
        self.descriptors = descriptors
        self._pools: dict[_Key, Pool] = {}
        self._named: dict[_Key, None] = {}  # the keys of targets that requests named, the one used last at the end
        self._closing: set[Pool] = set()
        self._lookups = Lookups()
        self._default_tls: ssl.SSLContext | None = None

    def connector(self, target: UpstreamTarget, plan: PoolPlan, *, inbound: bool = False) -> Connector:
        """A connector of its own, without a pool: for CONNECT."""
        resolver = Resolver(target.address.host, plan.dns_refresh_s, self._lookups)
        return Connector(target, resolver, lambda ip, port: self._leads_back(ip, port, inbound))

    def pool(self, name: str, target: UpstreamTarget, plan: PoolPlan, *, inbound: bool = False) -> Pool:
        """The pool of a target that the plan names."""
        key = (name, target, plan)
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = Pool(
                self.connector(target, plan, inbound=inbound),
                plan,
                self._metrics.upstream(name),
                self._ticker,
                self.descriptors,
                self._shed,
            )
        return pool

    def named_by_request(self, name: str, scheme: str, host: str, port: int, plan: PoolPlan) -> Pool:
        """The pool of a target that a request names. Raises Refusal where every one of MAX_POOLS serves somebody."""
        if scheme == "https":
            if self._default_tls is None:
                self._default_tls = ssl.create_default_context()
            target = UpstreamTarget("https", Address(host, port or 443), self._default_tls, host)
        else:
            target = UpstreamTarget("http", Address(host, port or 80))
        key = (name, target, plan)
        if key in self._named:
            del self._named[key]
        elif len(self._named) >= MAX_POOLS:
            self._make_room(name)
        self._named[key] = None
        return self.pool(name, target, plan)

    def _make_room(self, name: str) -> None:
        unused_longest = next((key for key in self._named if self._pools[key].is_idle), None)
        if unused_longest is None:
            count(self._metrics.upstream(name).queue_refused, "hosts")
            raise Refusal(Fault.QUEUE_FULL, f"connections to {MAX_POOLS} hosts are in use")
        self._let_go(unused_longest)

    def _let_go(self, key: _Key) -> None:
        """Its idle connections are closed now, the others when their exchange is over."""
        self._named.pop(key, None)
        pool = self._pools.pop(key)
        pool.close()
        self._closing.add(pool)

    def _shed(self) -> None:
        """Close one idle connection, whosever it is: another target needs its file descriptor."""
        for pool in self._pools.values():
            if pool.shed():
                return

    def keep_only(self, wanted: set[_Key], names: set[str]) -> None:
        """Let go of the pools of other targets than `wanted`. `names`: upstreams whose targets requests name."""
        for key in [key for key in self._pools if key not in wanted and key[0] not in names]:
            self._let_go(key)

    def on_tick(self) -> None:
        """Sweep idle connections."""
        for pool in self._pools.values():
            pool.on_tick()
        for pool in [pool for pool in self._closing if pool.is_unused]:
            self._closing.discard(pool)

    async def stop(self) -> None:
        """Close every connection at once."""
        pools = [*self._pools.values(), *self._closing]
        for pool in pools:
            pool.abort()
        await asyncio.gather(*(pool.wait_closed() for pool in pools))
        await self._lookups.stop()
