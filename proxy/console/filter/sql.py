"""A filter as a condition of SQL, for the tables `requests` and `traces`. PURE.

Lists are kept as text with a blank around each item, so that ` b3 ` finds one. All values are parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from proxy.console.filter.terms import Filter, Term, read_duration, status_pattern

Value = str | int | float | bytes
Condition = tuple[str, list[Value]]

_NEVER: Final = "0"
_ALWAYS: Final = "1"


@dataclass(frozen=True, slots=True)
class Columns:
    """Where the keys of the language are in one table."""

    texts: Mapping[str, tuple[str, ...]]  # a key: expressions of text in which a value is looked for
    lists: Mapping[str, tuple[str, ...]]  # format, in, out: columns with lists
    duration_ms: str
    status: str  # empty: there is none
    is_error: str
    is_traced: str
    is_changed: str
    notes: str = "notes"
    words: str = "words"
    flags: Mapping[str, str] = field(default_factory=dict)  # a word of `is:` with a column of its own
    in_lower_case: frozenset[str] = frozenset()  # texts that are kept so: a million rows take a third less


REQUESTS: Final = Columns(
    texts={
        "host": ("source", "target_service"),
        "service": ("source", "target_service"),
        "from": ("source",),
        "to": ("target_service",),
        "method": ("method",),
        "path": ("target",),
        "session": ("session",),
        "trace": ("hex(trace)",),
    },
    lists={"format": ("formats_in", "formats_out"), "in": ("formats_in",), "out": ("formats_out",)},
    duration_ms="ms",
    status="status",
    is_error="(status IS NULL OR status >= 500)",
    is_traced="(trace IS NOT NULL)",
    is_changed="(formats_in <> formats_out)",
    flags={"probe": "(probe <> 0)"},
)
TRACES: Final = Columns(
    texts={
        "host": ("names", "caller"),
        "service": ("names", "caller"),
        "from": ("caller",),
        "to": (),
        "method": (),
        "path": (),
        "session": ("session",),
        "trace": ("hex(trace)",),
    },
    lists={"format": ("formats",), "in": ("formats",), "out": ("formats",)},
    duration_ms="(ended - started) / 1e6",
    status="",
    is_error="(errors > 0)",
    is_traced=_ALWAYS,
    is_changed=_NEVER,
    in_lower_case=frozenset(("names",)),
)


def condition(wanted: Filter, columns: Columns) -> Condition:
    """An expression that is true where every term fits, and its parameters."""
    if not wanted.terms:
        return _ALWAYS, []
    parts: list[str] = []
    values: list[Value] = []
    for term in wanted.terms:
        text, more = _term(term, columns)
        parts.append(f"NOT {text}" if term.is_negated else text)
        values += more
    return " AND ".join(parts), values


def _term(term: Term, columns: Columns) -> Condition:
    if not term.key:
        return f"(instr({columns.words}, ?) > 0)", [*term.values]
    parts: list[str] = []
    values: list[Value] = []
    for value in term.values:
        text, more = _value(term.key, value, columns)
        parts.append(text)
        values += more
    return f"({' OR '.join(parts)})", values


def _value(key: str, value: str, columns: Columns) -> Condition:
    if key == "dur":
        bound = read_duration(value)
        return (f"{columns.duration_ms} {bound.relation} ?", [bound.ms]) if bound is not None else (_NEVER, [])
    if key == "status":
        return _status(value, columns)
    if key == "is":
        return _is(value, columns)
    if key in columns.lists:
        return _list(value, columns.lists[key])
    texts = columns.texts[key]
    if not texts:
        return _NEVER, []
    read = [text if text in columns.in_lower_case else f"lower({text})" for text in texts]
    return "(" + " OR ".join(f"ifnull(instr({text}, ?), 0) > 0" for text in read) + ")", [value] * len(texts)


def _list(value: str, columns: tuple[str, ...]) -> Condition:
    if value == "none":
        return "(" + " AND ".join(f"{column} = ''" for column in columns) + ")", []
    return "(" + " OR ".join(f"instr({column}, ?) > 0" for column in columns) + ")", [f" {value} "] * len(columns)


def _status(value: str, columns: Columns) -> Condition:
    if value in ("error", "ok"):
        return (columns.is_error if value == "error" else f"NOT {columns.is_error}"), []
    if not columns.status:
        return _NEVER, []
    if value == "cut":
        return f"{columns.status} IS NULL", []
    return f"ifnull({columns.status}, '') LIKE ?", [status_pattern(value)]


def _is(value: str, columns: Columns) -> Condition:
    fixed = {
        "error": columns.is_error,
        "traced": columns.is_traced,
        "untraced": f"NOT {columns.is_traced}",
        "changed": columns.is_changed,
        **columns.flags,
    }
    return (fixed[value], []) if value in fixed else (f"instr({columns.notes}, ?) > 0", [f" {value} "])
