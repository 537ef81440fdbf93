"""Opens the store: a file or memory, its version, and what SQLite is told about it.

An older file is migrated, a newer one is refused, and so is a file that is not ours.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from proxy.console.store.schema import APPLICATION_ID, MIGRATIONS, TABLES, VERSION

_PAGE_BYTES: Final = 8192
_BUSY_S: Final = 5.0
_CACHE_KIB: Final = 32 * 1024  # of one connection; a file has three
_WAL_PAGES: Final = 4096  # 32 MiB, then the WAL moves into the file


class StoreError(Exception):
    """The store cannot be opened. The message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the store is. No path: in memory."""

    path: Path | None
    limit_bytes: int

    def __str__(self) -> str:
        return str(self.path) if self.path is not None else "memory"


def open_store(place: Place) -> sqlite3.Connection:
    """The writer's connection to a store of the present version. Raises StoreError."""
    try:
        connection = sqlite3.connect(
            str(place.path) if place.path is not None else ":memory:",
            timeout=_BUSY_S,
            isolation_level=None,  # transactions are begun by us
            check_same_thread=False,
        )
        try:
            _prepare(connection, place)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise StoreError(f"the store {place} cannot be opened: {error}") from None
    return connection


def open_reader(place: Place) -> sqlite3.Connection:
    """A further connection to a file, which cannot write."""
    connection = sqlite3.connect(str(place.path), timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute("PRAGMA query_only = ON")
    return connection


def _prepare(connection: sqlite3.Connection, place: Place) -> None:
    """Settings, version, tables."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != APPLICATION_ID:
        raise StoreError(f"{place} is a database of another program; give --store a path of its own")
    if version > VERSION:
        raise StoreError(
            f"{place} was written by a newer ops-sidecar (store version {version}, this one reads up to {VERSION}); "
            "use that version, or give --store another path"
        )
    if not tables:
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
    if place.path is not None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # a power cut may lose the last moments, never the file
        connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_PAGES * _PAGE_BYTES}")
    else:
        connection.execute("PRAGMA journal_mode = MEMORY")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute("PRAGMA temp_store = MEMORY")
    if not tables:
        _run(connection, TABLES, VERSION)
        return
    for step in range(version + 1, VERSION + 1):
        _run(connection, MIGRATIONS[step], step)


def _run(connection: sqlite3.Connection, statements: str, version: int) -> None:
    """All of it or nothing."""
    connection.executescript(
        f"BEGIN IMMEDIATE;\n{statements}\nPRAGMA user_version = {version};\n"
        f"PRAGMA application_id = {APPLICATION_ID};\nCOMMIT;"
    )


def used_bytes(connection: sqlite3.Connection) -> int:
    """The bytes of all pages that hold something."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    return int((pages - free) * size)
