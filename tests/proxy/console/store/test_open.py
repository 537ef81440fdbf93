"""The store's file: ours of the present version, an older one, a newer one, and what is not ours."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from proxy.console.store import schema
from proxy.console.store.open import Place, StoreError, open_reader, open_store

LIMIT = 1 << 30


def test_a_file_is_opened_again(tmp_path: Path) -> None:
    place = Place(tmp_path / "a.db", LIMIT)
    open_store(place).close()
    again = open_store(place)
    assert again.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert again.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
    again.close()


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    place = Place(tmp_path / "a.db", LIMIT)
    connection = open_store(place)
    connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    connection.close()
    with pytest.raises(StoreError, match="newer ops-sidecar") as caught:
        open_store(place)
    assert caught.value.__traceback__ is not None  # which keeps what it met
    assert not [file for file in Path("/proc/self/fd").iterdir() if file.resolve() == place.path]


def test_an_older_file_is_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(tmp_path / "a.db", LIMIT)
    open_store(place).close()
    monkeypatch.setattr("proxy.console.store.open.VERSION", schema.VERSION + 1)
    monkeypatch.setattr(
        "proxy.console.store.open.MIGRATIONS", {schema.VERSION + 1: "ALTER TABLE traces ADD COLUMN more TEXT;"}
    )
    connection = open_store(place)
    assert connection.execute("PRAGMA user_version").fetchone() == (schema.VERSION + 1,)
    connection.execute("SELECT more FROM traces")
    connection.close()


def _columns(connection: sqlite3.Connection) -> dict[str, set[tuple[object, ...]]]:
    """Of each table: name, type, whether it may be null, and its default."""
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return {
        name: {row[1:5] for row in connection.execute(f"PRAGMA table_info({name})")}  # in whatever order
        for (name,) in tables
    }


def test_a_file_of_the_first_version_becomes_one_of_today(tmp_path: Path) -> None:
    """`version_1.sql` has its tables as they were."""
    place = Place(tmp_path / "a.db", LIMIT)
    older = sqlite3.connect(tmp_path / "a.db")
    older.executescript((Path(__file__).parent / "version_1.sql").read_text(encoding="utf-8"))
    older.executescript(f"PRAGMA user_version = 1; PRAGMA application_id = {schema.APPLICATION_ID};")
    older.execute("INSERT INTO sidecars (instance, service, name, host, version, newer, seen) VALUES "
                  "('a', 'shop', 'a', 'h', '1', 0, 1)")  # fmt: skip
    older.commit()
    older.close()
    connection, new = open_store(place), open_store(Place(None, LIMIT))
    assert _columns(connection) == _columns(new)
    assert connection.execute("SELECT service, shadow, rates FROM sidecars").fetchall() == [("shop", None, None)]
    connection.close()
    new.close()


def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(tmp_path / "a.db", LIMIT)
    open_store(place).close()
    monkeypatch.setattr("proxy.console.store.open.VERSION", schema.VERSION + 1)
    broken = "ALTER TABLE traces ADD COLUMN more TEXT; SELECT nothing FROM nowhere;"
    monkeypatch.setattr("proxy.console.store.open.MIGRATIONS", {schema.VERSION + 1: broken})
    with pytest.raises(StoreError):
        open_store(place)
    monkeypatch.undo()
    connection = open_store(place)
    with pytest.raises(sqlite3.OperationalError, match="no such column"):
        connection.execute("SELECT more FROM traces")
    connection.close()


def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    theirs = sqlite3.connect(path)
    theirs.execute("CREATE TABLE a (b)")
    theirs.commit()
    theirs.close()
    with pytest.raises(StoreError, match="another program"):
        open_store(Place(path, LIMIT))
    (tmp_path / "text").write_text("not a database, but long enough to have a header of its own" * 10)
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store(Place(tmp_path / "text", LIMIT))
    with pytest.raises(StoreError):
        open_store(Place(tmp_path / "no" / "folder.db", LIMIT))


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    place = Place(tmp_path / "a.db", LIMIT)
    open_store(place).close()
    reader = open_reader(place)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM traces")
    reader.close()
