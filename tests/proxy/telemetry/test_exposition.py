"""How a metric is written in the Prometheus text format."""

from __future__ import annotations

from proxy.telemetry.exposition import Family, Sample, family_text


def test_help_type_and_samples() -> None:
    family = Family("a_total", "counter", "A \\ text\nin two lines.", [Sample((("x", 'q"\\\n'),), 1), Sample((), 0.5)])
    assert family_text(family) == (
        '# HELP a_total A \\\\ text\\nin two lines.\n# TYPE a_total counter\na_total{x="q\\"\\\\\\n"} 1\na_total 0.5\n'
    )


def test_the_parts_of_a_histogram_and_odd_numbers() -> None:
    samples = [
        Sample((("le", "+Inf"),), 2, "_bucket"),
        Sample((), float("inf"), "_sum"),
        Sample((), 10**20, "_count"),
        Sample((), float("-inf")),
    ]
    lines = family_text(Family("a_seconds", "histogram", "x", samples)).splitlines()
    assert lines[2:] == [
        'a_seconds_bucket{le="+Inf"} 2',
        "a_seconds_sum +Inf",
        "a_seconds_count 100000000000000000000",
        "a_seconds -Inf",
    ]
