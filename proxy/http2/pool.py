"""The shared connections to one target, and the queue for their streams.

A `Receiver` that asks gets a stream: at once if a connection has room, else when one has, or a new one is made.
The next connection is made when all others are full: by `pool.streams`, or by the upstream's own limit.
One that says GOAWAY, or whose ids are used up, is retired: it ends what it has begun.
"""

from __future__ import annotations

import asyncio
from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from time import perf_counter
from typing import Final, final

from proxy.http2.flushing import Flusher
from proxy.http2.message.trailers import Trailers
from proxy.http2.upstream import Sharer, UpstreamConnection
from proxy.listener.sides import Receiver
from proxy.plan import PoolPlan
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import FieldKinds
from proxy.telemetry.metrics import UpstreamMetrics, count
from proxy.transport.connector import Connector
from proxy.transport.deadlines import Ticker
from proxy.transport.descriptors import Descriptors

HTTP_2: Final = "h2"
_NOT_CHOSEN: Final = "the upstream did not choose HTTP/2 (ALPN)"


class FallBack(metaclass=ABCMeta):
    """What serves a target that turns out not to speak HTTP/2."""

    @abstractmethod
    def new_protocol(self, alpn: str) -> object:
        """A connection to be made, of the protocol that TLS has agreed on."""

    @abstractmethod
    def is_lost(self, connection: object) -> bool:
        """Whether `connection`, which `new_protocol` made, is closed already."""

    @abstractmethod
    def adopt(self, connection: object) -> None:
        """It is made."""

    @abstractmethod
    def refused(self, receiver: Receiver, refusal: Refusal) -> None:
        """`receiver` has waited for a stream, and there will be none."""


