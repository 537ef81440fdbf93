"""Counters."""

from __future__ import annotations

from proxy.telemetry.metrics import Metrics, TranslationMetrics, count, count_context


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


def test_contexts_are_counted_in_runs_and_shown_one_by_one() -> None:
    """Whenever somebody looks, and whatever came in between."""
    translations = TranslationMetrics()
    both, one = ("tracecontext", "b3"), ("jaeger",)
    assert (translations.extracted, translations.injected) == ({}, {})
    for read, written in (("b3", both), ("b3", both), ("b3", one), ("jaeger", one), ("b3", both)):
        count_context(translations, read, written)
    count(translations.injected, "b3")
    assert translations.extracted == {"b3": 4, "jaeger": 1}
    assert translations.injected == {"tracecontext": 3, "b3": 4, "jaeger": 2}
    count_context(translations, "b3", both)
    count_context(translations, "b3", ())
    assert (translations.extracted, translations.injected) == (
        {"b3": 6, "jaeger": 1},
        {"tracecontext": 4, "b3": 5, "jaeger": 2},
    )
