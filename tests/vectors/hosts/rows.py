"""Host patterns as data, one row a line, run by the tests of the grammar, of the library and of the sidecar.

A row: a `pattern`; how it is `shown` (left out: as it stands); the authorities that it `matches` and that it `passes`
over, as a URL would have them; or a part of the message with which it is `refused`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

_LINES = (Path(__file__).parent / "patterns.jsonl").read_text(encoding="utf-8").splitlines()


class Authority(NamedTuple):
    """A host as a client names it, IPv6 in brackets, and a port (0: none)."""

    host: str
    port: int


class Match(NamedTuple):
    """One authority, and whether the pattern matches it."""

    pattern: str
    authority: Authority
    expected: bool


def _authority(text: str) -> Authority:
    host, colon, port = text.rpartition(":")
    return Authority(host, int(port)) if colon and port.isdecimal() else Authority(text, 0)


def matches() -> list[Match]:
    """Every pair of a pattern and an authority."""
    rows = [json.loads(line) for line in _LINES]
    return [
        Match(row["pattern"], _authority(text), key == "matches")
        for row in rows
        for key in ("matches", "passes")
        for text in row.get(key, ())
    ]


def shown() -> list[tuple[str, str]]:
    """Every good pattern, and the one way in which it is shown."""
    rows = [json.loads(line) for line in _LINES]
    return [(row["pattern"], row.get("shown", row["pattern"])) for row in rows if "refused" not in row]


def refused() -> list[tuple[str, str]]:
    """Every bad pattern, and a part of what is said about it."""
    rows = [json.loads(line) for line in _LINES]
    return [(row["pattern"], row["refused"]) for row in rows if "refused" in row]
