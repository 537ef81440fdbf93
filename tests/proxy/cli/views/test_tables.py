"""Lines of a terminal: what stands in them, character by character."""

from __future__ import annotations

import pytest

from proxy.cli.views.tables import bar, cut, hop, length


@pytest.mark.parametrize(
    ("start", "ms", "total", "shown"),
    [
        (0, 100, 100, "██████████"),
        (50, 20, 100, "     ██"),
        (50, 0, 100, "     █"),
        (0, 14, 100, "█"),
        (99.9, 50, 100, "         █"),
        (100, 50, 100, "         █"),
        (-5, 20, 100, "██"),
        (0, 0, 0, "██████████"),
    ],
)
def test_a_span_on_a_line_of_time(start: float, ms: float, total: float, shown: str) -> None:
    """Each can be seen, however short it is, and none goes beyond the line."""
    assert bar(start, ms, total, 10) == shown


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [("abc", 4, "abc"), ("abc", 3, "abc"), ("abc", 2, "a…"), ("abc", 1, "…"), ("abc", 0, "…"), ("", 0, "")],
)
def test_a_long_text_says_that_it_goes_on(text: str, width: int, shown: str) -> None:
    assert cut(text, width) == shown


@pytest.mark.parametrize(
    ("ms", "shown"),
    [
        (0.0, "0.0 ms"),
        (9.0, "9.0 ms"),
        (9.94, "9.9 ms"),
        (9.96, "10 ms"),
        (10.9, "11 ms"),
        (999.4, "999 ms"),
        (999.5, "1.0 s"),
        (1200.0, "1.2 s"),
    ],
)
def test_a_time_has_two_or_three_digits_and_its_unit(ms: float, shown: str) -> None:
    assert length(ms) == shown


def test_formats_of_a_hop() -> None:
    assert hop(["b3"], ["tracecontext"]) == "b3 → w3c"
    assert hop([], ["b3multi", "jaeger"]) == "– → b3m+jgr"
