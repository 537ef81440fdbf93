"""Durations of exchanges, by what OpenTelemetry's conventions for HTTP metrics tell apart. Hot.

May know methods. Must not know how metrics are shown: see `http_metrics`.
Clients choose methods, hosts and (through an app) statuses, so the number of series is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, final

from proxy.semantics.request import METHODS

# Upper bounds in seconds; the last bucket has none.
# They are those of the conventions, and of our own histogram: each observation counts for both.
# (A list, for speed: with a tuple, compiled code would make new floats for each look.)
BOUNDS_S: Final[list[float]] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0
]  # fmt: skip

MOST_SERIES: Final = 256  # of one listener and upstream; about 500 bytes each

Key = tuple[bytes, int, str, bytes, bytes, bytes, bool]
"""Method, status (0: none), fault (empty: none), HTTP version, route, host[:port], whether it is https."""
OTHERS: Final[Key] = (b"", 0, "", b"", b"", b"", False)
"""The key of the series that has what no other has room for."""


class Exemplar(NamedTuple):
    """One measurement, with the span that it is of. `Series` keeps plain tuples of the same values, for speed."""

    value_s: float
    trace_id: bytes  # in hex digits, as is the next
    span_id: bytes
    time_ns: int  # Unix time


@final
class Series:
    """`counts[i]` are the durations within `BOUNDS_S[i]` and above the bound before it; the last is the rest."""

    __slots__ = ("counts", "exemplars", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0
        self.exemplars: dict[int, tuple[float, bytes, bytes, int]] = {}  # the last of each bucket

    def observe(self, duration_s: float) -> int:
        """Count one duration. Returns the number of its bucket."""
        bucket = 0
        for bound in BOUNDS_S:  # most are short, so a search by halves takes longer
            if duration_s <= bound:
                break
            bucket += 1
        self.counts[bucket] += 1
        self.sum_s += duration_s
        return bucket

    @property
    def count(self) -> int:
        """The number of observations."""
        return sum(self.counts)

    def add(self, other: Series) -> None:
        """Add what `other` has counted; of two exemplars the newer stays."""
        self.counts = [ours + theirs for ours, theirs in zip(self.counts, other.counts, strict=True)]
        self.sum_s += other.sum_s
        for bucket, theirs in other.exemplars.items():
            ours = self.exemplars.get(bucket)
            if ours is None or ours[3] < theirs[3]:
                self.exemplars[bucket] = theirs


@final
class Durations:
    """Of one listener and upstream: the series by their keys."""

    __slots__ = ("_last", "_last_key", "series")

    def __init__(self) -> None:
        self.series: dict[Key, Series] = {}
        self._last_key: Key = OTHERS  # mostly asked for again: to compare is faster than to hash
        self._last: Series | None = None

    def of(self, key: Key) -> Series:
        """The series of `key`. All methods that are not registered count as one."""
        if self._last is not None and key == self._last_key:
            return self._last
        found = self.series.get(key)
        self._last_key = key
        if found is None:
            method, status, fault, version, route, host, is_tls = key
            if method not in METHODS:
                key = b"_OTHER", status, fault, version, route, host, is_tls
            if key not in self.series and len(self.series) >= MOST_SERIES:
                key = OTHERS
            found = self.series.setdefault(key, Series())
        self._last = found
        return found


def total(series: Iterable[Series]) -> Series:
    """All of them as one."""
    made = Series()
    for one in series:
        made.add(one)
    return made


def within(series: Series, bounds: Sequence[float]) -> list[tuple[float, int, Exemplar | None]]:
    """The same in fewer buckets. `bounds`: some of BOUNDS_S.

    Of each: its upper bound, its own count (not those of lower buckets), and the newest exemplar in it.
    """
    buckets = []
    start = 0
    for bound in (*bounds, float("inf")):
        end = BOUNDS_S.index(bound) + 1 if bound in BOUNDS_S else len(series.counts)
        exemplars = [Exemplar(*series.exemplars[each]) for each in range(start, end) if each in series.exemplars]
        newest = max(exemplars, key=lambda one: one.time_ns, default=None)
        buckets.append((bound, sum(series.counts[start:end]), newest))
        start = end
    return buckets
