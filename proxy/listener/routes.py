"""Routes: one upstream as served from one listener, with all that a request to it needs, made once per plan.

May know the plan, the translator, the pools. Must not know messages in flight.
"""

from __future__ import annotations

from proxy.http1.message.request import Request
from proxy.http1.pool import Pool
from proxy.listener.pools import PoolTable
from proxy.plan import UpstreamPlan
from proxy.semantics.fields import FieldKinds
from proxy.telemetry.metrics import ExchangeMetrics
from proxy.translate import Translator


class Route:
    """One upstream as served from one listener."""

    __slots__ = (
        "_host",
        "_preserves_host",
        "buffer_bytes",
        "fixed_pool",
        "kinds",
        "listener",
        "metrics",
        "name",
        "plan",
        "pools",
        "response_via",
        "timeouts",
        "translator",
    )

    def __init__(
        self,
        plan: UpstreamPlan,
        translator: Translator,
        pools: PoolTable,
        metrics: ExchangeMetrics,
        *,
        listener: str,
        inbound: bool,
        buffer_bytes: int,
        kinds: FieldKinds,
        response_via: bytes,
    ) -> None:
        self.plan = plan
        self.name = plan.name
        self.listener = listener  # its name
        self.buffer_bytes = buffer_bytes  # of a request, held towards the upstream
        self.timeouts = plan.timeouts
        self.translator = translator
        self.pools = pools
        self.metrics = metrics
        self.kinds = kinds
        self.response_via = response_via
        target = plan.target
        # Found once: to hash a target for each request would cost 1 µs.
        self.fixed_pool = pools.pool(plan.name, target, plan.pool, inbound=inbound) if target is not None else None
        self._host = target.authority.encode("ascii") if target is not None else b""
        self._preserves_host = plan.preserve_host or target is None

    def host(self, request: Request) -> bytes:
        """What Host says to the upstream. Where HTTP/1.0 brought none, it is the target's."""
        return request.host if self._preserves_host and request.host else self._host

    def named_pool(self, request: Request) -> Pool:
        """Where connections come from without a fixed pool: `request` names their target, as it has a host. Raises
        Refusal.
        """
        host, port = request.authority
        return self.pools.named_by_request(self.name, request.scheme, host, port, self.plan.pool)
