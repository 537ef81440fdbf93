"""Gathers what the sidecar reports of itself to a console, whenever a report is due.

May know everything below the composition root: it only reads.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Mapping, Sequence

from proxy.dataplane import DataPlane
from proxy.listener import trials
from proxy.plan import Plan
from proxy.settings.effective import DEFAULT, effective
from proxy.settings.layers import FLAG, VARIABLE
from proxy.settings.reading import Loaded
from proxy.telemetry.metrics import Metrics
from proxy.telemetry.otlp.exporter import Exporter
from proxy.telemetry.process import process_usage
from proxy.telemetry.report import documents
from proxy.telemetry.report.channel import Channel, Source
from proxy.telemetry.report.documents import AppCalls, Setting
from proxy.telemetry.report.record import COUNTS, HEALTH, PLAN, PROOFS, SETTINGS, SHADOW, document
from proxy.telemetry.state import State

_MOST_CHARACTERS = 64 * 1024  # of what is told of shadows
_AT_START = frozenset({"log.access", "log.queue_lines"})
"""Keys that take effect at the next start alone (`Generations`)."""


class Reporting(Source):
    """One per process. Told of each generation as it takes effect (`use`)."""

    def __init__(
        self,
        channel: Channel,
        *,
        metrics: Metrics,
        state: State,
        exporter: Exporter,
        version: str,
        dropped_lines: Callable[[], Mapping[str, int]],
        metrics_now: Callable[[], Sequence[bytes]],
    ) -> None:
        """`metrics_now`: all counters, as entries of ScopeMetrics.metrics."""
        self._channel = channel
        self._metrics = metrics
        self._state = state
        self._exporter = exporter
        self._version = version
        self._dropped_lines = dropped_lines
        self._metrics_now = metrics_now
        self._number = 0
        self._data_plane: DataPlane | None = None
        self._plan: Plan | None = None
        self._settings: list[Setting] = []
        channel.tell_from(self)

    def know(self, data_plane: DataPlane) -> None:
        """Whose calls and addresses are reported."""
        self._data_plane = data_plane

    def use(self, plan: Plan, loaded: Loaded) -> None:
        """A generation takes effect."""
        self._plan = plan
        self._settings = [_setting(*entry) for entry in effective(loaded)] if plan.report.logs is not None else []
        self._channel.tell_all()

    def documents(self, *, is_new: bool, is_final: bool) -> Sequence[bytes]:
        plane, plan = self._data_plane, self._plan
        if plane is None or plan is None:
            return ()
        now_s = time.time()
        evidence = plane.evidence(is_final=is_final)
        addresses = {name: [str(one) for one in bound] for name, bound in plane.addresses().items()}
        told = {}
        if is_new:
            told[PLAN] = documents.plan(plan, plane.name, addresses)
            told[SETTINGS] = documents.settings(self._settings)
        told[HEALTH] = documents.health(
            self._state,
            self._metrics,
            version=self._version,
            process=process_usage(),
            spans=self._exporter.counts(),
            spans_to=str(plan.export.traces or ""),
            channel=self._channel,
            reports_to=str(plan.report.logs or ""),
            dropped_lines=self._dropped_lines(),
        )
        self._number += 1
        told[COUNTS] = documents.counts(
            self._channel,
            AppCalls(evidence.calls, evidence.expected, evidence.seen),
            number=self._number,
            now_s=now_s,
            is_final=is_final,
            place=_place(plan),
        )
        proofs = plane.app_proofs()
        if is_new and proofs:
            told[PROOFS] = documents.proofs(proofs)
        if plan.shadowed:
            told[SHADOW] = _shadow(trials.told(plan.shadowed, self._metrics, plane.shadow_examples()))
        now_ns = int(now_s * 1e9)
        return [document(event, now_ns, body) for event, body in told.items()]

    def metrics(self) -> Sequence[bytes]:
        return self._metrics_now()


def _shadow(routes: list[dict[str, object]]) -> str:
    """What shadows would do; without the examples where they would take too much room."""
    text = json.dumps(routes)
    if len(text) <= _MOST_CHARACTERS:
        return text
    return json.dumps([{**route, "examples": {}} for route in routes])


def _place(plan: Plan) -> str:
    """Where this process serves: no two do at a time, so the next one there is its successor."""
    binds = sorted(str(bind) for listener in plan.listeners for bind in listener.binds)
    return f"{socket.gethostname()} {' '.join(binds)}"[:500]


def _setting(key: str, value: object, source: str, changed: bool, default: object) -> Setting:
    if source.startswith(FLAG):
        kind = "flag"
    elif source.startswith(VARIABLE):
        kind = "env"
    else:
        kind = DEFAULT if source.startswith(DEFAULT) else "file"
    return Setting(key, value, default, kind, "" if kind == DEFAULT else source, key not in _AT_START)
