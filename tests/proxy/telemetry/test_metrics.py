"""Counters."""

from __future__ import annotations

from proxy.telemetry.metrics import DURATION_BUCKETS_S, Histogram, Metrics, count


def test_histogram() -> None:
    """A duration on a bound belongs to the bucket that the bound closes; what is above all bounds to the last."""
    histogram = Histogram()
    for duration_s in (0.0, 0.001, 0.0011, 60.0, 61.0):
        histogram.observe(duration_s)
    assert histogram.counts[0] == 2
    assert histogram.counts[1] == 1
    assert histogram.counts[len(DURATION_BUCKETS_S) - 1] == 1
    assert histogram.counts[-1] == 1
    assert histogram.count == 5
    assert histogram.sum_s == 0.0 + 0.001 + 0.0011 + 60.0 + 61.0


def test_entries_are_made_once() -> None:
    metrics = Metrics()
    assert metrics.exchange("inbound", "app") is metrics.exchange("inbound", "app")
    assert metrics.listener("inbound") is metrics.listeners["inbound"]
    assert metrics.upstream("app") is metrics.upstreams["app"]
    assert set(metrics.exchanges) == {("inbound", "app")}


def test_count() -> None:
    counts: dict[str, int] = {}
    count(counts, "a")
    count(counts, "a")
    assert counts == {"a": 2}
