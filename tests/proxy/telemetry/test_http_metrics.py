"""The durations of OpenTelemetry's conventions: their labels, as Prometheus' own parsers read them, and as OTLP."""

from __future__ import annotations

import math
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.semconv.attributes import (
    error_attributes,
    http_attributes,
    network_attributes,
    server_attributes,
    url_attributes,
)
from opentelemetry.semconv.metrics import http_metrics as names
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from proxy.telemetry.durations import MOST_SERIES, Exemplar, Key
from proxy.telemetry.exposition import openmetrics_page, page, wants_openmetrics
from proxy.telemetry.http_metrics import http_durations
from proxy.telemetry.metrics import Metrics
from proxy.telemetry.otlp import metric, request

TRACE, SPAN = b"4bf92f3577b34da6a3ce929d0e0e4736", b"00f067aa0ba902b7"
BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
SERVER, CLIENT = "http_server_request_duration_seconds", "http_client_request_duration_seconds"
ORDINARY: Key = (b"GET", 200, "", b"1.1", b"", b"", False)


def measured(*calls: Key, is_server: bool = True, listener: str = "l") -> Metrics:
    metrics = Metrics()
    for call in calls:
        series = metrics.exchange(listener, "u", is_server=is_server).durations.of(call)
        series.exemplars[series.observe(0.02)] = Exemplar(0.02, TRACE, SPAN, 1_800_000_000_123_000_000)
    return metrics


def labels_of(metrics: Metrics, name: str) -> list[dict[str, str]]:
    """The labels of each series of `name`."""
    (family,) = [one for one in read_text(page(http_durations(metrics))) if one.name == name]
    return [sample.labels for sample in family.samples if sample.name.endswith("_count")]


def points(metrics: Metrics) -> dict[str, Any]:
    """The metrics as OpenTelemetry's own classes read them."""
    pieces = request.export_request(
        request.resource({}), request.scope("ops-sidecar", "1"), metric.metrics(http_durations(metrics), 1, 2)
    )
    (resource,) = ExportMetricsServiceRequest.FromString(b"".join(pieces)).resource_metrics
    return {each.name: each for each in resource.scope_metrics[0].metrics}


@pytest.mark.parametrize(
    ("key", "labels"),
    [
        (ORDINARY, {"http_response_status_code": "200"}),
        ((b"GET", 404, "", b"2", b"/orders/{id}", b"", True), {
            "http_response_status_code": "404", "http_route": "/orders/{id}", "url_scheme": "https",
            "network_protocol_version": "2"}),
        ((b"GET", 503, "", b"1.1", b"", b"", False), {"http_response_status_code": "503", "error_type": "503"}),
        ((b"GET", 500, "", b"1.1", b"", b"", False), {"http_response_status_code": "500", "error_type": "500"}),
        ((b"GET", 499, "", b"1.1", b"", b"", False), {"http_response_status_code": "499"}),
        ((b"GET", 502, "connection-refused", b"1.1", b"", b"", False), {
            "http_response_status_code": "502", "error_type": "connection-refused"}),
        ((b"GET", 0, "client-gone", b"1.1", b"", b"", False), {"error_type": "client-gone"}),
        ((b"BREW", 200, "", b"1.1", b"", b"", False), {
            "http_request_method": "_OTHER", "http_response_status_code": "200"}),
    ],
)  # fmt: skip
def test_the_labels_of_a_server(key: Key, labels: dict[str, str]) -> None:
    usual = {"http_request_method": "GET", "url_scheme": "http", "network_protocol_version": "1.1"}
    assert labels_of(measured(key), SERVER) == [{**usual, **labels}]


@pytest.mark.parametrize(
    ("host", "is_tls", "address", "port"),
    [
        (b"Billing.internal", False, "billing.internal", "80"),
        (b"billing.internal", True, "billing.internal", "443"),
        (b"billing.internal:8443", True, "billing.internal", "8443"),
        (b"[fd00::1]:81", False, "fd00::1", "81"),
    ],
)
def test_the_labels_of_a_client(host: bytes, is_tls: bool, address: str, port: str) -> None:
    """The server is told of, and here 4xx is an error."""
    metrics = measured((b"GET", 404, "", b"1.1", b"/charges/{id}", host, is_tls), is_server=False)
    assert labels_of(metrics, CLIENT) == [
        {
            "http_request_method": "GET",
            "http_response_status_code": "404",
            "error_type": "404",
            "url_template": "/charges/{id}",
            "server_address": address,
            "server_port": port,
            "url_scheme": "https" if is_tls else "http",
            "network_protocol_version": "1.1",
        }
    ]
    assert labels_of(metrics, SERVER) == []


