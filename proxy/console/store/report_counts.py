"""Counters that sidecars report: who speaks which format, and what apps do to contexts. Their growth, by service.

Bounded: of each service so many rows a day, and so many days.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any, Final

from proxy.console.intake.reports import Report
from proxy.console.store.senders import EVERYWHERE, NO_ROOM, note_gap

TABLES: Final = """
CREATE TABLE count_totals (
    instance TEXT NOT NULL, key TEXT NOT NULL, value INTEGER NOT NULL, PRIMARY KEY (instance, key)
) WITHOUT ROWID;
CREATE TABLE format_days (
    service TEXT NOT NULL,
    day INTEGER NOT NULL,
    leg TEXT NOT NULL,
    kind TEXT NOT NULL,
    peer TEXT NOT NULL,
    upstream TEXT NOT NULL,
    host TEXT NOT NULL,
    read TEXT NOT NULL,
    written TEXT NOT NULL,
    count INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (service, day, leg, kind, peer, upstream, host, read, written)
) WITHOUT ROWID;
CREATE TABLE call_hours (
    service TEXT NOT NULL, hour INTEGER NOT NULL, name TEXT NOT NULL, count INTEGER NOT NULL,
    first INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (service, hour, name)
) WITHOUT ROWID;
CREATE TABLE proofs (
    service TEXT NOT NULL, finding TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (service, finding)
) WITHOUT ROWID;
"""

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000
_KEPT_DAYS: Final = 60
_KEPT_HOURS: Final = 24 * 15
_MOST_OF_DAY: Final = 4_000  # rows of one service on one day
_MOST_ROWS: Final = 4_000  # of one report
_MOST_IN_ALL: Final = 300_000  # about 50 MB
_LOOK_EVERY: Final = 32  # reports of one sidecar
_MOST_NAMES: Final = 200
_LONGEST: Final = 300
_TEXTS: Final = 7

Texts = tuple[str, ...]


def add(connection: sqlite3.Connection, report: Report, now_ns: int) -> None:
    """The growth since this sidecar's report before."""
    instance, service = report.sender.instance, report.sender.service
    before = dict(connection.execute("SELECT key, value FROM count_totals WHERE instance = ?", (instance,)).fetchall())
    latest_ms = now_ns // 1_000_000
    if connection.execute("SELECT 1 FROM reporting WHERE service = ?", (service,)).fetchone() is None:
        return  # there are too many services
    totals: list[tuple[str, str, int]] = []
    for texts, count, first, last in _format_rows(report.said):
        key = json.dumps(texts)
        grown = count - before.get(key, 0)
        if grown > 0:
            totals.append((instance, key, count))
            _add_formats(connection, service, texts, grown, min(first, latest_ms), min(last, latest_ms))
    seen = report.said.get("seen")
    for name, count in _call_rows(report.said):
        grown = count - before.get(name, 0)
        if grown > 0:
            totals.append((instance, name, count))
            first, last = _times(seen, name, latest_ms)
            connection.execute(
                "INSERT INTO call_hours VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "count = count + excluded.count, last = max(last, excluded.last), first = min(first, excluded.first)",
                (service, last // HOUR_MS, name, grown, max(first, last // HOUR_MS * HOUR_MS), last),
            )
    connection.executemany("INSERT OR REPLACE INTO count_totals VALUES (?, ?, ?)", totals)
    if report.said.get("final") is True:
        connection.execute("DELETE FROM count_totals WHERE instance = ?", (instance,))
    _trim(connection, latest_ms)
    if report.said["seq"] % _LOOK_EVERY == 0:
        make_room(connection)


def _format_rows(said: Mapping[str, Any]) -> Iterator[tuple[Texts, int, int, int]]:
    rows = said.get("formats")
    for row in rows[:_MOST_ROWS] if isinstance(rows, list) else ():
        if not isinstance(row, list) or len(row) < _TEXTS + 3:
            continue
        texts, numbers = row[:_TEXTS], row[_TEXTS : _TEXTS + 3]
        if all(isinstance(text, str) for text in texts) and all(_is_count(number) for number in numbers):
            yield tuple(text[:_LONGEST] for text in texts), numbers[0], numbers[1], numbers[2]


def _call_rows(said: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for section, prefix in (("calls", ""), ("expected", "expected:")):
        counts = said.get(section)
        for name, count in list(counts.items())[:_MOST_NAMES] if isinstance(counts, dict) else ():
            if isinstance(name, str) and _is_count(count):
                yield prefix + name[:_LONGEST], count


def _times(seen: object, name: str, latest_ms: int) -> tuple[int, int]:
    times = seen.get(name) if isinstance(seen, dict) else None
    if isinstance(times, list) and len(times) == 2 and all(_is_count(one) for one in times):
        return min(times[0], latest_ms), min(times[1], latest_ms)
    return latest_ms, latest_ms


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53


def _add_formats(connection: sqlite3.Connection, service: str, texts: Texts, count: int, first: int, last: int) -> None:
    day = last // DAY_MS
    leg, kind, peer, upstream, host, read, written = texts
    there = connection.execute(
        "SELECT 1 FROM format_days WHERE (service, day, leg, kind, peer, upstream, host, read, written) = "
        "(?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (service, day, *texts),
    ).fetchone()
    if there is None:
        (rows,) = connection.execute(
            "SELECT count(*) FROM format_days WHERE service = ? AND day = ?", (service, day)
        ).fetchone()
        if rows >= _MOST_OF_DAY:
            kind, peer, host = "others", "", ""
    connection.execute(
        "INSERT INTO format_days VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "count = count + excluded.count, last = max(last, excluded.last), first = min(first, excluded.first)",
        (service, day, leg, kind, peer, upstream, host, read, written, count, max(first, day * DAY_MS), last),
    )


def keep_proofs(connection: sqlite3.Connection, report: Report) -> None:
    """The last proof of each finding."""
    for finding, proof in list(report.said.items())[:_MOST_NAMES]:
        if isinstance(proof, dict) and _is_count(proof.get("at")):
            connection.execute(
                "INSERT INTO proofs VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET at = excluded.at, "
                "body = excluded.body WHERE excluded.at >= at",
                (report.sender.service, finding[:_LONGEST], proof["at"], json.dumps(proof)[:65536]),
            )


def make_room(connection: sqlite3.Connection, most: int = _MOST_IN_ALL) -> None:
    """The oldest days leave if there are too many rows. What they said of formats is a gap then."""
    while True:
        rows, oldest = connection.execute("SELECT count(*), min(day) FROM format_days").fetchone()
        if rows <= most:
            return
        connection.execute("DELETE FROM format_days WHERE day = ?", (oldest,))
        begun = oldest * DAY_MS * 1_000_000
        note_gap(connection, EVERYWHERE, "", begun, begun + DAY_MS * 1_000_000, NO_ROOM)


def _trim(connection: sqlite3.Connection, latest_ms: int) -> None:
    connection.execute("DELETE FROM format_days WHERE day < ?", (latest_ms // DAY_MS - _KEPT_DAYS,))
    connection.execute("DELETE FROM call_hours WHERE hour < ?", (latest_ms // HOUR_MS - _KEPT_HOURS,))
