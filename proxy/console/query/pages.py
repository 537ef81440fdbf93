"""Lists in pages, newest first: a search that has a time budget, and goes on where it stopped.

A search walks through the table by time, a stretch at a time.
After its budget it answers with what it has, and says how far it came.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from proxy.console.filter.sql import Columns, Value, condition
from proxy.console.filter.terms import Filter
from proxy.console.store.reader import Reader

MOST: Final = 500
USUAL: Final = 100
BUDGET_S: Final = 0.25
_STRETCH: Final = 10_000  # rows of a table that are looked at in one go
_FEW: Final = 50  # sessions; more are found sooner by walking

Position = tuple[int, int]  # time and id: of the last row of the page before
_LARGEST: Final = 1 << 62
_NEWEST: Final[Position] = (_LARGEST, _LARGEST)


class BadCursorError(ValueError):
    """`before` is not what an answer gave as `next`."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table that can be walked through by time."""

    name: str
    key: str
    time: str
    columns: Columns
    only: str = "1"  # a condition that each row has to meet
    sessions: str = ""  # its index by session; empty: it has none


@dataclass(frozen=True, slots=True)
class Found:
    """Keys of a page and what was asked of each row, newest first."""

    rows: Sequence[tuple[Any, ...]]
    next: str | None
    searched_to: int | None  # ns; None: the search came to its end, or found enough


def read_cursor(text: str | None) -> Position:
    """Raises BadCursorError."""
    if not text:
        return _NEWEST
    at, dash, key = text.partition("-")
    is_known = dash and text.isascii() and at.isdecimal() and key.isdecimal() and len(text) <= 40
    if not is_known or max(int(at), int(key)) > _LARGEST:
        raise BadCursorError(f"“{text[:40]}” is not the `next` of an answer")
    return int(at), int(key)


def find(
    reader: Reader,
    table: Table,
    wanted: Filter,
    *,
    before: Position,
    most: int,
    select: str,
    budget_s: float = BUDGET_S,
    clock: Callable[[], float] = time.monotonic,
) -> Found:
    """At most `most` rows before a position; `select` names their columns, after time and key."""
    until = clock() + budget_s
    test, values = condition(wanted, table.columns)
    names = _sessions(reader, table, wanted)
    where = table.name
    if names == []:
        return Found([], None, None)
    if names is not None:  # an index has all of their rows: there is nothing to walk through
        where = f"{table.name} INDEXED BY {table.sessions}"
        test, values = f"session IN ({', '.join('?' * len(names))}) AND {test}", [*names, *values]
    found: list[tuple[Any, ...]] = []
    position = before
    while True:
        floor = _floor(reader, table, position) if wanted.terms and names is None else None
        found += _stretch(reader, table, where, select, test, values, position, floor, most - len(found))
        if len(found) >= most:
            at, key = found[-1][:2]
            return Found(found, f"{at}-{key}", None)
        if floor is None:
            return Found(found, None, None)
        position = floor
        if clock() > until:
            return Found(found, f"{floor[0]}-{floor[1]}", floor[0])


def _sessions(reader: Reader, table: Table, wanted: Filter) -> list[str] | None:
    """The few sessions that the filter names a part of; None: it names none, or too many."""
    parts = next((term.values for term in wanted.terms if term.key == "session" and not term.is_negated), ())
    if not parts or not table.sessions:
        return None
    rows = reader.all(
        f"SELECT DISTINCT session FROM {table.name} INDEXED BY {table.sessions} WHERE session IS NOT NULL "
        f"AND ({' OR '.join('instr(lower(session), ?) > 0' for _ in parts)}) LIMIT ?",
        (*parts, _FEW + 1),
    )
    return [name for (name,) in rows] if len(rows) <= _FEW else None


def _floor(reader: Reader, table: Table, position: Position) -> Position | None:
    """Where the next stretch ends; None: at the end of the table."""
    row = reader.one(
        f"SELECT {table.time}, {table.key} FROM {table.name} WHERE ({table.time}, {table.key}) < (?, ?) "
        f"ORDER BY {table.time} DESC, {table.key} DESC LIMIT 1 OFFSET {_STRETCH}",
        position,
    )
    if row is None:
        return None
    at, key = row
    return at, key


def _stretch(
    reader: Reader,
    table: Table,
    where: str,
    select: str,
    test: str,
    values: Sequence[Value],
    position: Position,
    floor: Position | None,
    most: int,
) -> list[tuple[Any, ...]]:
    end = f"AND ({table.time}, {table.key}) >= (?, ?) " if floor is not None else ""
    return reader.all(
        f"SELECT {table.time}, {table.key}, {select} FROM {where} "
        f"WHERE ({table.time}, {table.key}) < (?, ?) {end}AND {table.only} AND {test} "
        f"ORDER BY {table.time} DESC, {table.key} DESC LIMIT ?",
        (*position, *(floor or ()), *values, most),
    )


def read_limit(text: str | None) -> int:
    """Raises ValueError."""
    if not text:
        return USUAL
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= MOST:
        raise ValueError(f"limit is “{text[:20]}”; it may be 1 to {MOST}")
    return int(text)
