"""Exports the sidecar's spans as they finish, and its metrics periodically, over reloads and until its end.

Spans come through its `outlet`.

May know the plan's value of the export and the pipelines.
The event loop calls all of it.
Only `stop` waits, no longer than the plan allows.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from math import inf
from typing import Final

from proxy.plan.export import ExportPlan
from proxy.telemetry.otlp.buffer import Outlet
from proxy.telemetry.otlp.pipeline import Former, Pipeline

log = logging.getLogger(__name__)

_GRACE_S: Final = 5.0  # time for a thread to notice that it must end


class ExportCounts:
    """The fate of spans, over all pipelines so far."""

    def __init__(self) -> None:
        self.exported = 0  # a collector accepted them
        self.retries = 0
        self.waiting_bytes = 0
        self.dropped: dict[str, int] = {}  # by reason

    def add(self, pipeline: Pipeline) -> None:
        """What one pipeline has counted so far."""
        metrics = pipeline.sender.metrics
        self.exported += metrics.sent
        self.retries += metrics.retries
        self.waiting_bytes += pipeline.buffer.held_bytes
        for reason, spans in (("queue-full", pipeline.buffer.dropped), *tuple(metrics.dropped.items())):
            if spans:
                self.dropped[reason] = self.dropped.get(reason, 0) + spans


class Exporter:
    """See the module. One per process; `use` tells it of each plan."""

    def __init__(self, version: str, collect: Callable[[], Sequence[bytes]] = tuple) -> None:
        """`collect` returns the present metrics, as entries of ScopeMetrics.metrics."""
        self._version = version
        self._collect = collect
        self._plan = ExportPlan()
        self.outlet = Outlet()
        self._spans: Pipeline | None = None
        self._metrics: Pipeline | None = None
        self._flush_at = self._collect_at = -inf
        self._former = Former()  # of spans
        self._former_metrics = Former()
        self._past = ExportCounts()  # of ended pipelines of spans
        self._told: set[str] = set()  # kinds of bugs that are in the log

    def use(self, plan: ExportPlan) -> None:
        """Export by `plan` from now on. Spans that wait for another collector are still sent there."""
        if plan == self._plan:  # a TLS context stays the same one while its files do
            return
        self._stop()
        self._plan = plan
        if plan.traces is not None:
            limit, batch = plan.queue_spans, plan.batch_spans
            self._spans = Pipeline(plan, plan.traces, self._version, batch=batch, limit=limit)
            self.outlet.buffer = self._spans.buffer
        if plan.metrics is not None:
            self._metrics = Pipeline(plan, plan.metrics, self._version, batch=1_000_000, what="metrics")

    def on_tick(self, now: float) -> None:
        """From the event loop, a few times a second: no span waits longer than the delay, no request too long.

        Never raises: others are called at the same tick.
        """
        try:
            self._on_tick(now)
        except Exception as error:  # a bug of ours: the outermost edge
            kind = type(error).__name__
            if kind not in self._told:
                self._told.add(kind)
                log.error("export failed, the requests did not", exc_info=error)

    def _on_tick(self, now: float) -> None:
        if self._spans is not None:
            self._spans.sender.on_tick()
            if now >= self._flush_at:
                self._flush_at = now + self._plan.delay_s
                self._spans.buffer.flush()
        if self._metrics is not None:
            self._metrics.sender.on_tick()
            if now >= self._collect_at:
                self._collect_at = now + self._plan.metrics_interval_s
                # While the last metrics are not sent yet, only a point in time is lost: counters are cumulative.
                if not self._metrics.buffer.held_bytes:
                    self._send_metrics(self._metrics)
        if self._former.pipelines or self._former_metrics.pipelines:
            self._let_go()

    def _send_metrics(self, pipeline: Pipeline) -> None:
        for metric in self._collect():
            pipeline.buffer.add(metric)
        pipeline.buffer.flush()

    def _let_go(self) -> None:
        """Forget former pipelines that have sent everything; their counts stay."""
        for pipeline in self._former.ended():
            self._past.add(pipeline)
        self._former_metrics.ended()

    def counts(self) -> ExportCounts:
        """All that was counted of spans so far."""
        total = ExportCounts()
        total.exported, total.retries, total.dropped = self._past.exported, self._past.retries, {**self._past.dropped}
        for pipeline in (*self._former.pipelines, *([self._spans] if self._spans is not None else [])):
            total.add(pipeline)
        return total

    def _stop(self) -> None:
        self.outlet.buffer = None
        if self._spans is not None:
            self._former.add(self._spans)
        if self._metrics is not None:
            self._send_metrics(self._metrics)
            self._former_metrics.add(self._metrics)
        self._spans = self._metrics = None

    async def stop(self) -> None:
        """Send everything within `flush_s`. Spans that a dead collector does not take are dropped and counted."""
        self._stop()
        pipelines = [*self._former.pipelines, *self._former_metrics.pipelines]
        loop = asyncio.get_running_loop()
        until = loop.time() + max((pipeline.plan.flush_s for pipeline in pipelines), default=0.0) + _GRACE_S
        while (self._former.pipelines or self._former_metrics.pipelines) and loop.time() < until:
            self._let_go()
            await asyncio.sleep(0.02)
