"""The page of metrics with a number in every counter, in both forms and as OTLP: `page.txt` has what was reviewed."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.texts import check_text
from opentelemetry.proto.metrics.v1.metrics_pb2 import ScopeMetrics

from proxy.telemetry.durations import Exemplar
from proxy.telemetry.exposition import Family, openmetrics_page, wants_openmetrics
from proxy.telemetry.exposition import page as page_of
from proxy.telemetry.metrics import Metrics
from proxy.telemetry.otlp import metric
from proxy.telemetry.otlp.exporter import ExportCounts
from proxy.telemetry.process import ProcessUsage
from proxy.telemetry.prometheus import families
from proxy.telemetry.state import State

PAIRS = ("malformed", "conflicts", "span_conflicts", "losses", "foreign", "refused", "resets", "goaways")
NOW_NS = 1_800_000_000_000_000_000


def _filled() -> list[Family]:
    """Each counter has a number of its own."""
    metrics, number = Metrics(), 1000
    inbound, outbound = metrics.exchange("inbound", "app", is_server=True), metrics.exchange("outbound", "other")
    listener, upstream = metrics.listener("inbound"), metrics.upstream("app")
    for part in (listener, listener.http2, upstream, upstream.http2, inbound, inbound.translation, outbound):
        for name in (name for name in dir(part) if not name.startswith("_")):
            value = getattr(part, name)
            number += 1
            if type(value) is int:
                setattr(part, name, number)
            elif isinstance(value, dict):
                value[("a", "b") if name in PAIRS else "a"] = number
            elif isinstance(value, list) and all(type(one) is int for one in value):
                value[:] = range(number, number + len(value))
    for status, error, seconds in ((200, "", 0.004), (200, "", 0.005), (504, "connect-timeout", 0.3), (200, "", 99.0)):
        for one in (inbound, outbound):
            series = one.durations.of((b"GET", status, error, b"1.1", b"/orders/{id}", b"shop:8080", True))
            series.exemplars[series.observe(seconds)] = Exemplar(seconds, b"1" * 32, b"2" * 16, NOW_NS)
    usage = ProcessUsage(1.5, 2_000_000, 30)
    return families(
        metrics, State(), version="1", process=usage, dropped_lines={"access": 4, "log": 5}, exported=ExportCounts()
    )


def test_the_page_has_every_number_where_it_was_reviewed() -> None:
    found = _filled()
    plain = page_of(found)
    modern = openmetrics_page(found)
    exemplars = "".join(line for line in modern.splitlines(keepends=True) if " # {" in line or line == "# EOF\n")
    told = []
    for entry in metric.metrics(found, NOW_NS - 60_000_000_000, NOW_NS):
        (one,) = ScopeMetrics.FromString(entry).metrics
        kind = one.WhichOneof("data")
        points = getattr(one, kind).data_points
        keys = sorted({f"{each.key}:{each.value.WhichOneof('value')}" for point in points for each in point.attributes})
        told.append(f"{one.name} {one.unit!r} {kind} {len(points)} {' '.join(keys)}: {one.description}\n")
        if kind == "histogram":
            for point in points:
                told.append(f"  {list(point.explicit_bounds)} {list(point.bucket_counts)} {point.count} {point.sum}\n")
                told += [f"  {each.as_double} {each.trace_id.hex()} {each.span_id.hex()}\n" for each in point.exemplars]
    check_text("\n".join([plain, exemplars, "".join(told)]), Path(__file__).parent / "page.txt")


@pytest.mark.parametrize(
    ("accept", "is_openmetrics"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("application/openmetrics-text", True),
        ("Application/OpenMetrics-Text; Version=1.0.0", True),
        ('application/openmetrics-text; version="1.0.0"', True),
        ("application/openmetrics-text; version=0.0.1", False),
        ("application/openmetrics-text; version=0.0.1, application/openmetrics-text; version=1.0.0;q=0.5", True),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=0.001", True),
        ("application/openmetrics-text;q=x", False),
        ("application/openmetrics-text;q=0.5,text/plain;q=0.5", True),
        ("application/openmetrics-text;q=0.5,text/plain;q=0.6", False),
        ("application/openmetrics-text;q=0.5,text/plain;version=0.0.4", False),
        ("application/openmetrics-text;q=0.5,text/plain;version=0.0.5", True),
        ("application/openmetrics-text;q=0.5,text/html", True),
        ("application/openmetrics-text;q=0.1,application/openmetrics-text;q=0.9,text/plain;q=0.5", True),
    ],
)
def test_who_gets_openmetrics(accept: str, is_openmetrics: bool) -> None:
    """RFC 9110, 12.5.1: what has the higher quality; OpenMetrics where both have the same."""
    assert wants_openmetrics(accept) is is_openmetrics
