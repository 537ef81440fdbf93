"""Medians, ratios and verdicts of the benchmark."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.measure import Sample
from bench.report import Table, Target, proxy_table, proxy_targets, render, summarise


def _sample(peer: str, cpu_us: float, rss: int = 50_000_000, steady_p99_ms: float = 0.0) -> Sample:
    return Sample(
        peer=peer,
        round=0,
        requests=1000,
        requests_per_s=1000.0,
        p50_ms=1.0,
        p99_ms=2.0,
        cpu_us=cpu_us,
        cpu_user_us=cpu_us / 2,
        rss_idle_bytes=rss,
        rss_load_bytes=rss,
        exported_bytes=0,
        foreign_share=0.0,
        steady_p99_ms=steady_p99_ms,
    )


SAMPLES = [
    _sample("nginx", 20),
    _sample("envoy", 60, 66_000_000),
    _sample("envoy-zipkin", 200),
    _sample("caddy-otel", 150),
    _sample("traefik", 40),
    _sample("sidecar", 24),
    _sample("sidecar", 90),
    _sample("sidecar", 27),
]


def test_a_peer_is_summed_up_by_its_median() -> None:
    ours = next(row for row in summarise(SAMPLES) if row.peer.key == "sidecar")
    assert (ours.rounds, ours.cpu_us, ours.cpu_us_low, ours.cpu_us_high) == (3, 27, 24, 90)


def test_the_cheapest_comes_first() -> None:
    assert [row.peer.key for row in summarise(SAMPLES)][:2] == ["nginx", "sidecar"]


def test_targets_are_ratios_of_medians() -> None:
    """Beside nginx, plain Envoy, the cheapest that translates (not the one that only forwards), and Envoy's memory."""
    targets = proxy_targets(summarise(SAMPLES))
    assert [(target.value, target.limit) for target in targets] == [
        (pytest.approx(27 / 20), 1.2),
        (pytest.approx(27 / 60), 0.4),
        (pytest.approx(27 / 150), 0.3),
        (pytest.approx(50 / 66), 1.0),
    ]
    assert [target.is_met for target in targets] == [False, False, True, True]


@pytest.mark.parametrize("cpu_us,missed", [(30.1, 2), (46, 3)])
def test_a_missed_target_is_said(cpu_us: float, missed: int) -> None:
    samples = [replace(sample, cpu_us=cpu_us) if sample.peer == "sidecar" else sample for sample in SAMPLES]
    lines = [target.line() for target in proxy_targets(summarise(samples))]
    assert sum(line.startswith("MISS") for line in lines) == missed


def test_without_the_sidecar_nothing_is_judged() -> None:
    assert proxy_targets(summarise(SAMPLES[:3])) == []


def test_at_least_turns_the_verdict() -> None:
    assert Target("faster", 4.1, 4.0, at_least=True).is_met
    assert not Target("faster", 3.9, 4.0, at_least=True).is_met


def test_a_table_names_the_version_and_is_aligned() -> None:
    text = render(proxy_table(summarise(SAMPLES), {"nginx": "1.22.1"}))
    lines = text.splitlines()
    assert "nginx, proxy_pass (1.22.1)" in text
    assert len({len(line) for line in lines}) == 1
    assert len(lines) == 2 + 6


def test_numbers_stand_right() -> None:
    table = Table("T", ("what", "µs"), (("a", "1.0"), ("bb", "10.0")))
    assert render(table).splitlines() == ["| what |   µs |", "|------|-----:|", "| a    |  1.0 |", "| bb   | 10.0 |"]


def test_spans_are_judged_by_the_dearer_direction_beside_the_cheapest_tracer() -> None:
    rows = [("envoy-otel", 100), ("traefik-otel", 150), ("sidecar", 27), ("sidecar-pure", 40)]
    rows += [("sidecar-spans", 30), ("sidecar-spans-outbound", 34), ("sidecar-spans-outbound-pure", 60)]
    targets = proxy_targets(summarise([_sample(key, cpu_us) for key, cpu_us in rows]))
    spans = [target for target in targets if "one span each" in target.what]
    assert [(target.value, target.limit, target.is_met) for target in spans] == [
        (pytest.approx(0.34), 0.35, True),
        (pytest.approx(0.6), 0.5, False),
    ]


def test_pure_python_is_judged_with_its_jit_where_there_is_one() -> None:
    rows = [("envoy-otel", 100), ("envoy", 50), ("sidecar", 20), ("sidecar-pure", 40), ("sidecar-jit", 30)]
    rows += [("sidecar-spans-pure", 70), ("sidecar-spans-jit", 45), ("sidecar-spans-outbound-jit", 48)]
    targets = proxy_targets(summarise([_sample(key, cpu_us) for key, cpu_us in rows]))
    (spans,) = [target for target in targets if "one span each" in target.what]
    assert (spans.value, spans.limit) == (pytest.approx(0.48), 0.5)
    assert "in pure Python with its JIT" in spans.what
    assert spans.what.endswith("without the JIT 0.70×")
    (beside_envoy,) = [target for target in targets if "Envoy, plain" in target.what and "memory" not in target.what]
    assert beside_envoy.what.endswith("; in pure Python 0.80×, with its JIT 0.60×")


def test_the_delay_at_a_constant_rate_is_judged_beside_nginx() -> None:
    rows = [
        _sample("nginx", 20, steady_p99_ms=0.4),
        _sample("sidecar", 27),
        _sample("sidecar-spans", 30, steady_p99_ms=0.8),
    ]
    (target,) = [target for target in proxy_targets(summarise(rows)) if "2000 requests/s" in target.what]
    assert (target.value, target.limit, target.is_met) == (pytest.approx(0.4), 0.5, True)
