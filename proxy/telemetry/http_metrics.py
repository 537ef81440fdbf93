"""`http.server.request.duration` and `http.client.request.duration`, as OpenTelemetry's conventions have them. Pure.

https://opentelemetry.io/docs/specs/semconv/http/http-metrics/

`server.address` and `server.port` are told of calls alone: to a server they are what its clients say.
Series of several listeners and upstreams that agree in everything are one here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from proxy.telemetry.durations import OTHERS, Exemplar, Key, Series, within
from proxy.telemetry.exposition import Convention, Family, Labels, Sample
from proxy.telemetry.metrics import Metrics
from proxy.telemetry.otlp.span import split_authority

# The conventions' advice for the bounds of both histograms.
_BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_ATTRIBUTES: Final = {
    "error_type": "error.type",
    "http_request_method": "http.request.method",
    "http_response_status_code": "http.response.status_code",
    "http_route": "http.route",
    "network_protocol_version": "network.protocol.version",
    "otel_metric_overflow": "otel.metric.overflow",
    "server_address": "server.address",
    "server_port": "server.port",
    "url_scheme": "url.scheme",
    "url_template": "url.template",
}
_NUMBERS: Final = frozenset({"http_response_status_code", "server_port"})


def http_durations(metrics: Metrics) -> list[Family]:
    """Both of them."""
    return [
        _family(metrics, "http.server.request.duration", "Duration of requests from callers.", is_server=True),
        _family(metrics, "http.client.request.duration", "Duration of the app's requests.", is_server=False),
    ]


def _family(metrics: Metrics, name: str, text: str, *, is_server: bool) -> Family:
    found: dict[Labels, Series] = {}
    for exchange in metrics.exchanges.values():
        if exchange.is_server is is_server:
            for key, series in exchange.durations.series.items():
                found.setdefault(_labels(key, is_server=is_server), Series()).add(series)
    samples = [sample for labels, series in found.items() for sample in histogram(labels, series, _BOUNDS_S)]
    convention = Convention(name, _ATTRIBUTES, _NUMBERS)
    return Family(f"{name.replace('.', '_')}_seconds", "histogram", text, samples, convention)


def _labels(key: Key, *, is_server: bool) -> Labels:
    if key == OTHERS:
        return (("otel_metric_overflow", "true"),)
    return tuple((label, text) for label, text in _pairs(key, is_server=is_server) if text)


def _pairs(key: Key, *, is_server: bool) -> Iterator[tuple[str, str]]:
    method, status, fault, version, route, host, is_tls = key
    yield "http_request_method", method.decode("ascii")
    yield "http_response_status_code", str(status or "")
    is_error = status >= (500 if is_server else 400)
    yield "error_type", fault or (str(status) if is_error else "")
    yield "http_route" if is_server else "url_template", route.decode("utf-8", "replace")
    if not is_server:
        name, port = split_authority(host.lower())
        yield "server_address", name.decode("latin-1")
        yield "server_port", str(port or (443 if is_tls else 80))
    yield "url_scheme", "https" if is_tls else "http"
    yield "network_protocol_version", version.decode("ascii")


def histogram(labels: Labels, series: Series, bounds: Sequence[float]) -> list[Sample]:
    """The lines of one series: buckets that include those below them, the sum and the count."""
    samples = []
    total = 0
    for bound, number, exemplar in within(series, bounds):
        total += number
        samples.append(_bucket(labels, bound, total, exemplar))
    return [*samples, Sample(labels, series.sum_s, "_sum"), Sample(labels, total, "_count")]


def _bucket(labels: Labels, bound: float, total: int, exemplar: Exemplar | None) -> Sample:
    text = "+Inf" if bound == float("inf") else repr(bound)
    return Sample((*labels, ("le", text)), total, "_bucket", exemplar)
