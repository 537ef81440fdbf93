"""The way of reports to a console: bounded in bytes and in exchanges a second, counted, over reloads.

May know the plan's value of the report, and the pipelines of OTLP. The event loop calls all of it; nothing waits.
What is reported periodically is made by others (`Source`): the channel asks for it when it is due.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf
from secrets import token_hex
from typing import Final, NamedTuple

from proxy.plan.report import ReportPlan
from proxy.telemetry.metrics import count
from proxy.telemetry.otlp.pipeline import Former, Pipeline
from proxy.telemetry.report.counts import FormatCounts
from proxy.telemetry.report.record import SCOPE, VERSION

_GRACE_S: Final = 5.0  # time for a thread to notice that it must end
_DELAY_S: Final = 0.5  # the longest wait of a record: people watch
_BURST_S: Final = 2.0  # seconds' worth of exchanges that may come at once
_BATCH: Final = 512
_RATE: Final = "rate"


class Sent(NamedTuple):
    """The fate of records, over all pipelines so far."""

    sent: int
    dropped: dict[str, int]  # by reason
    waiting_bytes: int


NOTHING_SENT: Final = Sent(0, {}, 0)


class Source:
    """Makes what is reported beside exchanges. The composition root has one that knows everything."""

    def documents(self, *, is_new: bool, is_final: bool) -> Sequence[bytes]:
        """Entries of ScopeLogs.log_records. `is_new`: the console may know nothing of us yet."""
        return ()

    def metrics(self) -> Sequence[bytes]:
        """Entries of ScopeMetrics.metrics."""
        return ()


class Channel:
    """See the module. One per process; `use` tells it of each plan."""

    def __init__(self, version: str, wall_clock: Callable[[], float] = time.time) -> None:
        self._version = version
        self._wall_clock = wall_clock
        self.instance = token_hex(8)
        """Of this process: counters are cumulative over its life."""
        self._plan = ReportPlan()
        self._logs: Pipeline | None = None
        self._metrics: Pipeline | None = None
        self._former = Former()
        self._former_metrics = Former()
        self._past = NOTHING_SENT
        self._source = Source()
        self._flush_at = -inf
        self._refilled_at = 0.0
        self._report_at = self._whole_at = -inf  # when there is a report, and when all is told again
        self._usual = 0.0  # how many exchanges may be reported now
        self._notable = 0.0
        self._most_bytes = 0  # that exchanges may hold
        self.formats = FormatCounts()
        self.seen = 0  # exchanges
        self.reported = 0
        self.dropped: dict[str, int] = {}  # exchanges that were not put into the buffer, by reason
        self.started = wall_clock()

    @property
    def is_on(self) -> bool:
        """Whether a console is told."""
        return self._logs is not None

    @property
    def interval_s(self) -> float:
        """Between two reports."""
        return self._plan.interval_s

    def tell_from(self, source: Source) -> None:
        """`source` makes what is reported periodically."""
        self._source = source

    def use(self, plan: ReportPlan) -> None:
        """Report by `plan` from now on. What waits for another console is still sent there."""
        if plan == self._plan:
            self.tell_all()
            return
        self._stop(is_final=plan.logs is None)
        if self._plan.logs is None and plan.logs is not None:
            self._begin_anew()
        self._plan = plan
        plan = replace(plan, resource=self._described(plan.resource))
        if plan.logs is not None:
            self._logs = Pipeline(plan, plan.logs, self._version, batch=_BATCH, made_by=SCOPE, what="reports")
            self._most_bytes = plan.queue_bytes * 3 // 4
            self._usual = self._notable = plan.exchanges_per_second * _BURST_S
        if plan.metrics is not None:
            self._metrics = Pipeline(
                plan, plan.metrics, self._version, batch=1_000_000, made_by=SCOPE, what="reported metrics"
            )
        self.tell_all()

    def _begin_anew(self) -> None:
        """Nobody was told for a while: what is counted from now on is another life."""
        self.instance = token_hex(8)
        self.formats = FormatCounts()
        self.seen = self.reported = 0
        self.started = self._wall_clock()

    def _described(self, resource: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        """`resource`, with what tells this process from all others."""
        ours = {"host.name": socket.gethostname(), "service.instance.id": self.instance}
        described = {**ours, **dict(resource), "ops.instance": self.instance, "ops.report.version": str(VERSION)}
        return tuple(described.items())

    def tell_all(self) -> None:
        """Report everything with the next tick: the settings may be new, or the console."""
        self._whole_at = self._report_at = -inf

    # --- exchanges

    def has_room(self, is_notable: bool) -> bool:
        """Whether one more exchange may be reported now; counted. Those of note have room of their own."""
        self.seen += 1
        if self._usual >= 1.0:
            self._usual -= 1.0
            return True
        if is_notable and self._notable >= 1.0:
            self._notable -= 1.0
            return True
        count(self.dropped, _RATE)
        return False

    def add(self, entry: bytes) -> None:
        """Report an exchange."""
        logs = self._logs
        if logs is None:
            return
        # A part of the room is for what is reported periodically.
        if logs.buffer.held_bytes > self._most_bytes:
            count(self.dropped, "queue-full")
            return
        self.reported += 1
        logs.buffer.add(entry)

    def failed(self, error: str) -> None:
        """A bug of ours: an exchange was not reported."""
        count(self.dropped, error)

    # --- time

    def on_tick(self, now: float) -> None:
        """From the event loop, a few times a second."""
        logs = self._logs
        if logs is not None:
            logs.sender.on_tick()
            self._refill(now)
            if now >= self._report_at:
                self._report_at = now + self._plan.interval_s
                self._report(now, logs)
            if now >= self._flush_at:
                self._flush_at = now + _DELAY_S
                logs.buffer.flush()
        if self._metrics is not None:
            self._metrics.sender.on_tick()
        if self._former.pipelines or self._former_metrics.pipelines:
            self._let_go()

    def _refill(self, now: float) -> None:
        rate = self._plan.exchanges_per_second
        passed_s = min(now - self._refilled_at, _BURST_S)
        self._refilled_at = now
        self._usual = min(self._usual + rate * passed_s, rate * _BURST_S)
        self._notable = min(self._notable + rate * passed_s, rate * _BURST_S)

    def _report(self, now: float, logs: Pipeline) -> None:
        is_new = now >= self._whole_at
        if is_new:
            self._whole_at = now + max(60.0, self._plan.interval_s)
        for entry in self._source.documents(is_new=is_new, is_final=False):
            logs.buffer.add(entry)
        logs.buffer.flush()
        metrics = self._metrics
        # While the last metrics are not sent yet, only a point in time is lost: counters are cumulative.
        if metrics is not None and not metrics.buffer.held_bytes:
            for entry in self._source.metrics():
                metrics.buffer.add(entry)
            metrics.buffer.flush()

    # --- the end

    def sent(self) -> Sent:
        """The fate of records so far."""
        total, waiting = self._past.sent, 0
        dropped = dict(self._past.dropped)
        for reason, number in self.dropped.items():
            dropped[reason] = dropped.get(reason, 0) + number
        for pipeline in (*self._former.pipelines, *([self._logs] if self._logs is not None else [])):
            one = _sent(pipeline)
            total += one.sent
            waiting += one.waiting_bytes
            for reason, number in one.dropped.items():
                dropped[reason] = dropped.get(reason, 0) + number
        return Sent(total, dropped, waiting)

    def _let_go(self) -> None:
        for pipeline in self._former.ended():
            one = _sent(pipeline)
            dropped = dict(self._past.dropped)
            for reason, number in one.dropped.items():
                dropped[reason] = dropped.get(reason, 0) + number
            self._past = Sent(self._past.sent + one.sent, dropped, 0)
        self._former_metrics.ended()

    def _stop(self, *, is_final: bool) -> None:
        if self._logs is not None:
            for entry in self._source.documents(is_new=False, is_final=is_final):
                self._logs.buffer.add(entry)
            self._former.add(self._logs)
        if self._metrics is not None:
            self._former_metrics.add(self._metrics)
        self._logs = self._metrics = None

    async def stop(self) -> None:
        """Say farewell, and send everything within the plan's `flush_s`."""
        self._stop(is_final=True)
        loop = asyncio.get_running_loop()
        pipelines = [*self._former.pipelines, *self._former_metrics.pipelines]
        until = loop.time() + max((pipeline.plan.flush_s for pipeline in pipelines), default=0.0) + _GRACE_S
        while (self._former.pipelines or self._former_metrics.pipelines) and loop.time() < until:
            self._let_go()
            await asyncio.sleep(0.02)


def _sent(pipeline: Pipeline) -> Sent:
    metrics = pipeline.sender.metrics
    dropped = {"queue-full": pipeline.buffer.dropped, **dict(tuple(metrics.dropped.items()))}
    return Sent(
        metrics.sent, {reason: number for reason, number in dropped.items() if number}, pipeline.buffer.held_bytes
    )
