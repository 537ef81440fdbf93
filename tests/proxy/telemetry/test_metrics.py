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


def test_every_counter_begins_at_zero_and_empty() -> None:
    metrics = Metrics()
    exchange, listener, upstream = metrics.exchange("l", "u"), metrics.listener("l"), metrics.upstream("u")
    for part in (metrics, exchange, exchange.translation, listener, listener.http2, upstream, upstream.http2):
        for name in (name for name in dir(part) if not name.startswith("_")):
            value = getattr(part, name)
            if type(value) is int:
                assert value == 0, name
            elif isinstance(value, list):
                assert not any(value), name
            elif isinstance(value, dict) and part is not metrics:
                assert value == {}, name
