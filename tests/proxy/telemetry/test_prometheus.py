"""The metrics page: read by a strict parser of the text format, with every figure where it belongs."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from lab.texts import check_text
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from ops_lib.propagation import Loss, Malformed
from proxy.semantics.faults import Fault
from proxy.telemetry.durations import Exemplar
from proxy.telemetry.exposition import CONTENT_TYPE, openmetrics_page
from proxy.telemetry.exposition import page as page_of
from proxy.telemetry.metrics import Metrics
from proxy.telemetry.otlp.exporter import ExportCounts
from proxy.telemetry.process import ProcessUsage
from proxy.telemetry.prometheus import families
from proxy.telemetry.report.channel import Sent
from proxy.telemetry.state import Phase, State

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
_LINE = re.compile(rf"({_NAME})(?:\{{(.*)\}})? (\S+)")

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def parse(text: str) -> Series:
    """The page's samples. Asserts what Prometheus and its linter (`promtool check metrics`) ask for."""
    assert text.endswith("\n")
    samples: Series = {}
    kinds: dict[str, str] = {}
    helps: set[str] = set()
    current = ""
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            current, help_text = line[7:].split(" ", 1)
            assert current not in helps, f"{current} stands in two places"
            assert help_text
            helps.add(current)
            continue
        if line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert name == current
            kinds[name] = kind
            assert kind == "counter" if name.endswith("_total") else kind in ("gauge", "histogram")
            assert not re.search(r"_(ms|kb|mb|millis|percent|count|sum|bucket)$", name), (
                "base units, no reserved suffix"
            )
            continue
        match = _LINE.fullmatch(line)
        assert match, line
        name, labels, value = match.groups()
        base = re.sub(r"_(bucket|sum|count)$", "", name) if kinds[current] == "histogram" else name
        assert base == current, "samples follow their HELP and TYPE"
        pairs = tuple(_LABEL.findall(labels or ""))
        assert ",".join(f'{key}="{text}"' for key, text in pairs) == (labels or "")
        assert len({key for key, _ in pairs}) == len(pairs)
        assert (name, pairs) not in samples, f"{line} is there twice"
        samples[name, pairs] = math.inf if value == "+Inf" else float(value)
    _check_histograms(samples, kinds)
    return samples


def _check_histograms(samples: Series, kinds: dict[str, str]) -> None:
    buckets: dict[tuple[str, tuple[tuple[str, str], ...]], list[tuple[float, float]]] = defaultdict(list)
    for (name, labels), value in samples.items():
        base = name.removesuffix("_bucket")
        if kinds.get(base) == "histogram":
            bound = dict(labels)["le"]
            rest = tuple(pair for pair in labels if pair[0] != "le")
            buckets[base, rest].append((math.inf if bound == "+Inf" else float(bound), value))
    for (base, labels), found in buckets.items():
        assert found == sorted(found), "bounds rise"
        assert [value for _, value in found] == sorted(value for _, value in found), "buckets accumulate"
        assert found[-1] == (math.inf, samples[f"{base}_count", labels])
        assert (f"{base}_sum", labels) in samples


def page(metrics: Metrics, state: State | None = None) -> Series:
    usage = ProcessUsage(cpu_s=1.5, resident_bytes=2**20, open_fds=7)
    exported = ExportCounts()
    exported.exported, exported.retries, exported.waiting_bytes = 9, 2, 640
    exported.dropped = {"queue-full": 4}
    dropped = {"log": 3, "access": 0}
    text = page_of(
        families(metrics, state or State(), version="1.2.3", process=usage, dropped_lines=dropped, exported=exported)
    )
    return parse(text)


def value(series: Series, name: str, **labels: str) -> float:
    return series[name, tuple(labels.items())]


