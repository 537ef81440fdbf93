"""The terms on which one upstream is served from one listener: names, timeouts, counters. Made once per plan.

May know the plan, requests by their meaning, metrics. Must not know pools, translators or messages in flight.
"""

from __future__ import annotations

from abc import ABCMeta, abstractmethod

from proxy.listener.upstream_health import UpstreamHealth
from proxy.participation.entry import InFlight
from proxy.path_templates import PathTemplates
from proxy.plan import UpstreamPlan
from proxy.semantics.request import Request
from proxy.telemetry.metrics import ExchangeMetrics
from proxy.telemetry.otlp.span import SpanEncoder
from proxy.transport.deadlines import NEVER


class Terms(metaclass=ABCMeta):
    """The terms for both sides of an exchange."""

    __slots__ = (
        "_host",
        "_preserves_host",
        "_target_host",
        "body_waits",
        "buffer_bytes",
        "gather_bytes",
        "head_waits",
        "health",
        "is_http2_alone",
        "is_tls",
        "leniency",
        "listener",
        "metrics",
        "mirrors",
        "response_via",
        "span_encoder",
        "span_host",
        "templates",
        "timeouts",
        "trace_field",
        "upstream",
    )

    def __init__(
        self,
        plan: UpstreamPlan,
        metrics: ExchangeMetrics,
        *,
        listener: str,
        buffer_bytes: int,
        gather_bytes: int,
        response_via: bytes,
        span_encoder: SpanEncoder,
        is_inbound: bool,
        health: UpstreamHealth | None = None,
    ) -> None:
        self.upstream = plan.name
        self.listener = listener  # its name
        self.buffer_bytes = buffer_bytes  # of a request, held towards the upstream
        self.gather_bytes = gather_bytes  # content up to this size is gathered before an upstream is asked for
        self.timeouts = plan.timeouts
        # In seconds, by the pace of a request: for the response to begin, and for its next bytes.
        timeouts, call_s = plan.timeouts, plan.timeouts.grpc_idle_s or NEVER
        self.head_waits = timeouts.response_head_s, call_s, timeouts.response_head_s
        self.body_waits = timeouts.response_body_s, call_s, timeouts.tunnel_idle_s
        self.leniency = plan.leniency
        self.is_http2_alone = plan.pool.http2 == "always"
        self.metrics = metrics
        self.health = health or UpstreamHealth(plan.name, is_one=plan.target is not None)
        self.response_via = response_via  # our name in Via of responses; empty for none
        self.trace_field = plan.propagation.response_header.encode("ascii")  # of responses: tells the trace
        target = plan.target
        self._host = target.authority.encode("ascii") if target is not None else b""
        self.mirrors = plan.propagation.mirror  # formats that go out depend on the peer
        self._target_host = target.address.host if target is not None else None
        self._preserves_host = plan.preserve_host or target is None
        self.span_encoder = span_encoder
        self.is_tls = target is not None and target.scheme == "https" and not is_inbound  # as the span's side has it
        self.span_host = b"" if is_inbound else self._host  # server.address of client spans: the target, if it is set
        self.templates = PathTemplates(plan.spans.routes) if plan.spans.routes else None

    @abstractmethod
    def unread(self, request: Request) -> str:
        """The formats in `request` that are known, and not asked for here: tokens such as `b3?`, joined by commas."""

    @abstractmethod
    def remember(self, given: object, now: float) -> InFlight | None:
        """What is remembered of a request to the app while it is there; None for nothing. Never raises.

        `given`: what the app was given, as the translation has it; `now`: in seconds.
        """

    @abstractmethod
    def failed(self, error: Exception) -> None:
        """Count and log a bug of ours in tracing, which a request survived."""

    def host_of(self, request: Request) -> str:
        """The name or address of the host that `request` goes to, without its port; empty for a Unix socket."""
        return request.authority.host if self._target_host is None else self._target_host

    def host(self, request: Request) -> bytes:
        """The value of Host for the upstream: the target's, if HTTP/1.0 brought none."""
        return request.host if self._preserves_host and request.host else self._host
