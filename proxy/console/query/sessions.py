"""What one session did over time: its traces, in order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from proxy.console.filter.terms import read_filter
from proxy.console.query.pages import read_cursor
from proxy.console.query.traces import COLUMNS, row_of
from proxy.console.query.words import duration, plural
from proxy.console.store.reader import Reader

Answer = dict[str, Any]

_MOST_MARKS: Final = 50
_MOST_TRACES: Final = 500
_MOST_LOOKED_AT: Final = 5_000  # traces, for one page of sessions


def sessions(reader: Reader, *, q: str = "", before: str | None = None, limit: int = 100) -> Answer:
    """A page of sessions, by their last trace. Of the filter, `session:` and bare words count."""
    wanted = read_filter(q)
    at, key = read_cursor(before)
    texts = [value for term in wanted.terms if term.key in ("", "session") for value in term.values[:1]]
    test = " AND ".join("instr(lower(session), ?) > 0" for _ in texts) or "1"
    rows = reader.all(
        "SELECT session, max(started), key FROM (SELECT session, started, key FROM traces "
        "WHERE session IS NOT NULL AND (started, key) < (?, ?) ORDER BY started DESC, key DESC LIMIT ?) "
        f"WHERE {test} GROUP BY session ORDER BY max(started) DESC LIMIT ?",
        (at, key, _MOST_LOOKED_AT, *texts, limit + 1),
    )
    # A session goes on the page of its newest trace alone.
    shown = [row for row in rows[:limit] if before is None or not _is_newer(reader, row[0], at)]
    items = [_session(reader, row[0]) for row in shown]
    following = f"{rows[limit - 1][1]}-{rows[limit - 1][2]}" if len(rows) > limit else None
    return {
        "items": items,
        "next": following,
        "error": wanted.error,
        "total": len(items) if before is None and following is None else None,
        "searched_to": None,
        "sentence": _sentence(items, following is not None, q),
    }


def session(reader: Reader, name: str) -> Answer | None:
    """One session with its newest traces; None: it has none."""
    rows = reader.all(
        f"SELECT started, key, {COLUMNS} FROM traces WHERE session = ? ORDER BY started DESC LIMIT ?",
        (name, _MOST_TRACES),
    )
    if not rows:
        return None
    made = _session(reader, name)
    made["traces"] = [row_of(row) for row in rows]
    errors = plural(made["errors"], "error") if made["errors"] else "no error"
    made["sentence"] = f"{plural(len(rows), 'trace')} over {duration(made['last'] - made['first'])}, {errors}."
    return made


def _is_newer(reader: Reader, name: str, at: int) -> bool:
    found = reader.one("SELECT 1 FROM traces WHERE session = ? AND started >= ? LIMIT 1", (name, at))
    return found is not None


def _session(reader: Reader, name: str) -> Answer:
    """Its services are those of its newest traces, which are marked as well."""
    rows = reader.all(
        "SELECT trace, started, ended, errors, services FROM traces WHERE session = ? ORDER BY started DESC LIMIT ?",
        (name, _MOST_MARKS),
    )
    ((number, first, last, errors),) = reader.all(
        "SELECT count(*), min(started), max(ended), sum(errors) FROM "
        "(SELECT started, ended, errors FROM traces WHERE session = ? ORDER BY started DESC LIMIT ?)",
        (name, _MOST_TRACES),
    )
    ((requests,),) = reader.all("SELECT count(*) FROM (SELECT 1 FROM requests WHERE session = ? LIMIT 10000)", (name,))
    return {
        "id": name,
        "first": first / 1e6,
        "last": last / 1e6,
        "traces": number,
        "requests": requests,
        "errors": errors,
        "services": _services(rows),
        "via": "session.id",
        "marks": [
            {"trace": row[0].hex(), "start": row[1] / 1e6, "ms": (row[2] - row[1]) / 1e6, "errors": row[3]}
            for row in rows
        ],
    }


def _services(rows: Sequence[tuple[Any, ...]]) -> list[str]:
    texts = dict.fromkeys(row[4] for row in rows)  # most of a session's traces say the same; reading is what costs
    return list(dict.fromkeys(name for text in texts for name, _ in json.loads(text)))


def _sentence(items: list[Answer], has_more: bool, q: str) -> str:
    if not items:
        return "No session fits the filter." if q.strip() else "No session has come yet."
    return f"{plural(len(items), 'session')}{' and more' if has_more else ''}."
