"""Durations by OpenTelemetry's conventions, and routes, of real exchanges: in the metrics and on spans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lab.collectors import Collector, attributes
from lab.peers import Upstream
from lab.sidecar import LISTEN, Sidecar, merged
from lab.wire import Wire
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from proxy.telemetry.exposition import openmetrics_page
from proxy.telemetry.http_metrics import http_durations

T, S = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
SAMPLED = f"traceparent: 00-{T}-{S}-01\r\n".encode()
ROUTES = {"spans": {"routes": ["/orders/{id}", "/charges/*"]}}


@pytest.fixture
def exporting(start: Callable[..., Sidecar], upstream: Upstream, collector: Collector) -> Callable[..., Wire]:
    def make(settings: dict[str, Any] | None = None) -> Wire:
        export = {"endpoint": f"http://127.0.0.1:{collector.port}", "delay_s": 0.001, "flush_s": 0.2}
        return Wire(start(merged({"inbound": {"app": upstream.url}, "export": export}, settings or {})), upstream)

    return make


def series(sidecar: Sidecar, name: str) -> list[tuple[dict[str, str], float, list[dict[str, str]]]]:
    """Of each series: its labels, its count, and the labels of its exemplars."""
    text = sidecar.call(lambda: openmetrics_page(http_durations(sidecar.metrics)))
    (family,) = [one for one in text_string_to_metric_families(text) if one.name == name]
    found: dict[tuple[tuple[str, str], ...], tuple[dict[str, str], float, list[dict[str, str]]]] = {}
    for sample in family.samples:
        labels = {label: value for label, value in sample.labels.items() if label != "le"}
        before = found.get(tuple(labels.items()), (labels, 0, []))
        count = sample.value if sample.name.endswith("_count") else before[1]
        exemplars = before[2] + ([sample.exemplar.labels] if sample.exemplar else [])
        found[tuple(labels.items())] = (labels, count, exemplars)
    return list(found.values())


def get(target: bytes, fields: bytes = b"") -> bytes:
    return b"GET %b HTTP/1.1\r\nHost: shop.internal\r\n%b\r\n" % (target, fields)


def test_an_inbound_exchange(exporting: Callable[..., Wire], collector: Collector) -> None:
    wire = exporting(ROUTES)
    client = wire.client()
    wire.exchange(client, get(b"/orders/7?token=1", SAMPLED))
    wire.exchange(client, get(b"/orders/8"))
    wire.exchange(client, get(b"/other", SAMPLED.replace(b"-01\r", b"-00\r")))
    first, _ = collector.spans(2)
    wire.sidecar.settle()
    ordinary = {
        "http_request_method": "GET",
        "http_response_status_code": "200",
        "url_scheme": "http",
        "network_protocol_version": "1.1",
    }
    routed, other = series(wire.sidecar, "http_server_request_duration_seconds")
    assert routed[:2] == ({**ordinary, "http_route": "/orders/{id}"}, 2)
    assert other == (ordinary, 1, [])
    assert {"trace_id": T, "span_id": first.span_id.hex()} in routed[2] or len(routed[2]) == 1
    assert series(wire.sidecar, "http_client_request_duration_seconds") == []
    assert (first.name, attributes(first)["http.route"]) == ("GET /orders/{id}", "/orders/{id}")
    assert b"token" not in first.SerializeToString()


def test_an_outbound_exchange_names_the_server_that_the_settings_name(
    exporting: Callable[..., Wire], collector: Collector, upstream: Upstream
) -> None:
    billing = {"name": "billing", "match": ["billing.internal"], "target": upstream.url, "spans": {"query": True}}
    wire = exporting({**ROUTES, "outbound": {"listen": LISTEN}, "upstreams": [billing]})
    client = wire.client("outbound")
    client.send(b"GET http://billing.internal/charges/9?token=4711&id=2 HTTP/1.1\r\nHost: x\r\n\r\n")
    upstream.answer(b"no", b"404 Not Found")
    assert client.response().status == 404
    (span,) = collector.spans(1)
    address, _, port = upstream.url.removeprefix("http://").partition(":")
    assert span.name == "GET /charges/*"
    assert attributes(span)["url.template"] == "/charges/*"
    assert attributes(span)["url.full"] == f"{upstream.url}/charges/9?token=REDACTED&id=2"
    ((labels, count, exemplars),) = series(wire.sidecar, "http_client_request_duration_seconds")
    assert labels == {
        "http_request_method": "GET",
        "http_response_status_code": "404",
        "error_type": "404",
        "url_template": "/charges/*",
        "server_address": address,
        "server_port": port,
        "url_scheme": "http",
        "network_protocol_version": "1.1",
    }
    assert (count, exemplars) == (1, [{"trace_id": span.trace_id.hex(), "span_id": span.span_id.hex()}])


def test_the_query_is_told_where_the_settings_say_so(exporting: Callable[..., Wire], collector: Collector) -> None:
    wire = exporting({"inbound": {"spans": {"query": True}}})
    wire.exchange(wire.client(), get(b"/orders/7?id=2&sig=abc"))
    (span,) = collector.spans(1)
    assert attributes(span)["url.query"] == "id=2&sig=REDACTED"


def test_a_fault_of_ours(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    upstream.close()
    sidecar = start({"inbound": {"app": upstream.url}})
    assert sidecar.ask(get(b"/")).status == 502
    ((labels, count, _),) = series(sidecar, "http_server_request_duration_seconds")
    assert (labels["http_response_status_code"], labels["error_type"], count) == ("502", "connection-refused", 1)


def test_a_reload_changes_the_routes(exporting: Callable[..., Wire]) -> None:
    wire = exporting()
    client = wire.client()
    wire.exchange(client, get(b"/orders/7"))
    wire.sidecar.replace(
        {"inbound": {"listen": str(wire.sidecar.addresses["inbound"]), "app": wire.upstream.url}}
        | {"outbound": {"listen": "off"}, "admin": {"listen": "off"}}
        | ROUTES
    )
    wire.exchange(client, get(b"/orders/7"))
    found = series(wire.sidecar, "http_server_request_duration_seconds")
    assert [labels.get("http_route") for labels, _, _ in found] == [None, "/orders/{id}"]
