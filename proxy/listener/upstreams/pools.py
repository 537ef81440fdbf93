"""All pools of connections to upstreams, by target and protocol. Listeners share them.

May know the plan, and pools as `Pool`. Must not know any protocol: each has a factory for its pools.
"""

from __future__ import annotations

import asyncio
import ssl
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Mapping
from typing import Final

from proxy.listener.destinations import OwnListener, judge
from proxy.listener.sides import Answerer, Receiver
from proxy.plan import Address, PoolPlan, UpstreamTarget
from proxy.semantics.faults import Fault, Refusal
from proxy.telemetry.metrics import Metrics, UpstreamMetrics, count
from proxy.transport.connector import Connector
from proxy.transport.descriptors import Descriptors
from proxy.transport.resolve import Lookups, Resolver

HTTP_1_1: Final = "http/1.1"  # protocols have their ALPN names (RFC 7301)
HTTP_2: Final = "h2"
EITHER: Final = "h2,http/1.1"
_SPOKEN: Final = {"auto": EITHER, "always": HTTP_2, "never": HTTP_1_1}

MAX_POOLS = 1024  # pools of targets that requests name; the one idle for longest makes room

# The upstream's name, target, connection settings and protocol.
_Key = tuple[str, UpstreamTarget, PoolPlan, str]


class Pool(metaclass=ABCMeta):
    """What carries requests to one target, in one protocol."""

    # --- what an exchange asks

    @abstractmethod
    def acquire(self, receiver: Receiver) -> None:
        """Give `receiver` an Answerer, now or later."""

    @abstractmethod
    def enqueue(self, receiver: Receiver) -> None:
        """The same, but later: for a retry, or if nothing is free."""

    @abstractmethod
    def give_up(self, receiver: Receiver) -> None:
        """It no longer wants one."""

    @abstractmethod
    def count_retry(self) -> None:
        """A request is about to be retried."""

    @abstractmethod
    def count_queue_timeout(self) -> None:
        """A waiter's time is over."""

    def has_ready(self, pinned: Answerer) -> bool:
        """Whether `pinned` is a connection of this pool that can serve another request."""
        return pinned.is_ready_for(self)

    # --- what `Pools` asks

    @property
    @abstractmethod
    def is_unused(self) -> bool:
        """No connection, open or being made, and no waiter."""

    @property
    @abstractmethod
    def is_idle(self) -> bool:
        """Serves no exchange, and has no waiter."""

    @abstractmethod
    def on_tick(self) -> None:
        """Close connections that were idle for too long; look the name up again when due."""

    @abstractmethod
    def shed(self) -> bool:
        """Close the connection that was idle for longest; False if none is idle."""

    @abstractmethod
    def close(self) -> None:
        """Serve nobody new: close idle connections now, the others after their exchange."""

    @abstractmethod
    def abort(self) -> None:
        """Close everything at once."""

    @abstractmethod
    async def wait_closed(self) -> None:
        """Until the tasks of this pool have ended."""


# Makes a pool; the last closes an idle connection of any pool, if there is one.
PoolFactory = Callable[[Connector, PoolPlan, UpstreamMetrics, Callable[[], bool]], Pool]


class Pools:
    """All pools. A reload keeps those whose targets the next plan names again."""

    def __init__(
        self,
        factories: Mapping[str, PoolFactory],
        metrics: Metrics,
        own: OwnListener,
        descriptors: Descriptors | None = None,
    ) -> None:
        """`factories`: by protocol. `own`: which of our listeners is at an address, where a request must not lead."""
        self._factories = factories
        self._metrics = metrics
        self._own = own
        self._descriptors = descriptors or Descriptors()
        self._pools: dict[_Key, Pool] = {}
        self._named: dict[_Key, None] = {}  # keys of targets that requests named, the last used at the end
        self._closing: set[Pool] = set()
        self._lookups = Lookups()
        self._default_tls: dict[str, ssl.SSLContext] = {}  # by what ALPN offers

    def __repr__(self) -> str:
        return f"<Pools {len(self._pools)}, {len(self._closing)} closing>"

    def connector(self, name: str, target: UpstreamTarget, plan: PoolPlan, *, inbound: bool = False) -> Connector:
        """A separate connector without a pool, for CONNECT."""
        resolver = Resolver(target.address.host, plan.dns_refresh_s, self._lookups)
        metrics = self._metrics.upstream(name)

        def moved() -> None:
            metrics.moved += 1

        def judged(ip: str, port: int) -> Refusal | None:
            return judge(self._own, plan.destinations, target.address.host, ip, port, inbound=inbound)

        return Connector(target, resolver, judged, self._descriptors, moved, plan.tcp_keepalive_s)

    def pool(self, name: str, target: UpstreamTarget, plan: PoolPlan, *, inbound: bool = False) -> Pool:
        """The pool of a target that the plan names."""
        protocol = _SPOKEN[plan.http2]
        key = (name, target, plan, protocol)
        pool = self._pools.get(key)
        if pool is None:
            connector = self.connector(name, target, plan, inbound=inbound)
            pool = self._factories[protocol](connector, plan, self._metrics.upstream(name), self.shed)
            self._pools[key] = pool
        return pool

    def named_by_request(self, name: str, scheme: str, host: str, port: int, plan: PoolPlan) -> Pool:
        """The pool of a target that a request names. Raises Refusal if every one of MAX_POOLS serves somebody."""
        if scheme == "https":
            http1 = self._tls(HTTP_1_1) if plan.http2 == "auto" else None
            target = UpstreamTarget("https", Address(host, port or 443), self._tls(_SPOKEN[plan.http2]), host, http1)
        else:
            target = UpstreamTarget("http", Address(host, port or 80))
        return self.at(name, target, plan)

    def at(self, name: str, target: UpstreamTarget, plan: PoolPlan, *, inbound: bool = False) -> Pool:
        """The pool of a target that the plan does not name. Raises Refusal as `named_by_request`."""
        key = (name, target, plan, _SPOKEN[plan.http2])
        if key in self._named:
            del self._named[key]
        elif len(self._named) >= MAX_POOLS:
            self._make_room(name)
        self._named[key] = None
        return self.pool(name, target, plan, inbound=inbound)

    def _tls(self, offered: str) -> ssl.SSLContext:
        """The system's certificates."""
        found = self._default_tls.get(offered)
        if found is None:
            found = self._default_tls[offered] = ssl.create_default_context()
            found.set_alpn_protocols(offered.split(","))
        return found

    def _make_room(self, name: str) -> None:
        unused_longest = next((key for key in self._named if self._pools[key].is_idle), None)
        if unused_longest is None:
            count(self._metrics.upstream(name).queue_refused, "hosts")
            raise Refusal(Fault.QUEUE_FULL, f"connections to {MAX_POOLS} hosts are in use")
        self._let_go(unused_longest)

    def _let_go(self, key: _Key) -> None:
        """Close its idle connections now, the others after their exchange."""
        self._named.pop(key, None)
        pool = self._pools.pop(key)
        pool.close()
        self._closing.add(pool)

    def shed(self) -> bool:
        """Close one idle connection of any pool: another target needs its file descriptor. False if none is."""
        return any(pool.shed() for pool in self._pools.values())

    def keep_only(self, wanted: set[tuple[str, UpstreamTarget, PoolPlan]], names: set[str]) -> None:
        """Release the pools of targets that are not `wanted`. `names`: upstreams whose targets requests name."""
        for key in [key for key in self._pools if key[:3] not in wanted and key[0] not in names]:
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
