"""Who speaks which formats to whom: counters for the question whether one may be switched off. PURE.

Cumulative since the start of the process, so that the next report holds what a lost one held.
Bounded in number: beyond the limit, peers are counted as one, `others`. No request is left out.
"""

from __future__ import annotations

from typing import Final, final

MAX_ROWS: Final = 2000
LONGEST_TEXT: Final = 100  # characters of a peer, a host or a list of tokens, which begins with those that are valid
OTHERS: Final = "others"

Key = tuple[str, str, str, str, str, str, str]
"""Leg, kind of peer, peer, upstream, host, tokens read, formats written."""


class Row:
    """How often, and when for the first and the last time, in seconds since the epoch."""

    __slots__ = ("count", "first", "last")

    def __init__(self, now: float) -> None:
        self.count = 0
        self.first = now
        self.last = now


@final
class FormatCounts:
    """See the module."""

    __slots__ = ("_limit", "rows")

    def __init__(self, limit: int = MAX_ROWS) -> None:
        self._limit = limit
        self.rows: dict[Key, Row] = {}

    def add(self, key: Key, now: float) -> None:
        """Count one request."""
        row = self.rows.get(key)
        if row is None:
            row = self._new(key, now)
        row.count += 1
        row.last = now

    def _new(self, key: Key, now: float) -> Row:
        leg, kind, peer, upstream, host, read, written = key
        if len(self.rows) >= self._limit or max(map(len, key)) > LONGEST_TEXT:
            # The rows of `others` are as few as there are legs, upstreams and sets of formats.
            kind, peer, host = OTHERS, "", ""
            read, written = read[:LONGEST_TEXT], written[:LONGEST_TEXT]
        bounded = leg, kind, peer, upstream, host, read, written
        row = self.rows.get(bounded)
        if row is None:
            row = self.rows[bounded] = Row(now)
        return row

    def listed(self) -> list[list[object]]:
        """As a report has it: times in milliseconds."""
        return [
            [*key, row.count, int(row.first * 1000), int(row.last * 1000)]
            for key, row in self.rows.items()
            if row.count
        ]
