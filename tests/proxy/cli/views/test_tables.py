"""Lines of a terminal: what stands in them, character by character."""

from __future__ import annotations

import pytest

from proxy.cli.views.tables import bar, cut, hop


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


def test_formats_of_a_hop() -> None:
    assert hop(["b3"], ["tracecontext"]) == "b3 → w3c"
    assert hop([], ["b3multi", "jaeger"]) == "– → b3m+jgr"
