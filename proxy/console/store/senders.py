"""The sidecars that report: who they are, what they said last, and when nobody heard them.

A gap is a time about which nobody may say "nothing happened":
a sidecar ended without a farewell, a service had no sidecar that reported, or the console heard nothing at all.
A sidecar that is late is no gap: its next report holds what the missing ones held.
One that stays silent for a day is given up: until then is a gap, which its next report closes.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any, Final

from proxy.console.intake.reports import Report, Sender

TABLES: Final = """
CREATE TABLE sidecars (
    instance TEXT PRIMARY KEY,
    service TEXT NOT NULL,
    name TEXT NOT NULL,
    host TEXT NOT NULL,
    version TEXT NOT NULL,
    newer INTEGER NOT NULL,
    place TEXT NOT NULL DEFAULT '',
    via TEXT NOT NULL DEFAULT '',
    since INTEGER NOT NULL DEFAULT 0,
    seen INTEGER NOT NULL,
    number INTEGER NOT NULL DEFAULT 0,
    interval_ms INTEGER NOT NULL DEFAULT 10000,
    ended INTEGER NOT NULL DEFAULT 0,
    exchanges TEXT NOT NULL DEFAULT '{}',
    plan TEXT,
    settings TEXT,
    health TEXT,
    health_at INTEGER NOT NULL DEFAULT 0,
    earlier TEXT,
    earlier_at INTEGER NOT NULL DEFAULT 0,
    shadow TEXT,
    rates TEXT
) WITHOUT ROWID;
CREATE INDEX sidecars_service ON sidecars (service, seen);
CREATE TABLE reporting (service TEXT PRIMARY KEY, since INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE gaps (
    id INTEGER PRIMARY KEY,
    service TEXT NOT NULL,
    instance TEXT NOT NULL,
    started INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    why TEXT NOT NULL
);
CREATE TABLE report_clock (id INTEGER PRIMARY KEY CHECK (id = 1), created INTEGER NOT NULL, heard INTEGER NOT NULL);
"""

RUNNING: Final = 0
FAREWELL: Final = 1  # it said that this was its last report
SUCCEEDED: Final = 2  # another serves in its place, and it had not said so

EVERYWHERE: Final = "*"  # the service of a gap that concerns all
SILENT: Final = "ended without a farewell"
NO_ROOM: Final = "the console had no room for what was counted"
NOBODY: Final = "had no sidecar that reported"
DEAF: Final = "the console heard nothing"

_MS: Final = 1_000_000
_PATIENCE: Final = 3  # intervals, until a report is missed
_LEAST_NS: Final = 60_000 * _MS
_GIVEN_UP_NS: Final = 86_400_000 * _MS
WITHOUT_NS: Final = 300_000 * _MS  # so long a service may be without a sidecar, as at a restart
_MOST_SIDECARS: Final = 5_000
_MOST_RATES: Final = 60
_MOST_GAPS: Final = 2_000
_MOST_SERVICES: Final = 2_000
_KEPT_NS: Final = 60 * 86_400_000 * _MS


def services_by_name(connection: sqlite3.Connection) -> dict[str, str]:
    """The services of sidecars, by their names in Via."""
    found = connection.execute("SELECT via, service FROM sidecars WHERE via <> '' LIMIT ?", (_MOST_SIDECARS,))
    return dict(found.fetchall())


def keep(connection: sqlite3.Connection, sender: Sender, column: str, said: Any, now_ns: int) -> None:
    """What a sidecar said last of its plan, its settings or its health."""
    text = json.dumps(said, separators=(",", ":"))
    _know(connection, sender, now_ns)
    if column == "health":
        before = connection.execute(
            "SELECT rates, health, health_at FROM sidecars WHERE instance = ?", (sender.instance,)
        ).fetchone()
        connection.execute(
            "UPDATE sidecars SET earlier = health, earlier_at = health_at, health = ?, health_at = ?, rates = ? "
            "WHERE instance = ?",
            (text, now_ns, _rates(before, said, now_ns), sender.instance),
        )
        return
    connection.execute(f"UPDATE sidecars SET {column} = ? WHERE instance = ?", (text, sender.instance))
    if column == "plan":
        via = str(said.get("via") or "")[:100]
        connection.execute("UPDATE sidecars SET via = ? WHERE instance = ?", (via, sender.instance))


def _rates(before: tuple[str | None, str | None, int] | None, said: Any, now_ns: int) -> str:
    """Requests a second, between each two reports: the last `_MOST_RATES`, as JSON."""
    rates, health, at = before or (None, None, 0)
    found: list[float] = json.loads(rates) if rates else []
    was = json.loads(health) if health else None
    if was is not None and was.get("started") == said.get("started") and now_ns > at:
        found.append(round(max(0, _requests(said) - _requests(was)) / ((now_ns - at) / 1e9), 1))
    return json.dumps(found[-_MOST_RATES:])


def _requests(health: dict[str, Any]) -> float:
    """All requests since the start."""
    return sum(sum(one.get("counts", ())) for one in health.get("exchanges", ()))


def _know(connection: sqlite3.Connection, sender: Sender, now_ns: int) -> None:
    connection.execute(
        "INSERT INTO sidecars (instance, service, name, host, version, newer, seen) VALUES (?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (instance) DO UPDATE SET service = excluded.service, name = excluded.name, "
        "version = excluded.version, newer = excluded.newer",
        (sender.instance, sender.service, sender.name, sender.host, sender.version, int(sender.is_newer), now_ns),
    )


def heard(connection: sqlite3.Connection, report: Report, now_ns: int) -> bool:
    """A sidecar reports its counters. False: a report that is older than one that was heard before."""
    said, sender = report.said, report.sender
    number = _whole(said, "seq")
    _know(connection, sender, now_ns)
    before, ended = connection.execute(
        "SELECT number, ended FROM sidecars WHERE instance = ?", (sender.instance,)
    ).fetchone()
    if number <= before:
        return False
    interval_ms = min(max(int(float(said.get("interval", 10)) * 1000), 1), 86_400_000)
    _listen(connection, now_ns, interval_ms)
    place = str(said.get("place", ""))[:500]
    since = min(_whole(said, "since") * _MS, now_ns)
    if not before:
        _arrive(connection, sender, place, since, now_ns)
    else:
        _note_service(connection, sender.service, now_ns)  # a reload may have renamed it
        if ended == SUCCEEDED:  # two served in one place for a while
            connection.execute("DELETE FROM gaps WHERE instance = ? AND why = ?", (sender.instance, SILENT))
    connection.execute(
        "UPDATE sidecars SET number = ?, interval_ms = ?, ended = ?, place = ?, since = ?, seen = ?, exchanges = ? "
        "WHERE instance = ?",
        (
            number,
            interval_ms,
            FAREWELL if said.get("final") is True else RUNNING,
            place,
            since,
            now_ns,
            _text_of(said.get("exchanges")),
            sender.instance,
        ),
    )
    return True


def patience_ns(interval_ms: int) -> int:
    """How long a sidecar may be silent until a report is missed."""
    return max(_LEAST_NS, _PATIENCE * interval_ms * _MS)


def given_up_ns(interval_ms: int) -> int:
    """How long a sidecar may be silent until it counts as gone, such as with its node."""
    return max(_GIVEN_UP_NS, patience_ns(interval_ms))


def _listen(connection: sqlite3.Connection, now_ns: int, interval_ms: int) -> None:
    """Notice when nothing at all was heard, such as while the console was down."""
    clock = connection.execute("SELECT heard FROM report_clock").fetchone()
    if clock is None:
        connection.execute("INSERT INTO report_clock VALUES (1, ?, ?)", (now_ns, now_ns))
        return
    (heard,) = clock
    (longest,) = connection.execute("SELECT max(interval_ms) FROM sidecars WHERE ended = ?", (RUNNING,)).fetchone()
    if now_ns - heard > patience_ns(max(longest or 0, interval_ms)):
        note_gap(connection, EVERYWHERE, "", heard, now_ns, DEAF)
    connection.execute("UPDATE report_clock SET heard = max(heard, ?)", (now_ns,))


def _arrive(connection: sqlite3.Connection, sender: Sender, place: str, since: int, now_ns: int) -> None:
    """The first counters of a process."""
    others = connection.execute(
        "SELECT instance, place, seen, ended, interval_ms FROM sidecars "
        "WHERE service = ? AND instance <> ? AND number > 0 "
        "ORDER BY seen DESC LIMIT 1000",
        (sender.service, sender.instance),
    ).fetchall()
    for instance, where, seen, ended, _ in others:
        if place and where == place and ended == RUNNING:
            note_gap(connection, sender.service, instance, seen, now_ns, SILENT)
            connection.execute("UPDATE sidecars SET ended = ? WHERE instance = ?", (SUCCEEDED, instance))
    is_alone = all(ended or now_ns - seen > given_up_ns(interval_ms) for _, _, seen, ended, interval_ms in others)
    if others and is_alone and since - others[0][2] > WITHOUT_NS:
        note_gap(connection, sender.service, "", others[0][2], since, NOBODY)
    _note_service(connection, sender.service, since)
    _forget(connection, now_ns)


def _note_service(connection: sqlite3.Connection, service: str, since: int) -> None:
    """It reports, since then or longer."""
    (there,) = connection.execute("SELECT count(*) FROM reporting").fetchone()
    if there < _MOST_SERVICES:
        connection.execute("INSERT OR IGNORE INTO reporting VALUES (?, ?)", (service, since))


def note_gap(connection: sqlite3.Connection, service: str, instance: str, started: int, ended: int, why: str) -> None:
    """Of this time nobody may say that nothing happened."""
    connection.execute(
        "INSERT INTO gaps (service, instance, started, ended, why) VALUES (?, ?, ?, ?, ?)",
        (service, instance, started, ended, why),
    )
    connection.execute(
        "DELETE FROM gaps WHERE id <= (SELECT max(id) FROM gaps) - ? OR ended < ?", (_MOST_GAPS, ended - _KEPT_NS)
    )


def _forget(connection: sqlite3.Connection, now_ns: int) -> None:
    """Those last heard long ago; and of too many the oldest. There is a gap if they never said farewell."""
    old = connection.execute("SELECT instance FROM sidecars WHERE seen < ? LIMIT 1000", (now_ns - _KEPT_NS,)).fetchall()
    (there,) = connection.execute("SELECT count(*) FROM sidecars").fetchone()
    if there > _MOST_SIDECARS:
        old += connection.execute(
            "SELECT instance FROM sidecars ORDER BY ended = ?, seen LIMIT ?", (RUNNING, there - _MOST_SIDECARS)
        ).fetchall()
    for (instance,) in old:
        service, seen, ended, interval_ms = connection.execute(
            "SELECT service, seen, ended, interval_ms FROM sidecars WHERE instance = ?", (instance,)
        ).fetchone()
        if ended == RUNNING:
            note_gap(connection, service, instance, seen, min(now_ns, seen + given_up_ns(interval_ms)), SILENT)
        connection.execute("DELETE FROM sidecars WHERE instance = ?", (instance,))
        connection.execute("DELETE FROM count_totals WHERE instance = ?", (instance,))


def _whole(said: dict[str, Any], key: str) -> int:
    value = said[key]
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 53:
        raise ValueError(key)
    return value


def _text_of(value: object) -> str:
    return json.dumps(value if isinstance(value, dict) else {})[:4096]