def test_an_idle_sidecar_has_a_clean_page() -> None:
    state = State(
        Phase.READY, generation=3, reloads_ok=2, reloads_failed=1, reload_success_time_s=2.5, started_time_s=1.5
    )
    metrics = Metrics()
    metrics.put_off = 7
    series = page(metrics, state)
    assert value(series, "ops_sidecar_turns_put_off_total") == 7
    assert value(series, "ops_sidecar_info", version="1.2.3") == 1
    assert value(series, "ops_sidecar_ready") == 1
    assert value(series, "ops_sidecar_generation") == 3
    assert value(series, "ops_sidecar_reloads_total", result="success") == 2
    assert value(series, "ops_sidecar_reloads_total", result="failure") == 1
    assert value(series, "ops_sidecar_reload_success_timestamp_seconds") == 2.5
    assert value(series, "ops_sidecar_log_lines_dropped_total", stream="log") == 3
    assert value(series, "process_resident_memory_bytes") == 2**20
    assert value(page(Metrics(), State(Phase.DRAINING)), "ops_sidecar_ready") == 0


def test_every_counter_of_an_exchange_is_there() -> None:
    metrics = Metrics()
    exchange = metrics.exchange("inbound", "app")
    exchange.requests = [1, 0, 20, 3, 4, 5]
    exchange.bytes_in, exchange.bytes_out = 10, 20
    exchange.faults["connection_refused"] = 2
    for duration_s in (0.0001, 0.002, 100.0):
        exchange.durations.of((b"GET", 200, "", b"1.1", b"", b"shop", False)).observe(duration_s)
    translation = exchange.translation
    translation.extracted["b3"] = 1
    translation.injected["tracecontext"] = 2
    translation.malformed["b3", "shape"] = 3
    translation.conflicts["tracecontext", "b3"] = 4
    translation.span_conflicts["b3", "b3multi"] = 11
    translation.foreign["datadog", "passed"] = 12
    translation.losses["jaeger", "defer"] = 5
    translation.bare_decisions = 6
    translation.untraced = 7
    translation.sessions_carried = 8
    translation.sessions_malformed["too-long"] = 9
    translation.errors["KeyError"] = 10
    translation.carried["tracestate"] = 13
    metrics.in_flight.remembered, metrics.in_flight.size_bytes = 14, 15
    metrics.in_flight.unremembered["no-room"] = 16
    metrics.in_flight.missing = 17
    metrics.in_flight.abandoned = 19
    metrics.app_calls["dropped"] = 17
    translation.linked["process"] = 18
    series = page(metrics)
    both = {"listener": "inbound", "upstream": "app"}
    prefix = "ops_sidecar_"
    assert value(series, f"{prefix}requests_total", **both, status_class="none") == 1
    assert value(series, f"{prefix}requests_total", **both, status_class="5xx") == 5
    assert value(series, f"{prefix}request_duration_seconds_count", **both) == 3
    assert value(series, f"{prefix}request_duration_seconds_bucket", **both, le="0.0025") == 2
    assert value(series, f"{prefix}request_duration_seconds_bucket", **both, le="60.0") == 2
    assert value(series, f"{prefix}request_duration_seconds_sum", **both) == pytest.approx(100.0021)
    assert value(series, f"{prefix}request_body_bytes_total", **both) == 10
    assert value(series, f"{prefix}response_body_bytes_total", **both) == 20
    assert value(series, f"{prefix}faults_total", **both, fault="connection_refused") == 2
    assert value(series, f"{prefix}contexts_extracted_total", **both, format="b3") == 1
    assert value(series, f"{prefix}contexts_injected_total", **both, format="tracecontext") == 2
    assert value(series, f"{prefix}contexts_malformed_total", **both, format="b3", reason="shape") == 3
    assert value(series, f"{prefix}contexts_conflicting_total", **both, winner="tracecontext", loser="b3") == 4
    assert value(series, f"{prefix}spans_conflicting_total", **both, winner="b3", loser="b3multi") == 11
    assert value(series, f"{prefix}foreign_contexts_total", **both, family="datadog", what="passed") == 12
    assert value(series, f"{prefix}contexts_losses_total", **both, format="jaeger", what="defer") == 5
    assert value(series, f"{prefix}bare_decisions_total", **both) == 6
    assert value(series, f"{prefix}requests_untraced_total", **both) == 7
    assert value(series, f"{prefix}sessions_carried_total", **both) == 8
    assert value(series, f"{prefix}sessions_malformed_total", **both, reason="too-long") == 9
    assert value(series, f"{prefix}translation_errors_total", **both, error="KeyError") == 10
    assert value(series, f"{prefix}carried_over_total", **both, what="tracestate") == 13
    assert value(series, f"{prefix}in_flight_remembered") == 14
    assert value(series, f"{prefix}in_flight_bytes") == 15
    assert value(series, f"{prefix}in_flight_missing") == 17
    assert value(series, f"{prefix}in_flight_abandoned") == 19
    assert value(series, f"{prefix}in_flight_unremembered_total", reason="no-room") == 16
    assert value(series, f"{prefix}app_calls_total", finding="dropped") == 17
    assert value(series, f"{prefix}calls_linked_total", **both, method="process") == 18


