"""Metrics as OpenTelemetry's own classes read them."""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality

from proxy.telemetry.exposition import Family, Sample
from proxy.telemetry.otlp import metric, request

START, NOW = 1_800_000_000_000_000_000, 1_800_000_060_000_000_000
CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE


def decoded(*families: Family) -> list[Any]:
    """As a collector reads them."""
    pieces = request.export_request(
        request.resource({"service.name": "shop"}),
        request.scope("ops-sidecar", "1"),
        metric.metrics(families, START, NOW),
    )
    (resource,) = ExportMetricsServiceRequest.FromString(b"".join(pieces)).resource_metrics
    (scope,) = resource.scope_metrics
    return list(scope.metrics)


def labels(point: Any) -> dict[str, str]:
    return {each.key: each.value.string_value for each in point.attributes}


def test_a_counter_is_a_cumulative_monotonic_sum() -> None:
    samples = [Sample((("listener", "inbound"),), 7), Sample((("listener", "outbound"),), 0)]
    (found,) = decoded(Family("ops_sidecar_requests_total", "counter", "Requests.", samples))
    assert (found.name, found.description, found.unit) == ("ops_sidecar_requests", "Requests.", "1")
    assert (found.sum.is_monotonic, found.sum.aggregation_temporality) == (True, CUMULATIVE)
    assert [(labels(point), point.as_int) for point in found.sum.data_points] == [
        ({"listener": "inbound"}, 7),
        ({"listener": "outbound"}, 0),
    ]
    assert {(point.start_time_unix_nano, point.time_unix_nano) for point in found.sum.data_points} == {(START, NOW)}


def test_a_gauge_with_a_fraction_and_a_unit() -> None:
    (found,) = decoded(Family("process_cpu_seconds", "gauge", "Time.", [Sample((), 1.5)]))
    assert found.unit == "s"
    assert [point.as_double for point in found.gauge.data_points] == [1.5]


def test_a_negative_number() -> None:
    (found,) = decoded(Family("x", "gauge", "X.", [Sample((), -3)]))
    assert found.gauge.data_points[0].as_int == -3


def test_a_histogram_has_each_buckets_own_count() -> None:
    samples = [
        Sample((("l", "a"), ("le", "0.1")), 2, "_bucket"),
        Sample((("l", "a"), ("le", "1.0")), 5, "_bucket"),
        Sample((("l", "a"), ("le", "+Inf")), 6, "_bucket"),
        Sample((("l", "a"),), 12.5, "_sum"),
        Sample((("l", "a"),), 6, "_count"),
    ]
    (found,) = decoded(Family("d_seconds", "histogram", "D.", samples))
    (point,) = found.histogram.data_points
    assert found.histogram.aggregation_temporality == CUMULATIVE
    assert (labels(point), point.count, point.sum) == ({"l": "a"}, 6, 12.5)
    assert list(point.bucket_counts) == [2, 3, 1]
    assert list(point.explicit_bounds) == [0.1, 1.0]


def test_a_family_without_samples_is_left_out() -> None:
    assert [
        found.name for found in decoded(Family("x", "gauge", "X.", []), Family("y", "gauge", "Y.", [Sample((), 1)]))
    ] == ["y"]
