"""A fleet of sidecars in simulated time: the real counters and the real records, read by the real console's store."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from proxy.console.intake.decode import read_logs
from proxy.console.query.migration import migration
from proxy.console.store.open import Place, open_store
from proxy.console.store.reader import Reader
from proxy.console.store.reports import write_reports
from proxy.plan.report import ReportPlan
from proxy.telemetry.otlp.request import export_request, resource, scope
from proxy.telemetry.report import documents
from proxy.telemetry.report.channel import Channel
from proxy.telemetry.report.documents import AppCalls
from proxy.telemetry.report.record import COUNTS, SCOPE, document

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
START_S = 1_790_000_000.0
NO_CALLS = AppCalls({"examined": 0}, {}, {})


class Time:
    """Simulated."""

    def __init__(self) -> None:
        self.now_s = START_S

    @property
    def ns(self) -> int:
        return int(self.now_s * 1e9)


class Console:
    """A store, and what is asked of it."""

    def __init__(self, time: Time, path: Path | None = None) -> None:
        self._time = time
        self._place = Place(path, 1 << 30)
        self._open()

    def _open(self) -> None:
        self.connection = open_store(self._place)
        self.reader = Reader(self._place, self.connection, threading.RLock())

    def restart(self) -> None:
        """With --store, nothing is forgotten."""
        self.reader.close()
        self.connection.close()
        self._open()

    def take(self, body: bytes) -> None:
        """A report on the wire."""
        batch = read_logs(ExportLogsServiceRequest.FromString(gzip.decompress(body)))
        assert not batch.rejected
        self.connection.execute("BEGIN IMMEDIATE")
        write_reports(self.connection, batch.reports, self._time.ns)
        self.connection.execute("COMMIT")

    def ask(self) -> dict[str, Any]:
        return migration(self.reader, self._time.ns)

    def verdict(self, peer: str, format: str, role: str = "gets") -> dict[str, Any]:
        """That on one format at one receiver."""
        found = self.ask()["verdicts"]
        (one,) = [each for each in found if (each["peer"], each["format"], each["role"]) == (peer, format, role)]
        return dict(one)

    def close(self) -> None:
        self.reader.close()
        self.connection.close()


class Replica:
    """One sidecar process."""

    def __init__(self, time: Time, service: str, place: str, *, interval_s: float = HOUR_S) -> None:
        self._time = time
        self.service = service
        self._place = place
        self.channel = Channel("1", lambda: time.now_s)
        self.channel._plan = ReportPlan(interval_s=interval_s)
        self._number = 0
        self.calls = NO_CALLS

    def request(self, peer: str, read: str, written: str = "tracecontext", *, leg: str = "in") -> None:
        """One that this sidecar sees."""
        kind = "rule" if leg == "in" else ""
        upstream = "app" if leg != "out" else peer
        key = leg, kind, peer if leg == "in" else "", upstream, "", read, written
        self.channel.formats.add(key, self._time.now_s)

    def report(self, *, is_final: bool = False) -> bytes:
        """What it sends to a console."""
        self._number += 1
        body = documents.counts(
            self.channel, self.calls, number=self._number, now_s=self._time.now_s, is_final=is_final, place=self._place
        )
        described = resource(
            {
                "service.name": self.service,
                "ops.instance": self.channel.instance,
                "ops.report.version": "1",
                "host.name": self._place,
            }
        )
        entry = document(COUNTS, self._time.ns, body)
        return gzip.compress(b"".join(export_request(described, scope(SCOPE, "1"), [entry])), 1)


@contextmanager
def fleet(path: Path | None = None) -> Iterator[tuple[Time, Console]]:
    """A console, and the time it lives in."""
    time = Time()
    console = Console(time, path)
    try:
        yield time, console
    finally:
        console.close()
