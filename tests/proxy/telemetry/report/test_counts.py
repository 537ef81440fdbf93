"""Who speaks which format is counted within bounds, and no request is left out."""

from __future__ import annotations

from proxy.telemetry.report.counts import OTHERS, FormatCounts, Key


def key(peer: str, read: str = "b3") -> Key:
    return "in", "address", peer, "app", "", read, "tracecontext"


def test_first_and_last_are_those_of_the_requests() -> None:
    counts = FormatCounts()
    for now in (5.0, 7.5):
        counts.add(key("10.0.0.1"), now)
    assert counts.listed() == [[*key("10.0.0.1"), 2, 5000, 7500]]


def test_peers_beyond_the_limit_count_as_others_with_their_formats() -> None:
    counts = FormatCounts(limit=2)
    for number in range(10):
        counts.add(key(f"10.0.0.{number}", "b3" if number % 2 else "jaeger"), 1.0)
    rows = {tuple(row[1:3] + row[5:6]): row[7] for row in counts.listed()}
    assert rows == {
        ("address", "10.0.0.0", "jaeger"): 1,
        ("address", "10.0.0.1", "b3"): 1,
        (OTHERS, "", "jaeger"): 4,
        (OTHERS, "", "b3"): 4,
    }


def test_a_name_that_is_too_long_is_one_of_the_others() -> None:
    counts = FormatCounts()
    counts.add(key("x" * 1000), 1.0)
    assert [row[1:3] for row in counts.listed()] == [[OTHERS, ""]]
