"""Keeps the store within its size and age: the oldest traces leave whole, the oldest requests with them."""

from __future__ import annotations

import sqlite3
from typing import Final

from proxy.console.store.open import used_bytes
from proxy.console.store.reports import trim_reports
from proxy.console.store.schema import SHIFT

_AIM: Final = 0.95  # of the limit, once it is passed
_STEP: Final = 200  # traces that leave in one transaction, so that no reader waits long


def trim_size(connection: sqlite3.Connection, limit_bytes: int) -> int:
    """One step, in a transaction of its own; returns how many traces and requests left. 0: there is nothing to do."""
    if used_bytes(connection) <= limit_bytes * _AIM:
        return 0
    bound = connection.execute("SELECT key, started FROM traces ORDER BY key LIMIT 1 OFFSET ?", (_STEP,)).fetchone()
    if bound is None:
        key, started = connection.execute("SELECT max(key), max(started) FROM traces").fetchone()
        return _trim_requests(connection) or (_remove_below(connection, key + 1, started) if key else 0)
    return _remove_below(connection, *bound)


def trim_age(connection: sqlite3.Connection, oldest_ns: int) -> int:
    """One step: traces that ended before `oldest_ns`, and requests."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = connection.execute(
            "SELECT key FROM traces WHERE started < ? AND ended < ? ORDER BY started LIMIT ?",
            (oldest_ns, oldest_ns, _STEP),
        ).fetchall()
        for (key,) in found:
            _remove_items(connection, key << SHIFT, key + 1 << SHIFT)
            connection.execute("DELETE FROM traces WHERE key = ?", (key,))
        gone = connection.execute(
            "DELETE FROM requests WHERE id IN (SELECT id FROM requests WHERE at < ? ORDER BY at LIMIT ?)",
            (oldest_ns, 10 * _STEP),
        ).rowcount
        if not found and not gone:
            trim_reports(connection, oldest_ns)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return len(found) + gone


def _remove_below(connection: sqlite3.Connection, key: int, before_ns: int) -> int:
    """Traces that came before the one with `key`, and requests before `before_ns`."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        _remove_items(connection, 0, key << SHIFT)
        gone = connection.execute("DELETE FROM traces WHERE key < ?", (key,)).rowcount
        gone += connection.execute("DELETE FROM requests WHERE at < ?", (before_ns,)).rowcount
        connection.execute("DELETE FROM resources WHERE last_key < ?", (key,))
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return gone


def _remove_items(connection: sqlite3.Connection, first: int, end: int) -> None:
    for table in ("spans", "logs"):
        connection.execute(f"DELETE FROM {table} WHERE id >= ? AND id < ?", (first, end))


def _trim_requests(connection: sqlite3.Connection) -> int:
    """The oldest twentieth, at least a step."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        (there,) = connection.execute("SELECT count(*) FROM requests").fetchone()
        gone = connection.execute(
            "DELETE FROM requests WHERE id IN (SELECT id FROM requests ORDER BY at LIMIT ?)",
            (max(_STEP, there // 20) if there > _STEP else there,),
        ).rowcount
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return gone