@pytest.mark.parametrize(("status", "error"), [(399, None), (400, "400"), (500, "500")])
def test_from_which_status_on_an_answer_is_an_error_to_the_client(status: int, error: str | None) -> None:
    (labels,) = labels_of(measured((b"GET", status, "", b"1.1", b"", b"a", False), is_server=False), CLIENT)
    assert labels.get("error_type") == error


def test_listeners_that_agree_are_one_series() -> None:
    metrics = measured((b"GET", 200, "", b"1.1", b"", b"Billing", False), is_server=False)
    metrics.exchange("other", "u").durations.of((b"GET", 200, "", b"1.1", b"", b"billing:80", False)).observe(3.0)
    (point,) = points(metrics)["http.client.request.duration"].histogram.data_points
    assert (point.count, point.sum) == (2, pytest.approx(3.02))


def test_series_without_end_become_one_that_says_so() -> None:
    calls = [(b"GET", 200, "", b"1.1", b"", b"host-%d" % number, False) for number in range(MOST_SERIES + 9)]
    metrics = measured(*calls, is_server=False)
    assert labels_of(metrics, CLIENT)[-1] == {"otel_metric_overflow": "true"}
    point = points(metrics)["http.client.request.duration"].histogram.data_points[-1]
    assert [(each.key, each.value.bool_value) for each in point.attributes] == [("otel.metric.overflow", True)]
    assert point.count == 9


def test_the_buckets_are_those_of_the_conventions() -> None:
    (family,) = [one for one in read_text(page(http_durations(measured(ORDINARY)))) if one.name == SERVER]
    buckets = [(sample.labels["le"], sample.value) for sample in family.samples if sample.name.endswith("_bucket")]
    assert [float(bound) for bound, _ in buckets] == [*BOUNDS, math.inf]
    assert [value for _, value in buckets] == [0, 0, *[1] * 13]


def test_openmetrics_has_an_exemplar_where_a_trace_was_sampled() -> None:
    text = openmetrics_page(http_durations(measured(ORDINARY)))
    (family,) = [one for one in read_openmetrics(text) if one.name == SERVER]
    assert family.unit == "seconds"
    (found,) = [sample for sample in family.samples if sample.exemplar is not None]
    assert found.labels["le"] == "0.025"
    assert found.exemplar.labels == {"trace_id": TRACE.decode(), "span_id": SPAN.decode()}
    assert (found.exemplar.value, float(found.exemplar.timestamp)) == (0.02, 1_800_000_000.123)
    assert "# {" not in page(http_durations(measured(ORDINARY)))


def test_the_same_as_otlp() -> None:
    """Names, attributes and types as the official package has them."""
    call: Key = (b"GET", 404, "", b"1.1", b"", b"billing:8080", False)
    server = points(measured(ORDINARY))[names.HTTP_SERVER_REQUEST_DURATION]
    client = points(measured(call, is_server=False))[names.HTTP_CLIENT_REQUEST_DURATION]
    assert (server.unit, client.unit) == ("s", "s")
    (point,) = client.histogram.data_points
    assert {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in point.attributes} == {
        http_attributes.HTTP_REQUEST_METHOD: "GET",
        http_attributes.HTTP_RESPONSE_STATUS_CODE: 404,
        error_attributes.ERROR_TYPE: "404",
        server_attributes.SERVER_ADDRESS: "billing",
        server_attributes.SERVER_PORT: 8080,
        url_attributes.URL_SCHEME: "http",
        network_attributes.NETWORK_PROTOCOL_VERSION: "1.1",
    }
    assert list(point.explicit_bounds) == BOUNDS
    assert list(point.bucket_counts) == [0, 0, 1, *[0] * 12]
    (exemplar,) = point.exemplars
    assert (exemplar.trace_id.hex(), exemplar.span_id.hex()) == (TRACE.decode(), SPAN.decode())
    assert (exemplar.as_double, exemplar.time_unix_nano) == (0.02, 1_800_000_000_123_000_000)


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("application/openmetrics-text", True),
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", True),
        ('Application/OpenMetrics-Text;Version="1.0.0"', True),
        ("application/openmetrics-text;version=0.0.1", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=x", False),
        ("application/openmetrics-text;q=0.4,text/plain;version=0.0.4;q=0.5", False),
        (
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;"
            "version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,"
            "*/*;q=0.2",
            True,
        ),  # Prometheus 3
        ("application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", False),  # 2.5
    ],
)
def test_who_gets_openmetrics(accept: str, wanted: bool) -> None:
    assert wants_openmetrics(accept) is wanted
