"""Requests as sidecars saw them: the list, and one with what happened to its headers."""

from __future__ import annotations

import json
import zlib
from typing import Any, Final

from proxy.console.filter.sql import REQUESTS
from proxy.console.filter.terms import read_filter
from proxy.console.query.detail import detail
from proxy.console.query.pages import Table, find, read_cursor
from proxy.console.query.words import plural
from proxy.console.store.reader import Reader
from proxy.console.store.requests import COLUMNS, read_row
from proxy.explain.names import formats
from proxy.explain.tokens import read_tokens

Answer = dict[str, Any]

TABLE: Final = Table("requests", "id", "at", REQUESTS, sessions="requests_session")
_MOST_HOPS: Final = 200
_NOTHING: Final[Answer] = {
    "groups": [],
    "passed": [],
    "added": [],
    "removed": [],
    "response": [],
    "record": None,
    "bare": None,
    "conflicts": [],
    "lost": [],
    "link": None,
    "timing": None,
}


def requests(reader: Reader, *, q: str = "", before: str | None = None, limit: int = 100) -> Answer:
    """A page of requests."""
    wanted = read_filter(q)
    found = find(reader, TABLE, wanted, before=read_cursor(before), most=limit, select=COLUMNS)
    items = [read_row(values[2:]) for values in found.rows]
    total = None
    if not wanted.terms and not before:
        ((total,),) = reader.all("SELECT count(*) FROM requests")
    return {
        "items": items,
        "next": found.next,
        "error": wanted.error,
        "total": total,
        "searched_to": found.searched_to / 1e6 if found.searched_to is not None else None,
        "sentence": _sentence(items, total, q),
    }


def request(reader: Reader, rid: str) -> Answer | None:
    """One request; None: it is not here."""
    found = reader.one(f"SELECT id, at, detail, {COLUMNS} FROM requests WHERE rid = ?", (rid,))
    if found is None:
        return None
    key, at, packed, *values = found
    row = read_row(tuple(values))
    kept = json.loads(zlib.decompress(packed)) if packed is not None else {}
    told = detail(row, kept["report"]) if "report" in kept else kept
    made = {**_NOTHING, **row, **told, "headers": packed is not None}
    made.setdefault("sentence", _about(reader, row))
    made["hops"] = _hops(reader, row)
    made["newer"] = _neighbour(reader, key, at, ">", "ASC")
    made["older"] = _neighbour(reader, key, at, "<", "DESC")
    return made


def _neighbour(reader: Reader, key: int, at: int, relation: str, order: str) -> str | None:
    rid: str | None
    (rid,) = reader.one(
        f"SELECT rid FROM requests WHERE (at, id) {relation} (?, ?) ORDER BY at {order}, id {order} LIMIT 1", (at, key)
    ) or (None,)
    return rid


def _hops(reader: Reader, row: Answer) -> list[Answer]:
    """All requests of its trace, in order of time."""
    if row["trace"] is None:
        return [row]
    rows = reader.all(
        f"SELECT {COLUMNS} FROM requests WHERE trace = ? ORDER BY at LIMIT ?",
        (bytes.fromhex(row["trace"]), _MOST_HOPS),
    )
    return [read_row(one) for one in rows]


def _about(reader: Reader, row: Answer) -> str:
    """What is known from the span alone."""
    why = "the sidecar reports only spans; set console.report.endpoint there to see them."
    if reader.one("SELECT 1 FROM reporting WHERE service = ?", (row["sidecar"],)) is not None:
        why = "the sidecar's report of it has not come. Of very many requests it reports a part."
    tokens = read_tokens(row["in"])
    came = formats(dict.fromkeys(token.format for token in tokens)) or "No trace header"
    went = formats(row["out"]) or "none"
    return f"{came} came, {went} went out. Headers are not known: {why}"


def _sentence(items: list[Answer], total: int | None, q: str) -> str:
    if not items:
        return "No request fits the filter." if q.strip() else "No request has come yet."
    return f"{plural(total, 'request')}." if total is not None else "The newest requests that fit."
