"""Numbers and times in sentences."""

from __future__ import annotations

import pytest

from proxy.cli.views.tables import length
from proxy.console.query.words import duration, plural


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (0, "0.0 ms"),
        (0.64, "0.6 ms"),
        (9.94, "9.9 ms"),
        (9.95, "10 ms"),
        (9.9998, "10 ms"),
        (10.0002, "10 ms"),
        (999.4, "999 ms"),
        (999.5, "1.0 s"),
        (999.8, "1.0 s"),
        (1234, "1.2 s"),
        (59_940, "59.9 s"),
        (59_949.9, "59.9 s"),
    ],
)
def test_a_time_is_rounded_once(ms: float, said: str) -> None:
    assert duration(ms) == length(ms) == said


@pytest.mark.parametrize(
    ("ms", "said"), [(59_950, "1 min 0 s"), (59_960, "1 min 0 s"), (185_000, "3 min 5 s"), (119_700, "2 min 0 s")]
)
def test_minutes(ms: float, said: str) -> None:
    assert duration(ms) == said


def test_a_number_of_things() -> None:
    assert [plural(1, "span"), plural(0, "span"), plural(1234, "sidecar reports", "sidecars report")] == [
        "1 span",
        "0 spans",
        "1,234 sidecars report",
    ]