def test_what_was_dropped_on_its_way_out_is_told_by_its_reason() -> None:
    exported = ExportCounts()
    exported.exported, exported.retries, exported.waiting_bytes = 9, 2, 640
    exported.dropped = {"queue-full": 4}
    found = families(
        Metrics(),
        State(),
        version="1",
        process=ProcessUsage(0.0, 0, 0),
        dropped_lines={},
        exported=exported,
        reported=Sent(10, {"rate": 11}, 12),
    )
    series = parse(page_of(found))
    assert value(series, "ops_sidecar_spans_exported_total") == 9
    assert value(series, "ops_sidecar_spans_dropped_total", reason="queue-full") == 4
    assert value(series, "ops_sidecar_export_retries_total") == 2
    assert value(series, "ops_sidecar_spans_waiting_bytes") == 640
    assert value(series, "ops_sidecar_report_records_sent_total") == 10
    assert value(series, "ops_sidecar_report_records_dropped_total", reason="rate") == 11
    assert value(series, "ops_sidecar_report_waiting_bytes") == 12


def test_every_counter_of_listeners_and_upstreams_is_there() -> None:
    metrics = Metrics()
    listener = metrics.listener("outbound")
    numbers = ("connections_open", "connections_total", "tunnels_open", "tunnel_bytes_in", "tunnel_bytes_out")
    for number, name in enumerate(numbers, 1):
        setattr(listener, name, number)
    listener.connections_refused["limit"] = 6
    listener.protocol_errors["http_request_error"] = 7
    listener.tunnels_total["connect"] = 8
    upstream = metrics.upstream("billing")
    for number, name in enumerate(
        ("connects", "connections_open", "connections_idle", "reused", "retries", "queued"), 1
    ):
        setattr(upstream, name, number)
    upstream.connect_failures["connection_refused"] = 7
    upstream.idle_closed["timeout"] = 8
    upstream.queue_refused["full"] = 9
    series = page(metrics)
    found = {
        name.removeprefix("ops_sidecar_"): number for (name, labels), number in series.items() if number and labels
    }
    assert (
        found.items()
        >= {
            "connections_open": 1,
            "connections_total": 2,
            "tunnels_open": 3,
            "tunnel_bytes_total": 5,
            "connections_refused_total": 6,
            "protocol_errors_total": 7,
            "tunnels_total": 8,
            "upstream_connects_total": 1,
            "upstream_connections_open": 2,
            "upstream_connections_idle": 3,
            "upstream_connections_reused_total": 4,
            "upstream_retries_total": 5,
            "upstream_queued": 6,
            "upstream_connect_failures_total": 7,
            "upstream_idle_closed_total": 8,
            "upstream_queue_refused_total": 9,
        }.items()
    )


