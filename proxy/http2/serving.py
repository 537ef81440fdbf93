"""What the connections of HTTP/2 of one data plane share, made once. For `dataplane`, which builds them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from proxy.http2.client import ClientConnection
from proxy.http2.engine.budgets import budgets
from proxy.http2.engine.codes import PREFACE as ENGINE_PREFACE
from proxy.http2.flushing import Flusher
from proxy.http2.message.trailers import Trailers
from proxy.http2.pool import FallBack, StreamPool
from proxy.listener.listener import Listener
from proxy.listener.upstreams.pools import Pool
from proxy.plan import PoolPlan
from proxy.semantics.fields import response_kinds
from proxy.telemetry.metrics import UpstreamMetrics
from proxy.transport.connector import Connector
from proxy.transport.deadlines import Ticker
from proxy.transport.descriptors import Descriptors

PREFACE: Final = ENGINE_PREFACE[:18]  # up to the end of its first two lines: an HTTP/1 server would answer it here


class Http2:
    """Makes connections of clients, and pools of connections to upstreams."""

    def __init__(self, ticker: Ticker, descriptors: Descriptors) -> None:
        self._ticker = ticker
        self._descriptors = descriptors
        self._flusher = Flusher(asyncio.get_running_loop())
        self._trailers = Trailers()
        self._budgets = budgets()
        self._kinds = response_kinds()  # one for all pools, to share its memory

    def connection(self, listener: Listener) -> ClientConnection:
        """A new client's."""
        return ClientConnection(listener, self._flusher, self._trailers, self._budgets)

    def pool(
        self,
        connector: Connector,
        plan: PoolPlan,
        metrics: UpstreamMetrics,
        shed: Callable[[], bool],
        fall_back: FallBack | None = None,
    ) -> Pool:
        """A pool. `fall_back` gets its waiters, if the upstream does not speak HTTP/2; None: they are refused."""
        return StreamPool(
            connector,
            plan,
            metrics,
            self._ticker,
            self._flusher,
            self._descriptors,
            shed,
            self._kinds,
            self._trailers,
            fall_back,
        )