@final
class StreamPool(Sharer):
    """All connections to one target."""

    def __init__(
        self,
        connector: Connector,
        plan: PoolPlan,
        metrics: UpstreamMetrics,
        ticker: Ticker,
        flusher: Flusher,
        descriptors: Descriptors,
        shed: Callable[[], bool],
        kinds: FieldKinds,
        trailers: Trailers,
        fall_back: FallBack | None,
    ) -> None:
        """`shed`: closes an idle connection of any pool, False if none is. `kinds`: of all pools' responses.
        `fall_back`: gets the waiters, if the upstream does not speak HTTP/2.
        """
        super().__init__(connector, plan, metrics, ticker, descriptors, shed, kinds, plan.streams)
        self._flusher = flusher
        self._trailers = trailers
        self._fall_back = fall_back
        self._open: list[UpstreamConnection] = []  # those that take streams
        self._retired: set[UpstreamConnection] = set()  # those that end what they have begun

    def __repr__(self) -> str:
        target = self._connector.target
        return (
            f"<StreamPool {target.scheme}://{target.authority}, {len(self._open)} connections, "
            f"{len(self._retired)} retired, {len(self._tasks)} being made, {len(self._waiters)} waiting>"
        )

    # --- what an exchange and `Pools` ask (see pools.Pool)

    @property
    def is_unused(self) -> bool:
        return not (self._open or self._retired or self._tasks or len(self._waiters))

    @property
    def is_idle(self) -> bool:
        if self._tasks or len(self._waiters):
            return False
        return all(connection.is_idle for connection in (*self._open, *self._retired))

    def acquire(self, receiver: Receiver) -> None:
        if not len(self._waiters):
            for connection in self._open:
                if connection.room > 0:
                    self._serve(receiver, connection)
                    return
        self.enqueue(receiver)

    def enqueue(self, receiver: Receiver) -> None:
        if receiver.wants_fresh:  # a retry: another connection may have room
            for connection in self._open:
                if connection.room > 0:
                    receiver.on_connected(connection.stream())
                    return
        super().enqueue(receiver)
        for connection in self._open:
            connection.call_when_room()

    def _count_connections(self) -> int:
        return len(self._open) + len(self._retired)

    def on_tick(self) -> None:
        now = self._ticker.now
        for connection in (*self._open, *self._retired):
            connection.on_tick(now)
        for connection in list(self._open):
            if not connection.is_idle:
                connection.idle_until = now + self.plan.idle_s
            elif connection.idle_until <= now:
                count(self._metrics.idle_closed, "timeout")
                connection.close()
        if len(self._waiters):
            for connection in list(self._open):
                self.has_room(connection)
        self._connect_for_waiters()  # another pool may have left a file descriptor
        if self._open:
            self._look_up()

    def shed(self) -> bool:
        for connection in self._open:
            if connection.is_idle:
                count(self._metrics.idle_closed, "file-descriptors")
                connection.close()
                return True
        return False

    def close(self) -> None:
        self._stop()
        for connection in list(self._open):
            connection.retire()

    def abort(self) -> None:
        self._stop()
        self._cancel_connects()
        for connection in (*self._open, *self._retired):
            connection.abort()

    # --- what a connection tells (see upstream.Sharer)

    def has_room(self, connection: UpstreamConnection) -> None:
        while connection.room > 0:
            waiter = self._next_waiter(is_fresh=True)
            if waiter is None:
                return
            self._serve(waiter, connection)
        if len(self._waiters):
            connection.call_when_room()

    def _serve(self, receiver: Receiver, connection: UpstreamConnection) -> None:
        if connection.served:
            self._metrics.reused += 1
        receiver.on_connected(connection.stream())

    def retired(self, connection: UpstreamConnection) -> None:
        if connection in self._open:
            self._open.remove(connection)
            self._retired.add(connection)
        self._connect_for_waiters()

    def lost(self, connection: UpstreamConnection) -> None:
        if connection in self._open:
            self._open.remove(connection)
        elif connection in self._retired:
            self._retired.discard(connection)
        else:
            return  # it was never ours: see `_make_connection`
        self._metrics.connections_open -= 1
        self._descriptors.upstreams -= 1
        self._connect_for_waiters()

    # --- connections

    async def _make_connection(self, connect_s: float) -> None:
        task = asyncio.current_task()
        assert task is not None
        began = perf_counter()
        try:
            connection = await self._greeted(connect_s)
            connection.connect_s = perf_counter() - began
        except Refusal as refusal:
            self._tasks.discard(task)
            self._descriptors.upstreams -= 1
            self._refuse(refusal)
        except BaseException:
            self._tasks.discard(task)
            self._descriptors.upstreams -= 1
            raise
        else:
            self._tasks.discard(task)
            self.adopt(connection)

    async def _greeted(self, connect_s: float) -> UpstreamConnection:
        """A connection to an upstream that has shown that it speaks HTTP/2. Raises Refusal."""
        made = await self._connector.connect(self.new_protocol, connect_s)
        if not isinstance(made, UpstreamConnection):
            assert self._fall_back is not None
            if self._fall_back.is_lost(made):
                raise Refusal(Fault.CONNECTION_LOST, "the upstream closed the connection at once")
            self._descriptors.upstreams += 1  # beside that of this attempt
            self._fall_back.adopt(made)
            raise Refusal(Fault.NO_HTTP2, _NOT_CHOSEN)
        try:
            async with asyncio.timeout(connect_s):
                refusal = await made.greeted
        except TimeoutError:
            made.abort()
            text = f"no SETTINGS of HTTP/2 came from the upstream within {connect_s:g} s"
            raise Refusal(Fault.NO_HTTP2, text) from None
        except BaseException:
            made.abort()
            raise
        if refusal is not None:
            made.abort()
            raise refusal
        if made.is_lost:
            raise Refusal(Fault.CONNECTION_LOST, "the upstream closed the connection at once")
        return made

    def adopt(self, connection: UpstreamConnection) -> None:
        """Take a connection that has been made and greeted, and use it."""
        self._metrics.connects += 1
        self._metrics.connections_open += 1
        connection.count_in(self._metrics.http2)
        self._open.append(connection)
        connection.idle_until = self._ticker.now + self.plan.idle_s
        self.has_room(connection)
        if self._closing:
            connection.retire()

    def _refuse(self, refusal: Refusal) -> None:
        """No connection could be made. All that wait for none but this one are told."""
        count(self._metrics.connect_failures, refusal.fault.label)
        if refusal.fault is Fault.NO_HTTP2:
            most = len(self._waiters)
        else:
            most = min(self.plan.streams, len(self._waiters) - len(self._tasks) * self.plan.streams)
        for _ in range(most):
            waiter = self._next_waiter(is_fresh=True)
            if waiter is None:
                break
            if refusal.fault is Fault.NO_HTTP2 and self._fall_back is not None:
                self._fall_back.refused(waiter, refusal)
            else:
                waiter.on_unconnected(refusal)
        self._connect_for_waiters()

    def new_protocol(self, alpn: str = "") -> object:
        """A connection to be made, by what TLS has agreed on."""
        is_chosen = self._connector.target.scheme != "https" or alpn == HTTP_2
        if not is_chosen and self._fall_back is not None:
            return self._fall_back.new_protocol(alpn)
        connection = UpstreamConnection(
            self,
            self._ticker,
            self._flusher,
            self._kinds,
            self._trailers,
            most_streams=self.plan.streams,
            ping_s=self.plan.ping_s,
        )
        if not is_chosen:
            connection.greeted.set_result(Refusal(Fault.NO_HTTP2, _NOT_CHOSEN))
        return connection

    def _leave(self, addresses: frozenset[str]) -> None:
        for connection in list(self._open):
            if connection.peer and connection.peer not in addresses:
                count(self._metrics.idle_closed, "moved")
                connection.retire()
