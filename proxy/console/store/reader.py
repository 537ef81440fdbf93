"""Reads the store, each question within a time limit.

Any thread may ask. A store in memory has one connection for all, a file has one for each thread.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

from proxy.console.store.open import Place, open_reader

LIMIT_S: Final = 5.0  # of one question
_STEPS: Final = 20_000  # of SQLite's machine between two looks at the clock

Row = tuple[Any, ...]


class QueryTimeoutError(Exception):
    """The question took too long, and was ended."""


class Reader:
    """See the module. `all` and `one` raise QueryTimeoutError."""

    def __init__(
        self, place: Place, shared: sqlite3.Connection, lock: threading.RLock, *, limit_s: float = LIMIT_S
    ) -> None:
        """`shared`: the writer's connection, used for a store in memory, under `lock`."""
        self._place = place
        self._shared = shared
        self._lock = lock
        self._own = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._limit_s = limit_s
        self.timeouts = 0

    def all(self, sql: str, values: Sequence[Any] = (), *, limit_s: float | None = None) -> list[Row]:
        """Every row of the answer; the question itself has to say LIMIT."""
        limit = self._limit_s if limit_s is None else limit_s
        if self._place.path is None:
            with self._lock:
                return self._ask(self._shared, sql, values, limit)
        return self._ask(self._connection(), sql, values, limit)

    def one(self, sql: str, values: Sequence[Any] = ()) -> Row | None:
        """The first row, or None."""
        rows = self.all(sql, values)
        return rows[0] if rows else None

    def _ask(self, connection: sqlite3.Connection, sql: str, values: Sequence[Any], limit_s: float) -> list[Row]:
        until = time.monotonic() + limit_s
        connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
        try:
            return connection.execute(sql, values).fetchall()
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorname", "") == "SQLITE_INTERRUPT":
                self.timeouts += 1
                raise QueryTimeoutError from None
            raise
        finally:
            connection.set_progress_handler(None, _STEPS)

    def _connection(self) -> sqlite3.Connection:
        """This thread's own."""
        connection: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = open_reader(self._place)
            self._opened.append(connection)
        return connection

    def close(self) -> None:
        """Close what was opened here. No question may be under way."""
        for connection in self._opened:
            connection.close()
        self._opened.clear()
