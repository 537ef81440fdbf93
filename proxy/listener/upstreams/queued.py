"""A pool with a queue: who waits, when one more connection is made, and whether the target's addresses still hold.

What pools of every protocol have in common. May know receivers and connectors. Must not know connections.

Connections are made for the queue, not for a particular waiter: the
first one ready goes to the waiter whose turn it is (`waiting`).
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable

from proxy.listener.sides import Receiver
from proxy.listener.upstreams.pools import Pool
from proxy.listener.upstreams.waiting import Waiters
from proxy.plan import PoolPlan
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import FieldKinds
from proxy.telemetry.metrics import UpstreamMetrics, count
from proxy.transport.connector import Connector
from proxy.transport.deadlines import Ticker
from proxy.transport.descriptors import Descriptors


class QueuedPool(Pool):
    """Connections to one target, and the queue for them."""

    def __init__(
        self,
        connector: Connector,
        plan: PoolPlan,
        metrics: UpstreamMetrics,
        ticker: Ticker,
        descriptors: Descriptors,
        shed: Callable[[], bool],
        kinds: FieldKinds,
        exchanges: int,
    ) -> None:
        """`shed`: closes an idle connection of any pool, False if none is. `kinds`: of all pools' responses.
        `exchanges`: how many a connection carries at once.
        """
        self.plan = plan
        self._connector = connector
        self._metrics = metrics
        self._ticker = ticker
        self._descriptors = descriptors
        self._shed = shed
        self._kinds = kinds
        self._exchanges = exchanges
        self._waiters = Waiters()
        self._tasks: set[asyncio.Task[None]] = set()  # one per connection being made
        self._refresh: asyncio.Task[None] | None = None
        self._closing = False
        metrics.connections_limit = plan.max_connections or descriptors.most

    # --- what a protocol says

    @abstractmethod
    def _count_connections(self) -> int:
        """Those that count against `pool.max_connections`."""

    @abstractmethod
    async def _make_connection(self, connect_s: float) -> None:
        """Make one more, and give it to waiters; or tell them why there is none. The task is among `_tasks`."""

    @abstractmethod
    def _leave(self, addresses: frozenset[str]) -> None:
        """The target's name has these `addresses` now: connections to others serve nobody new."""

    # --- the queue

    def enqueue(self, receiver: Receiver) -> None:
        waiting, to_come = len(self._waiters), len(self._tasks) * self._exchanges
        timeouts = receiver.terms.timeouts
        receiver.deadline = self._ticker.now + timeouts.queue_s
        if waiting < to_come:  # the waiters that they were made for are gone, or were served
            receiver.deadline += timeouts.connect_s
        elif self._has_room():
            self._connect(timeouts.connect_s)
            receiver.deadline += timeouts.connect_s
        elif waiting - to_come >= self.plan.max_queue and not receiver.wants_fresh:
            count(self._metrics.queue_refused, "full")
            crowder = self._waiters.crowder(receiver.client) if self.plan.max_queue else None
            if crowder is not None:
                self.give_up(crowder)
            (crowder or receiver).on_unconnected(Refusal(Fault.QUEUE_FULL, "too many requests wait for this upstream"))
            if crowder is None:
                return
        if receiver.wants_fresh:  # a retry has waited before, and the dead connection is about to make room for it
            self._waiters.add_first(receiver)
        else:
            self._waiters.add(receiver)
        self._metrics.queued += 1

    def _has_room(self) -> bool:
        """Whether one more connection may be made. If there is no file descriptor for it, an idle one makes room."""
        limit = self.plan.max_connections
        if limit and self._count_connections() + len(self._tasks) >= limit:
            return False
        return self._descriptors.upstreams < self._descriptors.most or self._shed()

    def count_retry(self) -> None:
        self._metrics.retries += 1

    def count_queue_timeout(self) -> None:
        count(self._metrics.queue_refused, "timeout")

    def give_up(self, receiver: Receiver) -> None:
        if self._waiters.remove(receiver):
            self._metrics.queued -= 1

    def _next_waiter(self, *, is_fresh: bool) -> Receiver | None:
        """Takes the first waiter that can use a connection out of the queue.
        `is_fresh`: the connection has served nobody yet.

        A skipped waiter does not wait forever: the connection
        that it lost left room for a new one, which is being made.
        """
        waiter = self._waiters.take(is_fresh=is_fresh)
        if waiter is not None:
            self._metrics.queued -= 1
        return waiter

    # --- connections

    def _connect(self, connect_s: float) -> None:
        self._descriptors.upstreams += 1
        self._tasks.add(asyncio.get_running_loop().create_task(self._make_connection(connect_s)))

    def _connect_for_waiters(self) -> None:
        """Make more connections, while there is room and more are waiting than those to come can serve."""
        while len(self._waiters) > len(self._tasks) * self._exchanges and self._has_room():
            first = self._waiters.first()
            assert first is not None
            self._connect(first.terms.timeouts.connect_s)

    # --- the target's name

    def _look_up(self) -> None:
        """If it is time to. A tick, while there are connections."""
        if self._refresh is None and self._connector.resolver.is_stale(self._ticker.now):
            self._refresh = asyncio.get_running_loop().create_task(self._follow_dns())

    async def _follow_dns(self) -> None:
        """Look the name up. Connections to addresses that it no longer has get no new requests."""
        try:
            addresses = frozenset(await self._connector.resolver.addresses())
        except Refusal:
            return
        finally:
            self._refresh = None
        self._leave(addresses)

    # --- the end

    def _stop(self) -> None:
        """Serve nobody new."""
        self._closing = True
        if self._refresh is not None:
            self._refresh.cancel()

    def _cancel_connects(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def wait_closed(self) -> None:
        tasks = [*self._tasks, *([self._refresh] if self._refresh is not None else [])]
        await asyncio.gather(*tasks, return_exceptions=True)
