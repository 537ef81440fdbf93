"""The list of traces: filter, pages, and how long they took."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any, Final

from proxy.console.filter.sql import TRACES
from proxy.console.filter.terms import read_filter
from proxy.console.query.pages import Found, Table, find, read_cursor
from proxy.console.query.words import plural
from proxy.console.store.reader import Reader

Answer = dict[str, Any]

TABLE: Final = Table("traces", "key", "started", TRACES, only="spans > 0")
COLUMNS: Final = (
    "trace, ended, spans, errors, root_service, root_name, title, caller, session, services, formats, notes"
)
_EDGES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000)
_MOST_IN_HISTOGRAM: Final = 5_000


def traces(reader: Reader, *, q: str = "", before: str | None = None, limit: int = 100) -> Answer:
    """A page of traces. The first page also has a histogram, and how many there are."""
    wanted = read_filter(q)
    position = read_cursor(before)
    found = find(reader, TABLE, wanted, before=position, most=limit, select=COLUMNS)
    items = [row_of(values) for values in found.rows]
    answer: Answer = {"items": items, "next": found.next, "error": wanted.error, "searched_to": _ms(found)}
    if before:
        return {**answer, "total": None, "histogram": [], "sentence": _sentence(items, None, q)}
    some = find(reader, TABLE, wanted, before=position, most=_MOST_IN_HISTOGRAM, select="ended, errors", budget_s=0.1)
    if not wanted.terms:
        counted = reader.one("SELECT count(*) FROM traces")
        total = counted[0] if counted else 0
    else:
        total = len(some.rows) if some.next is None else None
    return {
        **answer,
        "total": total,
        "histogram": _histogram(some),
        "sentence": _sentence(items, total, q),
    }


def row_of(values: tuple[Any, ...]) -> Answer:
    """A trace as lists have it, of its start, its key and `COLUMNS`."""
    (started, _, trace, ended, spans, errors, root_service, root_name, title, caller, session, services, formats,
     notes) = values  # fmt: skip
    return {
        "id": trace.hex(),
        "title": title,
        "root": {"service": root_service, "name": root_name},
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


def _ms(found: Found) -> float | None:
    return found.searched_to / 1e6 if found.searched_to is not None else None


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
    return f"{plural(total, 'trace')}{' fit the filter' if q.strip() else ''}."
