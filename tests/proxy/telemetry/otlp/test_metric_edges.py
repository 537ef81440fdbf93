"""Names, units, labels and exemplars of metrics, as OpenTelemetry's own classes read them."""

from __future__ import annotations

from typing import Any

import pytest
from lab.collectors import attributes
from opentelemetry.proto.metrics.v1.metrics_pb2 import ScopeMetrics

from proxy.telemetry.durations import Exemplar
from proxy.telemetry.exposition import Convention, Family, Sample
from proxy.telemetry.otlp import metric

CONVENTION = Convention(
    "http.server.request.duration",
    {"method": "http.request.method", "status": "http.response.status_code", "otel_metric_overflow": "otel.overflow"},
    frozenset(("status",)),
)


def told(family: Family) -> Any:
    (found,) = ScopeMetrics.FromString(b"".join(metric.metrics([family], 1, 2))).metrics
    return found


@pytest.mark.parametrize(
    ("kind", "name", "said", "unit"),
    [
        ("counter", "a_total", "a", "1"),
        ("counter", "a_seconds_total", "a_seconds", "s"),
        ("counter", "a_bytes_total", "a_bytes", "By"),
        ("counter", "a", "a", "1"),
        ("gauge", "a_total", "a_total", "1"),
        ("gauge", "a_seconds", "a_seconds", "s"),
        ("gauge", "a_bytes", "a_bytes", "By"),
        ("gauge", "bytes_a", "bytes_a", "1"),
    ],
)
def test_a_name_says_its_unit(kind: Any, name: str, said: str, unit: str) -> None:
    found = told(Family(name, kind, "What it is.", [Sample((("l", "\ud800x"),), 3)]))
    assert (found.name, found.unit, found.description) == (said, unit, "What it is.")
    assert found.WhichOneof("data") == ("sum" if kind == "counter" else "gauge")
    (point,) = (found.sum if kind == "counter" else found.gauge).data_points
    assert (point.as_int, point.start_time_unix_nano, point.time_unix_nano) == (3, 1, 2)
    assert attributes(point) == {"l": "?x"}


def histogram(labels: tuple[tuple[str, str], ...], exemplar: Exemplar | None = None) -> list[Sample]:
    return [
        Sample((*labels, ("le", "0.5")), 2, "_bucket", exemplar),
        Sample((*labels, ("le", "+Inf")), 3, "_bucket"),
        Sample(labels, 1.25, "_sum"),
        Sample(labels, 3, "_count"),
    ]


def test_a_histogram_by_opentelemetrys_conventions() -> None:
    exemplar = Exemplar(0.25, b"0af7651916cd43dd8448eb211c80319c", b"b7ad6b7169203331", 1_800_000_000_000_000_000)
    plain = (("method", "G\ud800"), ("status", "200"))
    samples = histogram(plain, exemplar) + histogram((("otel_metric_overflow", "true"),))
    samples += histogram((("otel_metric_overflow", "false"),))
    found = told(Family("x_seconds", "histogram", "X.", samples, CONVENTION))
    assert (found.name, found.unit) == ("http.server.request.duration", "s")
    first, second, third = found.histogram.data_points
    assert attributes(first) == {"http.request.method": "G?", "http.response.status_code": 200}
    assert (attributes(second), attributes(third)) == ({"otel.overflow": True}, {"otel.overflow": False})
    assert (first.count, first.sum, list(first.bucket_counts), list(first.explicit_bounds)) == (3, 1.25, [2, 1], [0.5])
    assert (first.start_time_unix_nano, first.time_unix_nano) == (1, 2)
    (one,) = first.exemplars
    assert (one.as_double, one.time_unix_nano) == (0.25, 1_800_000_000_000_000_000)
    assert (one.trace_id.hex(), one.span_id.hex()) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    assert len(second.exemplars) == 0


def test_without_a_convention_a_label_is_a_text() -> None:
    found = told(Family("x", "histogram", "X.", histogram((("status", "200"),))))
    assert attributes(found.histogram.data_points[0]) == {"status": "200"}
    assert attributes(
        told(Family("x", "gauge", "X.", [Sample((("status", "200"),), 1)], CONVENTION)).gauge.data_points[0]
    )
