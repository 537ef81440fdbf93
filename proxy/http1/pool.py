"""The keep-alive connections to one target. Their number may have a limit; the queue for them always has one.

A `Receiver` that asks for a connection is called back: at once if one is idle, else when one is free or new.
Connections are made for the queue, not for a particular waiter: the
first one ready goes to the waiter whose turn it is (`waiting`).
A tunnel does not count: it takes its connection out of the pool.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, final

from proxy.http1.kept_connection import Keeper, KeptConnection
from proxy.http1.upstream import UpstreamConnection
from proxy.listener.sides import Receiver
from proxy.listener.upstreams.waiting import Waiters
from proxy.plan import PoolPlan
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import FieldKinds, response_kinds
from proxy.telemetry.metrics import UpstreamMetrics, count
from proxy.transport.connector import Connector
from proxy.transport.deadlines import Ticker
from proxy.transport.descriptors import Descriptors
from proxy.transport.outbox import Outbox

_KEEP_ALIVE_MARGIN_S: Final = 1.0


@final
class ConnectionPool(Keeper):
    """All connections to one target."""

    def __init__(
        self,
        connector: Connector,
        plan: PoolPlan,
        metrics: UpstreamMetrics,
        ticker: Ticker,
        outbox: Outbox,
        descriptors: Descriptors,
        shed: Callable[[], bool],
        kinds: FieldKinds,
    ) -> None:
        """`shed`: closes an idle connection of any pool, False if none is. `kinds`: of all pools' responses."""
        self.plan = plan
        self._descriptors = descriptors
        self._shed = shed
        self._connector = connector
        self._metrics = metrics
        self._ticker = ticker
        self._outbox = outbox
        self._kinds = kinds
        self._idle: deque[KeptConnection] = deque()  # the rightmost was used last
        self._all: set[KeptConnection] = set()
        self._tunnels: set[KeptConnection] = set()  # which count no more, but end with the pool
        self._waiters = Waiters()
        self._tasks: set[asyncio.Task[None]] = set()  # one per connection being made
        self._refresh: asyncio.Task[None] | None = None
        self._closing = False
        metrics.connections_limit = plan.max_connections or descriptors.most

    def __repr__(self) -> str:
        target = self._connector.target
        closing = ", closing" if self._closing else ""
        return (
            f"<ConnectionPool {target.scheme}://{target.authority}, {len(self._all)} connections, "
            f"{len(self._idle)} idle, {len(self._tasks)} being made, {len(self._waiters)} waiting{closing}>"
        )

    # --- what an exchange and `Pools` ask (see pools.Pool)

    @property
    def is_unused(self) -> bool:
        return not (self._all or self._tasks or self._tunnels or len(self._waiters))

    @property
    def is_idle(self) -> bool:
        return not (self._tasks or len(self._waiters)) and len(self._idle) == len(self._all)

    def acquire(self, receiver: Receiver) -> None:
        idle = self._idle
        while idle:
            connection = idle.pop()
            self._metrics.connections_idle -= 1
            if connection.is_retired:
                count(self._metrics.idle_closed, "peer")  # closed, but the event loop has not said so yet
            elif connection.idle_until <= self._ticker.now:
                count(self._metrics.idle_closed, "timeout")
                connection.close()
            elif connection.has_news():
                count(self._metrics.idle_closed, "surplus-bytes" if connection.has_surplus() else "peer")
                connection.abort()
            else:
                self._metrics.reused += 1
                receiver.on_connected(connection)
                return
        self.enqueue(receiver)

    def enqueue(self, receiver: Receiver) -> None:
        connecting = len(self._tasks)
        timeouts = receiver.terms.timeouts
        if connecting > len(self._waiters):  # the waiters that they were made for are gone, or were served
            receiver.deadline = self._ticker.now + timeouts.connect_s + timeouts.queue_s
        elif self._has_room():
            self._connect(timeouts.connect_s)
            receiver.deadline = self._ticker.now + timeouts.connect_s + timeouts.queue_s
        elif len(self._waiters) - connecting >= self.plan.max_queue and not receiver.wants_fresh:
            count(self._metrics.queue_refused, "full")
            crowder = self._waiters.crowder(receiver.client) if self.plan.max_queue else None
            if crowder is not None:
                self.give_up(crowder)
            (crowder or receiver).on_unconnected(Refusal(Fault.QUEUE_FULL, "too many requests wait for this upstream"))
            if crowder is None:
                return
            receiver.deadline = self._ticker.now + timeouts.queue_s
        else:
            receiver.deadline = self._ticker.now + timeouts.queue_s
        if receiver.wants_fresh:  # a retry has waited before, and the dead connection is about to make room for it
            self._waiters.add_first(receiver)
        else:
            self._waiters.add(receiver)
        self._metrics.queued += 1

    def _has_room(self) -> bool:
        """Whether one more connection may be made. If there is no file descriptor for it, an idle one makes room."""
        limit = self.plan.max_connections
        if limit and len(self._all) + len(self._tasks) >= limit:
            return False
        return self._descriptors.upstreams < self._descriptors.most or self._shed()

    def count_retry(self) -> None:
        self._metrics.retries += 1

    def count_queue_timeout(self) -> None:
        count(self._metrics.queue_refused, "timeout")

    def give_up(self, receiver: Receiver) -> None:
        if self._waiters.remove(receiver):
            self._metrics.queued -= 1

    def release(self, connection: KeptConnection) -> None:
        if self._closing or connection not in self._all:
            connection.close()
            return
        if len(self._waiters):
            if connection.has_news():
                connection.abort()
                return
            waiter = self._next_waiter(is_fresh=False)
            if waiter is not None:
                self._metrics.reused += 1
                waiter.on_connected(connection)
                return
        if len(self._idle) >= self.plan.max_idle:
            count(self._metrics.idle_closed, "surplus")
            connection.close()
        else:
            # An upstream may say how long it keeps idle connections.
            # We stop using one a little earlier: it must not close while our request is on its way.
            kept_s = connection.keep_alive_s - _KEEP_ALIVE_MARGIN_S
            if kept_s > self.plan.idle_s:  # not `min`, for speed
                kept_s = self.plan.idle_s
            connection.idle_until = self._ticker.now + kept_s
            self._idle.append(connection)
            self._metrics.connections_idle += 1

    def lost(self, connection: KeptConnection) -> None:
        if connection in self._all:
            self._forget(connection)
            self._descriptors.upstreams -= 1
        elif connection in self._tunnels:
            self._tunnels.discard(connection)
            self._descriptors.upstreams -= 1
        try:
            self._idle.remove(connection)
        except ValueError:
            pass
        else:
            self._metrics.connections_idle -= 1
            count(self._metrics.idle_closed, "peer")
        self._connect_for_waiters()

    def detached(self, connection: KeptConnection) -> None:
        if connection in self._all:
            self._forget(connection)
            self._tunnels.add(connection)
            self._connect_for_waiters()

    def _forget(self, connection: KeptConnection) -> None:
        self._all.discard(connection)
        self._ticker.discard(connection)
        self._metrics.connections_open -= 1

    def on_tick(self) -> None:
        now = self._ticker.now
        while self._idle:
            connection = self._idle[0]
            if not connection.is_usable:
                self._drop_idle(connection, "peer")
            elif connection.idle_until <= now:
                self._drop_idle(connection, "timeout")
            else:
                break
        self._connect_for_waiters()  # another pool may have left a file descriptor
        resolver = self._connector.resolver
        if self._all and self._refresh is None and resolver.is_stale(now):
            self._refresh = asyncio.get_running_loop().create_task(self._follow_dns())

    def close(self) -> None:
        self._closing = True
        for connection in tuple(self._idle):
            self._drop_idle(connection, "surplus")
        if self._refresh is not None:
            self._refresh.cancel()

    def abort(self) -> None:
        self.close()
        for task in self._tasks:
            task.cancel()
        for connection in (*self._all, *self._tunnels):
            connection.abort()

    async def wait_closed(self) -> None:
        tasks = [*self._tasks, *([self._refresh] if self._refresh is not None else [])]
        await asyncio.gather(*tasks, return_exceptions=True)

    def _drop_idle(self, connection: KeptConnection, reason: str) -> None:
        self._idle.remove(connection)
        self._metrics.connections_idle -= 1
        count(self._metrics.idle_closed, reason)
        connection.close()

    def _connect_for_waiters(self) -> None:
        """Make more connections, while there is room and more are waiting than are being made."""
        while len(self._waiters) > len(self._tasks) and self._has_room():
            first = self._waiters.first()
            assert first is not None
            self._connect(first.terms.timeouts.connect_s)

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

    def shed(self) -> bool:
        if not self._idle:
            return False
        self._drop_idle(self._idle[0], "file-descriptors")
        return True

    def _connect(self, connect_s: float) -> None:
        self._descriptors.upstreams += 1
        task = asyncio.get_running_loop().create_task(self._make_connection(connect_s))
        self._tasks.add(task)

    async def _make_connection(self, connect_s: float) -> None:
        task = asyncio.current_task()
        assert task is not None
        is_made = False
        try:
            connection = await self._connector.connect(self.new_protocol, connect_s)
            if connection.is_lost:  # made and lost before we heard of it
                raise Refusal(Fault.CONNECTION_LOST, "the upstream closed the connection at once")
            is_made = True
        except Refusal as refusal:
            self._tasks.discard(task)
            count(self._metrics.connect_failures, refusal.fault.label)
            waiter = self._next_waiter(is_fresh=True)
            if waiter is not None:
                waiter.on_unconnected(refusal)
            self._connect_for_waiters()
            return
        finally:
            self._tasks.discard(task)
            if not is_made:
                self._descriptors.upstreams -= 1
        self.adopt(connection)

    def adopt(self, connection: UpstreamConnection) -> None:
        """Take a connection that has been made, here or for another protocol (ALPN), and use it."""
        self._metrics.connects += 1
        self._metrics.connections_open += 1
        self._all.add(connection)
        # Not earlier: for a connection made in the turn in which its time is over, the event loop reports no loss.
        self._ticker.add(connection)
        if len(self._waiters) or not self._closing:
            waiter = self._next_waiter(is_fresh=True)
            if waiter is not None:
                waiter.on_connected(connection)
                return
        self.release(connection)

    def new_protocol(self, _alpn: str = "") -> UpstreamConnection:
        """A connection to be made."""
        return UpstreamConnection(self, self._ticker, self._outbox, self._kinds)

    async def _follow_dns(self) -> None:
        """Look the name up. Connections to addresses that it no longer has get no new requests."""
        try:
            addresses: Callable[[str], bool] = frozenset(await self._connector.resolver.addresses()).__contains__
        except Refusal:
            return
        finally:
            self._refresh = None
        for connection in tuple(self._all):
            if connection.peer and not addresses(connection.peer):
                connection.is_retired = True
        for connection in tuple(self._idle):
            if connection.is_retired:
                self._drop_idle(connection, "moved")


ConnectionPools = Callable[[Connector, PoolPlan, UpstreamMetrics, Callable[[], bool]], ConnectionPool]


def connection_pools(ticker: Ticker, outbox: Outbox, descriptors: Descriptors) -> ConnectionPools:
    """Makes the pools of HTTP/1.1."""
    kinds = response_kinds()  # one for all pools, to share its memory

    def make(
        connector: Connector, plan: PoolPlan, metrics: UpstreamMetrics, shed: Callable[[], bool]
    ) -> ConnectionPool:
        return ConnectionPool(connector, plan, metrics, ticker, outbox, descriptors, shed, kinds)

    return make
