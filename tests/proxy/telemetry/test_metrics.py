"""Counters."""

from __future__ import annotations

from proxy.telemetry.metrics import Metrics, count


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
