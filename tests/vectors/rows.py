"""The vectors: wire behaviour as data, one row a line, shared by the tests of the library and of the sidecar.

A row: `headers` in; what has to be read (`context`, `decision`, `winner`, `malformed`, `conflicts`, `session`,
`baggage`, ...; what is left out is not asked, but for `malformed`, which is then empty); what has to be written, in
`out`, by injected format; `losses` by injected format; `settings` of the propagator that are not the default. `source`
cites the specification that a row comes from; a row without is a rule of our own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from ops_lib.propagation import Extraction, parse_formats

MADE_UP_BITS = 0x1111_1111_1111_1111_1111_1111_1111_1111


def random_bits(count: int) -> int:
    """The randomness of the rows: ids that are made up consist of ones."""
    return MADE_UP_BITS >> (128 - count)


class Row(NamedTuple):
    """One row; `name` is its file and id."""

    name: str
    headers: list[tuple[str, str]]
    expect: dict[str, Any]
    settings: dict[str, Any]
    out: dict[str, list[tuple[str, str]]]
    losses: dict[str, list[str]] | None  # None: not asked; a format that is left out loses nothing


def load() -> list[Row]:
    """Every row of every file beside this one."""
    rows = []
    for path in sorted(Path(__file__).parent.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            settings = dict(row.get("settings", {}))
            for key in ("extract", "inject"):
                if key in settings:
                    settings[key] = parse_formats(settings[key])
            if "on_defer" in settings:
                settings["on_defer"] = {"accept": 1.0, "deny": 0.0}.get(settings["on_defer"], settings["on_defer"])
            rows.append(
                Row(
                    f"{path.stem}/{row['id']}",
                    [(name, value) for name, value in row["headers"]],
                    {key: row[key] for key in KEYS if key in row},
                    settings,
                    {to: [(name, value) for name, value in headers] for to, headers in row["out"].items()},
                    row.get("losses"),
                )
            )
    return rows


KEYS = {
    "context",
    "decision",
    "winner",
    "malformed",
    "conflicts",
    "span_conflicts",
    "session",
    "session_malformed",
    "baggage",
    "baggage_malformed",
}


def seen(extraction: Extraction) -> dict[str, Any]:
    """`extraction` in the words of a row."""
    context: dict[str, Any] | None = None
    if extraction.context is not None:
        context = extraction.context._asdict()
        context["sampling"] = context["sampling"].name.lower()
        context = {key: value for key, value in context.items() if value not in (None, "", False)}
    return {
        "context": context,
        "decision": extraction.decision.name.lower() if extraction.decision else None,
        "winner": extraction.winner,
        "malformed": [list(pair) for pair in extraction.malformed],
        "conflicts": [[loser, context.trace_id] for loser, context in extraction.conflicts],
        "span_conflicts": [[loser, context.span_id] for loser, context in extraction.span_conflicts],
        "session": extraction.session,
        "session_malformed": extraction.session_malformed,
        "baggage": [list(member) for member in extraction.baggage.members] if extraction.baggage else None,
        "baggage_malformed": extraction.baggage_malformed,
    }