def test_no_field_of_the_metrics_is_left_out() -> None:
    """A counter that is added to `Metrics` and not shown is found here."""
    metrics = Metrics()
    empty = set(page(metrics))
    counters = 0
    parts = [
        metrics.listener("l"),
        metrics.upstream("u"),
        metrics.exchange("l", "u"),
        metrics.exchange("l", "u").translation,
        metrics.listener("l").http2,
        metrics.upstream("u").http2,
    ]
    for part in parts:
        for name in (name for name in dir(part) if not name.startswith("_")):  # slots, also where they are compiled
            if type(getattr(part, name)) is int:  # not a bool: it says what the part is of
                counters += 1
                setattr(part, name, 1000 + counters)
            elif isinstance(getattr(part, name), dict):
                counters += 1
                pairs = (
                    "malformed",
                    "conflicts",
                    "span_conflicts",
                    "losses",
                    "foreign",
                    "refused",
                    "resets",
                    "goaways",
                )
                key = ("a", "b") if name in pairs else "a"
                getattr(part, name)[key] = 1000 + counters
    shown = {number for key, number in page(metrics).items() if key not in empty}
    assert shown >= set(map(float, range(1001, 1001 + counters)))


def test_the_reference_names_every_metric() -> None:
    text = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8")
    usage = ProcessUsage(0.0, 0, 0)
    exported = ExportCounts()
    page_text = page_of(families(Metrics(), State(), version="1", process=usage, dropped_lines={}, exported=exported))
    names = re.findall(r"(?m)^# TYPE (\S+)", page_text)
    assert len(names) > 30
    assert set(names) == set(re.findall(r"`((?:ops_sidecar_|process_)\w{4,}|http_\w+_seconds)`", text))


def test_every_text_of_the_page_was_reviewed() -> None:
    """`metrics.txt` has the HELP and TYPE of every family."""
    found = families(
        Metrics(), State(), version="1", process=ProcessUsage(0.0, 0, 0), dropped_lines={}, exported=ExportCounts()
    )
    lines = [line for line in page_of(found).splitlines(keepends=True) if line.startswith("#")]
    check_text("".join(lines), Path(__file__).parent / "metrics.txt")


def test_the_reference_names_every_value_of_a_label() -> None:
    text = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8")
    for known in (*Malformed, *Loss, *(fault.label for fault in Fault)):
        assert f"`{known}`" in text, known
    for fault in Fault:  # beside the right status
        row = next(line for line in text.splitlines() if line.startswith("|") and f"`{fault.label}`" in line)
        assert str(fault.status) in row.split("|")[2] or fault in (Fault.CLIENT_GONE, Fault.STOPPED)


def test_the_whole_page_is_read_by_the_official_parsers() -> None:
    """Both see the same families and samples."""
    metrics = Metrics()
    exchange = metrics.exchange("inbound", "app", is_server=True)
    series = exchange.durations.of((b"GET", 200, "", b"1.1", b"", b"", False))
    series.exemplars[series.observe(0.3)] = Exemplar(0.3, b"1" * 32, b"2" * 16, 1)
    metrics.listener('a"b\\c\nd')
    metrics.upstream("u").connect_failures["refused"] = 1
    found = families(
        metrics,
        State(),
        version="1",
        process=ProcessUsage(1.5, 2, 3),
        dropped_lines={"log": 1},
        exported=ExportCounts(),
    )
    plain = list(read_text(page_of(found)))
    modern = list(read_openmetrics(openmetrics_page(found)))
    assert [one.name for one in plain] == [one.name for one in modern]
    assert [one.type for one in plain] == [one.type for one in modern]

    def samples(of: list[Any]) -> list[Any]:
        return [(sample.name, sample.labels, sample.value) for family in of for sample in family.samples]

    assert samples(plain) == samples(modern)
    assert [sample.exemplar.value for one in modern for sample in one.samples if sample.exemplar] == [0.3, 0.3]


def test_labels_are_escaped() -> None:
    metrics = Metrics()
    metrics.listener('a"b\\c\nd')
    _, labels = next(key for key in page(metrics) if key[0] == "ops_sidecar_connections_open")
    assert labels == (("listener", 'a\\"b\\\\c\\nd'),)


def test_the_content_type_names_the_format() -> None:
    assert CONTENT_TYPE == "text/plain; version=0.0.4; charset=utf-8"
