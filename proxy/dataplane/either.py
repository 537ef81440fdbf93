"""A pool of a target that may speak HTTP/1.1 or HTTP/2: finds out which, and asks the pool of that protocol.

May know pools, by their factories. Must not know connections.

    towards https    ALPN decides: HTTP/2 where the upstream chooses it, whatever the client speaks
    without TLS      HTTP/2 for requests that came in HTTP/2, unless the upstream has shown that it does not know it
    always HTTP/1.1  requests that ask for another protocol (Upgrade), or that log in their connection (NTLM)

A call of gRPC needs HTTP/2 from end to end: where the upstream does not speak it, the call is refused with a reason.
Nothing of a request is sent to an upstream before it has shown that it speaks HTTP/2 (`http2.pool`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final, final

from proxy.http1.pool import ConnectionPool, ConnectionPools
from proxy.http1.upstream import UpstreamConnection
from proxy.http2.pool import FallBack
from proxy.http2.serving import Http2
from proxy.listener.sides import Answerer, Receiver
from proxy.listener.upstreams.pools import Pool, PoolFactory
from proxy.plan import PoolPlan
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.request import CALL, Request
from proxy.telemetry.metrics import UpstreamMetrics
from proxy.transport.connector import Connector
from proxy.transport.deadlines import NEVER, Ticker

# An upstream that knows no HTTP/2 may be replaced by one that does. But some log the preface as a request.
_ASK_AGAIN_S: Final = 60.0
_ASK_AGAIN_WITH_TLS_S: Final = 300.0


@final
class EitherPool(Pool):
    """Two pools of one target, and what is known of it."""

    http1: ConnectionPool
    http2: Pool

    def __init__(self, ticker: Ticker, *, is_tls: bool) -> None:
        self._ticker = ticker
        self._is_tls = is_tls
        self._refused_until = -NEVER  # until then it is taken for an upstream that does not speak HTTP/2
        self._refusal = Refusal(Fault.NO_HTTP2, "")

    def __repr__(self) -> str:
        return f"<EitherPool {self.http1!r}, {self.http2!r}>"

    def _is_for_http2(self, request: Request) -> bool:
        if (request.version != b"2.0" and not self._is_tls) or request.upgrade or request.binds_connection:
            return False
        return request.pace == CALL or self._ticker.now >= self._refused_until

    def refused(self, receiver: Receiver, refusal: Refusal) -> None:
        """The upstream does not speak HTTP/2. `receiver` has waited for it to."""
        self._refused_until = self._ticker.now + (_ASK_AGAIN_WITH_TLS_S if self._is_tls else _ASK_AGAIN_S)
        if receiver.request.pace == CALL:
            text = f"gRPC needs HTTP/2 from end to end: {refusal.detail}"
            self._refusal = Refusal(Fault.NO_HTTP2, text)
            receiver.on_unconnected(self._refusal)
        else:
            self.http1.acquire(receiver)

    # --- what an exchange asks (see pools.Pool)

    def acquire(self, receiver: Receiver) -> None:
        if not self._is_for_http2(receiver.request):
            self.http1.acquire(receiver)
        elif self._ticker.now >= self._refused_until:
            self.http2.acquire(receiver)
        else:
            self._refuse(receiver)

    def enqueue(self, receiver: Receiver) -> None:
        if not self._is_for_http2(receiver.request):
            self.http1.enqueue(receiver)
        elif self._ticker.now >= self._refused_until:
            self.http2.enqueue(receiver)
        else:
            self._refuse(receiver)

    def _refuse(self, receiver: Receiver) -> None:
        """A call, and the upstream has shown lately that it does not speak HTTP/2."""
        if not self._refusal.detail:
            self._refusal = Refusal(
                Fault.NO_HTTP2, "gRPC needs HTTP/2 from end to end, and the upstream does not speak it"
            )
        receiver.on_unconnected(self._refusal)

    def give_up(self, receiver: Receiver) -> None:
        self.http2.give_up(receiver)
        self.http1.give_up(receiver)

    def has_ready(self, pinned: Answerer) -> bool:
        return self.http1.has_ready(pinned)  # HTTP/2 has no connection of one client's

    def count_retry(self) -> None:
        self.http1.count_retry()

    def count_queue_timeout(self) -> None:
        self.http1.count_queue_timeout()

    # --- what `Pools` asks

    @property
    def is_unused(self) -> bool:
        return self.http1.is_unused and self.http2.is_unused

    @property
    def is_idle(self) -> bool:
        return self.http1.is_idle and self.http2.is_idle

    def on_tick(self) -> None:
        self.http1.on_tick()
        self.http2.on_tick()

    def shed(self) -> bool:
        return self.http1.shed() or self.http2.shed()

    def close(self) -> None:
        self.http1.close()
        self.http2.close()

    def abort(self) -> None:
        self.http1.abort()
        self.http2.abort()

    async def wait_closed(self) -> None:
        await asyncio.gather(self.http1.wait_closed(), self.http2.wait_closed())


@final
class _FallBack(FallBack):
    """The way back from HTTP/2: a pool has another base."""

    def __init__(self, pool: EitherPool) -> None:
        self._pool = pool

    def new_protocol(self, alpn: str) -> object:
        return self._pool.http1.new_protocol(alpn)

    def is_lost(self, connection: object) -> bool:
        assert isinstance(connection, UpstreamConnection)
        return connection.is_lost

    def adopt(self, connection: object) -> None:
        assert isinstance(connection, UpstreamConnection)
        self._pool.http1.adopt(connection)

    def refused(self, receiver: Receiver, refusal: Refusal) -> None:
        self._pool.refused(receiver, refusal)


def either_pools(http1: ConnectionPools, http2: Http2, ticker: Ticker) -> PoolFactory:
    """Makes the pools of upstreams of which it is not said what they speak."""

    def make(connector: Connector, plan: PoolPlan, metrics: UpstreamMetrics, shed: Callable[[], bool]) -> Pool:
        target = connector.target
        pool = EitherPool(ticker, is_tls=target.scheme == "https")
        alone = connector.to(replace(target, tls=target.tls_http1)) if target.tls_http1 is not None else connector
        pool.http1 = http1(alone, plan, metrics, shed)
        pool.http2 = http2.pool(connector, plan, metrics, shed, _FallBack(pool))
        return pool

    return make
