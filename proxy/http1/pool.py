"""The keep-alive connections to one target: their number may have a limit. The queue for them has one (`queued`).

A `Receiver` that asks for a connection is called back: at once if one is idle, else when one is free or new.
A tunnel does not count: it takes its connection out of the pool.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Final, final

from proxy.http1.kept_connection import HeldRequests, Keeper, KeptConnection
from proxy.http1.upstream import UpstreamConnection
from proxy.listener.sides import Receiver
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
        held_requests: HeldRequests,
        descriptors: Descriptors,
        shed: Callable[[], bool],
        kinds: FieldKinds,
    ) -> None:
        """`shed`: closes an idle connection of any pool, False if none is. `kinds`: of all pools' responses."""
        super().__init__(connector, plan, metrics, ticker, descriptors, shed, kinds, 1)
        self._outbox = outbox
        self._held_requests = held_requests
        self._max_idle = plan.max_idle  # these two here, for speed
        self._idle_s = plan.idle_s
        self._idle: list[KeptConnection] = []  # the last was used last. A list, for speed: most take it from there
        self._all: set[KeptConnection] = set()
        self._tunnels: set[KeptConnection] = set()  # which count no more, but end with the pool

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
            elif (
                not connection.served
            ):  # just made: what it says is told, or a server that refuses us is asked for ever
                receiver.on_connected(connection)
                return
            elif receiver.can_begin_again():
                connection.is_unseen = True
                receiver.on_connected(connection)
                return
            elif connection.has_news():
                self.unfit("surplus-bytes" if connection.has_surplus() else "peer")
                connection.abort()
            else:
                self._metrics.reused += 1
                receiver.on_connected(connection)
                return
        self.enqueue(receiver)

    def departed(self) -> None:
        self._metrics.reused += 1

    def unfit(self, reason: str) -> None:
        count(self._metrics.idle_closed, reason)

    def _count_connections(self) -> int:
        return len(self._all)

    def release(self, connection: KeptConnection) -> None:
        if self._closing or connection not in self._all:
            connection.close()
            return
        if self._waiters.size:
            if connection.has_news():
                connection.abort()
                return
            waiter = self._next_waiter(is_fresh=False)
            if waiter is not None:
                self._metrics.reused += 1
                waiter.on_connected(connection)
                return
        if len(self._idle) >= self._max_idle:
            count(self._metrics.idle_closed, "surplus")
            connection.close()
        else:
            # An upstream may say how long it keeps idle connections.
            # We stop using one a little earlier: it must not close while our request is on its way.
            kept_s = connection.keep_alive_s - _KEEP_ALIVE_MARGIN_S
            if kept_s > self._idle_s:  # not `min`, for speed
                kept_s = self._idle_s
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
        if self._all:
            self._look_up()

    def close(self) -> None:
        self._stop()
        for connection in tuple(self._idle):
            self._drop_idle(connection, "surplus")

    def abort(self) -> None:
        self.close()
        self._cancel_connects()
        for connection in (*self._all, *self._tunnels):
            connection.abort()

    def _drop_idle(self, connection: KeptConnection, reason: str) -> None:
        self._idle.remove(connection)
        self._metrics.connections_idle -= 1
        count(self._metrics.idle_closed, reason)
        connection.close()

    def shed(self) -> bool:
        if not self._idle:
            return False
        self._drop_idle(self._idle[0], "file-descriptors")
        return True

    async def _make_connection(self, connect_s: float) -> None:
        task = asyncio.current_task()
        assert task is not None
        is_made = False
        began = perf_counter()
        try:
            connection = await self._connector.connect(self.new_protocol, connect_s)
            if connection.is_lost:  # made and lost before we heard of it
                raise Refusal(Fault.CONNECTION_LOST, "the upstream closed the connection at once")
            is_made = True
            connection.connect_s = perf_counter() - began
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
        return UpstreamConnection(self, self._ticker, self._outbox, self._held_requests, self._kinds)

    def _leave(self, addresses: frozenset[str]) -> None:
        for connection in tuple(self._all):
            if connection.peer and connection.peer not in addresses:
                connection.is_retired = True
        for connection in tuple(self._idle):
            if connection.is_retired:
                self._drop_idle(connection, "moved")


ConnectionPools = Callable[[Connector, PoolPlan, UpstreamMetrics, Callable[[], bool]], ConnectionPool]


def connection_pools(
    ticker: Ticker, outbox: Outbox, held_requests: HeldRequests, descriptors: Descriptors
) -> ConnectionPools:
    """Makes the pools of HTTP/1.1."""
    kinds = response_kinds()  # one for all pools, to share its memory

    def make(
        connector: Connector, plan: PoolPlan, metrics: UpstreamMetrics, shed: Callable[[], bool]
    ) -> ConnectionPool:
        return ConnectionPool(connector, plan, metrics, ticker, outbox, held_requests, descriptors, shed, kinds)

    return make
