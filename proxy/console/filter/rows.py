"""Whether one row, as the API gives it, fits a filter: for rows that have just come. PURE."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from proxy.console.filter.terms import Filter, Term, read_duration, status_pattern

Row = Mapping[str, Any]


def fits(row: Row, wanted: Filter) -> bool:
    """Whether every term fits."""
    return all(_fits(row, term) for term in wanted.terms)


def _fits(row: Row, term: Term) -> bool:
    if not term.key:
        return _has(_words(row), term.values[0]) != term.is_negated
    return any(_value_fits(row, term.key, value) for value in term.values) != term.is_negated


def _value_fits(row: Row, key: str, value: str) -> bool:
    if key == "dur":
        return _lasts(row, value)
    if key == "status":
        return _has_status(row, value)
    if key == "is":
        return _is(row, value)
    if key in ("format", "in", "out"):
        return value in (_formats(row, key) or ["none"])
    return _has(_texts(row, key), value)


def _formats(row: Row, key: str) -> Sequence[str]:
    both: Sequence[str] = row.get("formats") or ()
    if key == "format":
        return [*(row.get("in") or ()), *(row.get("out") or ()), *both]
    own: Sequence[str] | None = row.get(key)
    return both if own is None else own


def _texts(row: Row, key: str) -> Iterable[object]:
    """Where a value of `key` is looked for."""
    services = _services(row)
    is_trace = "root" in row
    return {
        "host": (row.get("from"), row.get("to"), *services),
        "service": (row.get("from"), row.get("to"), *services),
        "from": (row.get("from"),),
        "to": (row.get("to"),),
        "method": (row.get("method"),),
        "path": (row.get("target"),),
        "session": (row.get("session"), row.get("id") if "via" in row else None),
        "trace": (row.get("trace"), row.get("id") if is_trace else None),
    }[key]


def _services(row: Row) -> list[str]:
    return [one["name"] if isinstance(one, Mapping) else one for one in row.get("services") or ()]


def _words(row: Row) -> Iterable[object]:
    root = row.get("root") or {}
    keys = ("id", "method", "target", "from", "to", "trace", "session", "title", "fault")
    return (*(row.get(key) for key in keys), root.get("name"), *(row.get("notes") or ()), *_services(row))


def _has(texts: Iterable[object], value: str) -> bool:
    return any(text is not None and value in str(text).lower() for text in texts)


def _lasts(row: Row, value: str) -> bool:
    bound = read_duration(value)
    ms = row.get("ms") or 0
    if bound is None:
        return False
    tests = {"<": ms < bound.ms, "<=": ms <= bound.ms, ">": ms > bound.ms, ">=": ms >= bound.ms}
    return tests[bound.relation]


def _is_error(row: Row) -> bool:
    if "status" in row and (row["status"] is None or row["status"] >= 500):
        return True
    return bool(row.get("errors"))


def _has_status(row: Row, value: str) -> bool:
    if value in ("error", "ok"):
        return _is_error(row) == (value == "error")
    if "status" not in row:
        return False
    if value == "cut":
        return row["status"] is None
    text = "" if row["status"] is None else str(row["status"])
    return re.fullmatch(status_pattern(value).replace("_", "[0-9]"), text) is not None


def _is(row: Row, value: str) -> bool:
    if value == "error":
        return _is_error(row)
    has_trace = bool(row.get("trace")) or "root" in row
    if value in ("traced", "untraced"):
        return has_trace == (value == "traced")
    if value == "changed":
        return list(row.get("in") or ()) != list(row.get("out") or ())
    return value in (row.get("notes") or ()) or (value == "probe" and bool(row.get("probe")))
