"""Reads a filter such as `format:b3 status:5xx host:orders dur:>200ms -is:probe refund`. PURE.

Terms are joined by "and", a comma inside a value is "or", a leading `-` is "not", a bare word looks everywhere.
A mistake is told, and its term is left out: the rest still filters.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

KEYS: Final = (
    "format", "in", "out", "host", "from", "to", "service", "status", "dur", "method", "path", "session", "trace", "is",
)  # fmt: skip
MOST_CHARACTERS: Final = 1000
MOST_TERMS: Final = 20

_TERM: Final = re.compile(r'(?:[^\s"]|"[^"]*")+')
_KEY: Final = re.compile(r"[a-z]+\Z")
_DURATION: Final = re.compile(r"([<>]=?)?([0-9]+(?:\.[0-9]+)?)(us|ms|s|m)?\Z")
_STATUS: Final = re.compile(r"(?:[0-9x]{3}|error|ok|cut)\Z")
_UNITS: Final = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}
_SYNONYMS: Final = {"w3c": "tracecontext", "multi": "b3multi"}


class Term(NamedTuple):
    """One condition. `key` is empty for a bare word, which `values` then holds alone."""

    key: str
    values: tuple[str, ...]
    is_negated: bool = False


class Filter(NamedTuple):
    """What was read. `error` names the first mistake, in words."""

    terms: tuple[Term, ...] = ()
    error: str | None = None


class Duration(NamedTuple):
    """A bound of a duration."""

    relation: str
    ms: float


def read_filter(text: str) -> Filter:
    """The terms of `text`, in lower case."""
    if len(text) > MOST_CHARACTERS:
        return Filter(error=f"The filter has {len(text):,} characters. It may have {MOST_CHARACTERS:,}.")
    terms: list[Term] = []
    errors: list[str] = []
    for raw in _TERM.findall(text.strip().lower()):
        is_negated = raw.startswith("-") and len(raw) > 1
        body = (raw[1:] if is_negated else raw).replace('"', "")
        key, colon, rest = body.partition(":")
        if not colon or not _KEY.match(key):
            terms += [Term("", (body,), is_negated)] if body else []
            continue
        if key not in KEYS:
            errors.append(f"There is no key “{key}”. Known: {', '.join(KEYS)}.")
            continue
        values = tuple(value for value in rest.split(",") if value)
        if not values:
            continue
        wrong = next((said for value in values if (said := _wrong(key, value))), "")
        if wrong:
            errors.append(wrong)
            continue
        if key in ("format", "in", "out"):
            values = tuple(_SYNONYMS.get(value, value) for value in values)
        terms.append(Term(key, values, is_negated))
    if len(terms) > MOST_TERMS:
        errors.append(f"The filter has {len(terms)} terms. The first {MOST_TERMS} count.")
    return Filter(tuple(terms[:MOST_TERMS]), errors[0] if errors else None)


def _wrong(key: str, value: str) -> str:
    """What is wrong with a value; empty: nothing."""
    if key == "dur" and read_duration(value) is None:
        return f"“{value}” is not a duration. Try dur:>200ms."
    if key == "status" and not _STATUS.match(value):
        return f"“{value}” is not a status. Try status:5xx or status:error."
    return ""


def read_duration(text: str) -> Duration | None:
    """`>200ms`, `<=1s`, `5ms` (which means at least); None if it is not a duration."""
    match = _DURATION.match(text)
    if match is None:
        return None
    return Duration(match[1] or ">=", float(match[2]) * _UNITS[match[3] or "ms"])


def status_pattern(text: str) -> str:
    """`5xx`, `404`: a pattern of SQL's LIKE, where `_` is any character."""
    return text.replace("x", "_")
