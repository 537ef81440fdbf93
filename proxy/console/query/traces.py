"""The list of traces: filter, pages, and how long they took."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any, Final

from proxy.console.filter.sql import TRACES
from proxy.console.filter.terms import Filter, read_filter
from proxy.console.query.pages import MOST, Found, Table, find, read_cursor
from proxy.console.query.words import plural
from proxy.console.store.reader import Reader

Answer = dict[str, Any]

TABLE: Final = Table("traces", "key", "started", TRACES, only="spans > 0", sessions="traces_session")
COLUMNS: Final = (
    "trace, ended, spans, errors, root_service, root_name, title, caller, session, services, formats, notes"
)
_EDGES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000)
_MOST_IN_HISTOGRAM: Final = 5_000


def traces(reader: Reader, *, q: str = "", before: str | None = None, limit: int = 100) -> Answer:
    """A page of traces. The first page also has a histogram, and how many there are."""
    wanted = read_filter(q)
    position = read_cursor(before)
    if before:
        found = find(reader, TABLE, wanted, before=position, most=limit, select=COLUMNS)
        items = [row_of(values) for values in found.rows]
        return _answer(items, found, wanted, q)
    # One walk for the histogram, the total and the page: a search that finds little looks at everything.
    some = find(reader, TABLE, wanted, before=position, most=_MOST_IN_HISTOGRAM, select="ended, errors")
    items = _rows(reader, [row[1] for row in some.rows[:limit]])
    has_more = len(some.rows) > limit
    following = f"{some.rows[limit - 1][0]}-{some.rows[limit - 1][1]}" if has_more else some.next
    page = Found(some.rows[:limit], following, None if has_more else some.searched_to)
    total = len(some.rows) if some.next is None else None
    if not wanted.terms:
        ((total,),) = reader.all("SELECT count(*) FROM traces")  # with those of which only logs came yet
    return {**_answer(items, page, wanted, q, total), "histogram": _histogram(some)}


def _answer(items: list[Answer], found: Found, wanted: Filter, q: str, total: int | None = None) -> Answer:
    return {
        "items": items,
        "next": found.next,
        "error": wanted.error,
        "searched_to": found.searched_to / 1e6 if found.searched_to is not None else None,
        "total": total,
        "histogram": [],
        "sentence": _sentence(items, total, q),
    }


def _rows(reader: Reader, keys: list[int]) -> list[Answer]:
    marks = ", ".join("?" * len(keys))
    rows = reader.all(f"SELECT started, key, {COLUMNS} FROM traces WHERE key IN ({marks}) LIMIT {MOST}", keys)
    rows.sort(key=lambda row: (row[0], row[1]), reverse=True)
    return [row_of(row) for row in rows]


def row_of(values: tuple[Any, ...]) -> Answer:
    """A trace as lists have it, of its start, its key and `COLUMNS`."""
    (started, _, trace, ended, spans, errors, root_service, root_name, title, caller, session, services, formats,
     notes) = values  # fmt: skip
    return {
        "id": trace.hex(),
        "title": title,
        "root": {"service": root_service, "name": title or root_name},  # with its path, as the waterfall tells a hop
        "from": caller,
        "start": started / 1e6,
        "ms": (ended - started) / 1e6,
        "session": session,
        "errors": errors,
        "spans_count": spans,
        "services": [{"name": name, "spans": number} for name, number in json.loads(services)],
        "formats": formats.split(),
        "notes": notes.split(),
    }


def _histogram(found: Found) -> list[Answer]:
    bins = [{"lo": low, "hi": high, "count": 0, "errors": 0} for low, high in pairwise(_EDGES)]
    for started, _, ended, errors in found.rows:
        ms = (ended - started) / 1e6
        chosen = next((one for one in bins if ms < one["hi"]), bins[-1])
        chosen["count"] += 1
        chosen["errors"] += errors > 0
    return bins if found.rows else []


def _sentence(items: list[Answer], total: int | None, q: str) -> str:
    if not items:
        return "No trace fits the filter." if q.strip() else "No trace has come yet."
    if total is None:
        return "More traces than are counted."
    fits = f" {'fits' if total == 1 else 'fit'} the filter" if q.strip() else ""
    return f"{plural(total, 'trace')}{fits}."
