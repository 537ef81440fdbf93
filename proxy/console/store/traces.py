"""Writes spans and logs with the rows of their traces. Only the writer's thread uses it."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Final

from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

from proxy.console.intake.records import Log, Source, Span
from proxy.console.store.schema import MOST_IN_TRACE, SHIFT
from proxy.console.store.summary import COLUMNS, Summary, read_summary

_MOST_SUMMARIES: Final = 4096  # remembered, so that a trace that comes in parts is not read again
_MOST_IDS: Final = 400_000  # of spans of these traces, about 40 MB
_MOST_SOURCES: Final = 2048
_SAVE: Final = f"INSERT OR REPLACE INTO traces ({COLUMNS}) VALUES ({', '.join('?' * len(COLUMNS.split(',')))})"


class TraceWriter:
    """See the module."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._summaries: OrderedDict[bytes, Summary] = OrderedDict()
        self._sources: OrderedDict[bytes, list[int]] = OrderedDict()  # digest: its id, and the last trace's key
        (last_key,) = connection.execute("SELECT max(key) FROM traces").fetchone()
        self._next_key = 1 + (last_key or 0)
        self._ids = 0  # remembered, of spans
        self.overfull = 0  # spans and logs beyond what one trace may hold

    def write(self, spans: Iterable[Span], logs: Iterable[Log]) -> None:
        """All of it, in the transaction that the caller has begun."""
        changed: dict[bytes, Summary] = {}
        rows: list[tuple[Any, ...]] = []
        for span in spans:
            summary = changed.get(span.trace) or changed.setdefault(span.trace, self._summary(span.trace))
            if summary.items < MOST_IN_TRACE:
                rows.append((summary.key << SHIFT | summary.items, self._source(span.source, summary.key),
                             span.scope, span.body))  # fmt: skip
                summary.items += 1
            else:
                self.overfull += 1
            summary.add(span)
        self._connection.executemany("INSERT INTO spans VALUES (?, ?, ?, ?)", rows)
        rows = []
        for log in logs:
            summary = changed.get(log.trace) or changed.setdefault(log.trace, self._summary(log.trace))
            if summary.items >= MOST_IN_TRACE:
                self.overfull += 1
                continue
            rows.append((summary.key << SHIFT | summary.items, self._source(log.source, summary.key),
                         log.scope, log.body))  # fmt: skip
            summary.items += 1
            summary.started = summary.started or log.at
        self._connection.executemany("INSERT INTO logs VALUES (?, ?, ?, ?)", rows)
        self._connection.executemany(_SAVE, [summary.columns() for summary in changed.values()])
        self._remember(changed)

    def forget(self) -> None:
        """Drop what is remembered: a transaction failed, or traces were removed."""
        self._summaries.clear()
        self._ids = 0
        self._sources.clear()

    def remove(self, trace: bytes) -> None:
        """One whole trace, before it is written anew."""
        known = self._summaries.pop(trace, None)
        self._ids -= known.counted if known is not None else 0
        found = self._connection.execute("SELECT key FROM traces WHERE trace = ?", (trace,)).fetchone()
        if found is None:
            return
        (key,) = found
        for table in ("spans", "logs"):
            self._connection.execute(f"DELETE FROM {table} WHERE id >= ? AND id < ?", (key << SHIFT, key + 1 << SHIFT))
        self._connection.execute("DELETE FROM traces WHERE key = ?", (key,))

    def _summary(self, trace: bytes) -> Summary:
        known = self._summaries.get(trace)
        if known is not None:
            return known
        row = self._connection.execute(f"SELECT {COLUMNS} FROM traces WHERE trace = ?", (trace,)).fetchone()
        if row is not None:
            summary = read_summary(row)
            self._join_again(summary)
            return summary
        key, self._next_key = self._next_key, self._next_key + 1
        return Summary(key, trace)

    def _join_again(self, summary: Summary) -> None:
        """Of a trace that goes on after it was forgotten: which spans came, and which parents did not."""
        rows = self._connection.execute(
            "SELECT body FROM spans WHERE id >= ? AND id < ?", (summary.key << SHIFT, summary.key + 1 << SHIFT)
        )
        for (body,) in rows:
            span = SpanMessage.FromString(body)
            summary.join(span.span_id, span.parent_span_id, span.kind)

    def _remember(self, changed: dict[bytes, Summary]) -> None:
        for trace, summary in changed.items():
            self._ids += len(summary.ids) - summary.counted
            summary.counted = len(summary.ids)
            self._summaries[trace] = summary
            self._summaries.move_to_end(trace)
        while len(self._summaries) > _MOST_SUMMARIES or (self._ids > _MOST_IDS and len(self._summaries) > 1):
            _, oldest = self._summaries.popitem(last=False)
            self._ids -= oldest.counted

    def _source(self, source: Source, key: int) -> int:
        """The id of its resource, which stays as long as the newest trace that has it."""
        digest = hashlib.blake2b(source.body, digest_size=16).digest()
        known = self._sources.get(digest)
        if known is None:
            self._connection.execute(
                "INSERT INTO resources (digest, service, body, last_key) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (digest) DO UPDATE SET last_key = max(last_key, excluded.last_key)",
                (digest, source.service, source.body, key),
            )
            (number,) = self._connection.execute("SELECT id FROM resources WHERE digest = ?", (digest,)).fetchone()
            known = self._sources[digest] = [number, key]
            while len(self._sources) > _MOST_SOURCES:
                self._sources.popitem(last=False)
        elif known[1] < key:
            known[1] = key
            self._connection.execute("UPDATE resources SET last_key = ? WHERE id = ?", (key, known[0]))
        return known[0]
