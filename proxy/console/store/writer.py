"""The one thread that writes. It takes batches from a queue that is bounded in bytes, many in one transaction.

A full queue refuses: the sender keeps its batch and retries.
A failure of SQLite loses the batch that it comes from, and is counted and logged; the thread goes on.
"""

from __future__ import annotations

import logging
import math
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from proxy.console.intake.decode import SIDECAR_SCOPE
from proxy.console.intake.records import Batch
from proxy.console.store.open import used_bytes
from proxy.console.store.reports import write_reports
from proxy.console.store.requests import put_request, row_of_span
from proxy.console.store.retention import trim_age, trim_size
from proxy.console.store.traces import TraceWriter

log = logging.getLogger(__name__)

_MOST_RECORDS: Final = 5_000  # of one transaction, so that readers of a store in memory get their turn
_AGE_EVERY_S: Final = 5.0
_QUIET_S: Final = 60.0  # between two log lines about failures

Row = dict[str, Any]


@dataclass(slots=True)
class WriterCounts:
    """Only the writer's thread changes it."""

    overfull: int = 0
    removed: int = 0  # traces and requests that left for size or age
    lost: dict[str, int] = field(default_factory=dict)  # records, by SQLite's error


class Writer:
    """See the module."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        lock: threading.RLock,
        *,
        limit_bytes: int,
        max_age_s: float = 0.0,
        queue_bytes: int = 64 * 1024 * 1024,
        on_rows: Callable[[Sequence[Row]], None] = lambda rows: None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """`lock`: held while `connection` is used, which in memory readers share. `max_age_s`: 0 keeps for ever.

        `on_rows`: told of new requests, from the writer's thread.
        """
        self.counts = WriterCounts()
        self._connection = connection
        self._lock = lock
        self._limit_bytes = limit_bytes
        self._max_age_s = max_age_s
        self._queue_bytes = queue_bytes
        self._on_rows = on_rows
        self._clock_ns = clock_ns
        self._traces = TraceWriter(connection)
        self._waiting: deque[tuple[Batch, bool, threading.Event | None]] = deque()
        self._held = 0
        self._wake = threading.Condition()
        self._is_stopping = False
        self._used = used_bytes(connection)
        self._told_at = -math.inf
        self._aged_at = -math.inf
        self._thread = threading.Thread(target=self._run, name="console-writer", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def add(self, batch: Batch, *, replaces: bool = False, done: threading.Event | None = None) -> bool:
        """Take a batch, from any thread. False: the queue is full, nothing is taken.

        `replaces`: its traces are written anew. `done` is set once it is written.
        """
        with self._wake:
            if self._is_stopping or (self._held and self._held + batch.size > self._queue_bytes):
                return False
            self._held += batch.size
            self._waiting.append((batch, replaces, done))
            self._wake.notify()
        return True

    @property
    def used_bytes(self) -> int:
        """The store's size, as it was after the last batch."""
        return self._used

    @property
    def waiting_bytes(self) -> int:
        """What waits to be written."""
        return self._held

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Write what waits, then end. Whether that was done in time."""
        with self._wake:
            self._is_stopping = True
            self._wake.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # --- the thread

    def _run(self) -> None:
        while True:
            with self._wake:
                if not self._waiting:
                    if self._is_stopping:
                        return
                    self._wake.wait(_AGE_EVERY_S)
                taken = self._take()
            if taken:
                self._write(taken)
            self._trim()

    def _take(self) -> list[tuple[Batch, bool, threading.Event | None]]:
        taken = []
        records = 0
        while self._waiting and records < _MOST_RECORDS:
            one = self._waiting.popleft()
            taken.append(one)
            records += len(one[0].spans) + len(one[0].logs) + len(one[0].reports)
        return taken

    def _write(self, taken: Sequence[tuple[Batch, bool, threading.Event | None]]) -> None:
        rows: list[Row] = []
        try:
            rows = self._try(taken)
        finally:
            with self._wake:
                self._held -= sum(batch.size for batch, _, _ in taken)
            for _, _, done in taken:
                if done is not None:
                    done.set()
        if rows:
            self._on_rows(rows)

    def _try(self, taken: Sequence[tuple[Batch, bool, threading.Event | None]]) -> list[Row]:
        """All in one transaction. If that fails, each batch in its own, so that only the one at fault is lost."""
        try:
            with self._lock:
                return self._transaction(taken)
        except Exception as error:  # SQLite's, or a bug of ours: the outermost edge of the thread
            if len(taken) == 1:
                self._lose(taken, error)
                return []
        return [row for one in taken for row in self._try([one])]

    def _transaction(self, taken: Sequence[tuple[Batch, bool, threading.Event | None]]) -> list[Row]:
        rows: list[Row] = []
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for batch, replaces, _ in taken:
                if replaces:
                    for trace in {span.trace for span in batch.spans}:
                        self._traces.remove(trace)
            self._traces.write(
                (span for batch, _, _ in taken for span in batch.spans),
                (record for batch, _, _ in taken for record in batch.logs),
            )
            for batch, _, _ in taken:
                for span in batch.spans:
                    if span.scope == SIDECAR_SCOPE:
                        row = row_of_span(span)
                        if put_request(self._connection, row):
                            rows.append(row)
                if batch.reports:
                    rows += write_reports(self._connection, batch.reports, self._clock_ns())
            self._connection.execute("COMMIT")
        except BaseException:
            self._traces.forget()
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self.counts.overfull = self._traces.overfull
        return rows

    def _lose(self, taken: Sequence[tuple[Batch, bool, threading.Event | None]], error: Exception) -> None:
        kind = getattr(error, "sqlite_errorname", type(error).__name__)
        lost = sum(len(batch.spans) + len(batch.logs) + len(batch.reports) for batch, _, _ in taken)
        self.counts.lost[kind] = self.counts.lost.get(kind, 0) + lost
        now = time.monotonic()
        if now - self._told_at >= _QUIET_S:
            self._told_at = now
            log.error("the store refused %d records: %s: %s", lost, kind, error)

    def _trim(self) -> None:
        try:
            while True:
                with self._lock:
                    self._used = used_bytes(self._connection)
                    if self._used <= self._limit_bytes:
                        break
                    removed = self._shrink()
                if not removed:
                    break
            now = time.monotonic()
            while self._max_age_s and now - self._aged_at >= _AGE_EVERY_S:
                with self._lock:
                    removed = trim_age(self._connection, self._clock_ns() - int(self._max_age_s * 1e9))
                self._forget(removed)
                if not removed:
                    self._aged_at = now
        except Exception as error:  # as above
            self._lose((), error)

    def _shrink(self) -> int:
        """Steps, until a little below the limit, so that not every batch pays for it."""
        total = 0
        for _ in range(20):
            removed = trim_size(self._connection, self._limit_bytes)
            self._forget(removed)
            total += removed
            if not removed:
                break
        return total

    def _forget(self, removed: int) -> None:
        if removed:
            self.counts.removed += removed
            self._traces.forget()
