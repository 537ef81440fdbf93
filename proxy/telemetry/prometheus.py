"""The metrics for Prometheus, family by family. Pure: the figures are arguments.

Names follow the conventions of Prometheus: base units in the name, `_total` for counters.
Labels are names from the settings, formats and fixed reasons: never a path, an id or other text from outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from proxy.telemetry.durations import total
from proxy.telemetry.exposition import Family, Labels, Sample
from proxy.telemetry.http_metrics import histogram, http_durations
from proxy.telemetry.metrics import Http2Metrics, InFlightMetrics, Metrics
from proxy.telemetry.otlp.exporter import ExportCounts
from proxy.telemetry.process import ProcessUsage
from proxy.telemetry.report.channel import NOTHING_SENT, Sent
from proxy.telemetry.state import Phase, State

PREFIX = "ops_sidecar_"
DURATION_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_STATUS_CLASSES = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")


def families(
    metrics: Metrics,
    state: State,
    *,
    version: str,
    process: ProcessUsage,
    dropped_lines: Mapping[str, int],
    exported: ExportCounts,
    reported: Sent = NOTHING_SENT,
) -> list[Family]:
    """All of them. `dropped_lines`: by stream (`log`, `access`), lines that were not written."""
    return [
        *_exchanges(metrics),
        *http_durations(metrics),
        *_translations(metrics),
        *_listeners(metrics),
        *_upstreams(metrics),
        *_http2(metrics),
        *_sidecar(state, version, dropped_lines),
        _counter("turns_put_off", "Pieces of work that waited for a later turn of the loop.", [((), metrics.put_off)]),
        _gauge("mirror_peers", "Peers whose format is remembered.", [((), metrics.mirror_peers)]),
        *_in_flight(metrics.in_flight),
        _counter(
            "app_calls",
            "Calls of the app, by what it did to the context of its requests.",
            [((("finding", finding),), number) for finding, number in metrics.app_calls.items()],
        ),
        *_export(exported),
        *_reports(reported),
        *_process(process),
    ]


def _counter(name: str, text: str, samples: Iterable[tuple[Labels, float]]) -> Family:
    return Family(f"{PREFIX}{name}_total", "counter", text, [Sample(*sample) for sample in samples])


def _gauge(name: str, text: str, samples: Iterable[tuple[Labels, float]]) -> Family:
    return Family(PREFIX + name, "gauge", text, [Sample(*sample) for sample in samples])


def _exchanges(metrics: Metrics) -> list[Family]:
    exchanges = [((("listener", one), ("upstream", other)), found) for (one, other), found in metrics.exchanges.items()]
    return [
        _counter(
            "requests",
            "Requests, by class of the status that the client got (none: it got none).",
            (
                ((*labels, ("status_class", status)), number)
                for labels, found in exchanges
                for status, number in zip(_STATUS_CLASSES, found.requests, strict=True)
                if number or status == "2xx"
            ),
        ),
        Family(
            f"{PREFIX}request_duration_seconds",
            "histogram",
            "From the request's head to the last byte of the response.",
            [
                sample
                for labels, found in exchanges
                for sample in histogram(labels, total(found.durations.series.values()), DURATION_BUCKETS_S)
            ],
        ),
        _counter(
            "request_body_bytes",
            "Content of request bodies.",
            ((labels, found.bytes_in) for labels, found in exchanges),
        ),
        _counter(
            "response_body_bytes",
            "Content of response bodies.",
            ((labels, found.bytes_out) for labels, found in exchanges),
        ),
        _counter(
            "faults",
            "Exchanges that the sidecar itself answered or cut, by what failed.",
            (((*labels, ("fault", fault)), n) for labels, found in exchanges for fault, n in found.faults.items()),
        ),
    ]


def _translations(metrics: Metrics) -> list[Family]:
    found = [
        ((("listener", one), ("upstream", other)), exchange.translation)
        for (one, other), exchange in metrics.exchanges.items()
    ]

    def pairs(name: str, text: str, attribute: str, first: str, second: str) -> Family:
        return _counter(
            name,
            text,
            (
                ((*labels, (first, key[0]), (second, key[1])), number)
                for labels, translation in found
                for key, number in getattr(translation, attribute).items()
            ),
        )

    def singles(name: str, text: str, attribute: str, label: str) -> Family:
        return _counter(
            name,
            text,
            (
                ((*labels, (label, key)), number)
                for labels, translation in found
                for key, number in getattr(translation, attribute).items()
            ),
        )

    def plain(name: str, text: str, attribute: str) -> Family:
        return _counter(name, text, ((labels, getattr(translation, attribute)) for labels, translation in found))

    return [
        singles("contexts_extracted", "Contexts read, by the format that won.", "extracted", "format"),
        singles("contexts_injected", "Contexts written, by format.", "injected", "format"),
        pairs("contexts_malformed", "Trace headers that were dropped.", "malformed", "format", "reason"),
        pairs("contexts_conflicting", "Requests with two trace ids, by format.", "conflicts", "winner", "loser"),
        pairs(
            "spans_conflicting",
            "Requests with one trace id and two span ids, by format.",
            "span_conflicts",
            "winner",
            "loser",
        ),
        pairs("contexts_losses", "What a written format could not say.", "losses", "format", "what"),
        pairs("foreign_contexts", "Requests with headers of another family.", "foreign", "family", "what"),
        singles("calls_linked", "Calls without a context, by how they were joined to a request.", "linked", "method"),
        singles("carried_over", "Values restored that the app's format cannot carry.", "carried", "what"),
        pairs("trust", "Requests by what their peer was not believed.", "refused", "rule", "refused"),
        singles("egress_withheld", "Requests to hosts to which this may not go.", "withheld", "what"),
        singles("shadow", "Requests by what would differ with the settings of propagation.shadow.", "shadow", "what"),
        plain("mirrored", "Requests in the format that their peer was seen to speak.", "mirrored"),
        plain("bare_decisions", "Sampling decisions that came without ids.", "bare_decisions"),
        plain("requests_untraced", "Requests without any context or decision.", "untraced"),
        plain("sessions_carried", "Session ids passed on.", "sessions_carried"),
        singles("sessions_malformed", "Session ids that were dropped.", "sessions_malformed", "reason"),
        singles("translation_errors", "Bugs: requests that went on untraced.", "errors", "error"),
    ]


def _listeners(metrics: Metrics) -> list[Family]:
    found = [((("listener", name),), listener) for name, listener in metrics.listeners.items()]
    return [
        _gauge("connections_open", "Clients connected now.", ((labels, one.connections_open) for labels, one in found)),
        _gauge(
            "connections_limit",
            "Clients that may be connected at a time.",
            ((labels, one.connections_limit) for labels, one in found),
        ),
        _counter(
            "connections",
            "Clients accepted.",
            ((labels, one.connections_total) for labels, one in found),
        ),
        _counter(
            "connections_refused",
            "Connections closed at once.",
            (((*labels, ("reason", why)), n) for labels, one in found for why, n in one.connections_refused.items()),
        ),
        _counter(
            "protocol_errors",
            "Requests refused before they had an upstream.",
            (((*labels, ("reason", why)), n) for labels, one in found for why, n in one.protocol_errors.items()),
        ),
        _gauge("tunnels_open", "Tunnels open now.", ((labels, one.tunnels_open) for labels, one in found)),
        _counter(
            "tunnels",
            "Tunnels opened: by CONNECT (untraced), by upgrade.",
            (((*labels, ("kind", kind)), n) for labels, one in found for kind, n in one.tunnels_total.items()),
        ),
        _counter(
            "tunnel_bytes",
            "Bytes through tunnels: in from the client, out to it.",
            (
                ((*labels, ("direction", way)), n)
                for labels, one in found
                for way, n in (("in", one.tunnel_bytes_in), ("out", one.tunnel_bytes_out))
            ),
        ),
    ]


def _upstreams(metrics: Metrics) -> list[Family]:
    found = [((("upstream", name),), upstream) for name, upstream in metrics.upstreams.items()]

    def plain(name: str, text: str, attribute: str) -> Family:
        samples = ((labels, getattr(one, attribute)) for labels, one in found)
        return _counter(f"upstream_{name}", text, samples)

    def gauge(name: str, text: str, attribute: str) -> Family:
        return _gauge(f"upstream_{name}", text, ((labels, getattr(one, attribute)) for labels, one in found))

    def reasons(name: str, text: str, attribute: str) -> Family:
        return _counter(
            f"upstream_{name}",
            text,
            (((*labels, ("reason", why)), n) for labels, one in found for why, n in getattr(one, attribute).items()),
        )

    return [
        plain("connects", "Connections opened.", "connects"),
        reasons("connect_failures", "Connections that could not be opened.", "connect_failures"),
        plain("moved", "Names that led elsewhere when no remembered address could be reached.", "moved"),
        gauge("connections_open", "Connections open now.", "connections_open"),
        gauge("connections_limit", "Limit of connections to each address.", "connections_limit"),
        gauge("connections_idle", "Connections kept for the next request.", "connections_idle"),
        plain("connections_reused", "Requests sent on a connection that had served another.", "reused"),
        plain("retries", "Requests sent again because a kept connection had died.", "retries"),
        reasons("idle_closed", "Kept connections that were closed.", "idle_closed"),
        gauge("queued", "Requests waiting for a connection now.", "queued"),
        reasons("queue_refused", "Requests that got no connection in time.", "queue_refused"),
    ]


def _http2(metrics: Metrics) -> list[Family]:
    clients = [((("listener", name),), one.http2) for name, one in metrics.listeners.items()]
    upstreams = [((("upstream", name),), one.http2) for name, one in metrics.upstreams.items()]
    families: list[Family] = []
    for prefix, whose, found in (("http2_", "from clients", clients), ("upstream_http2_", "to upstreams", upstreams)):
        families += [
            _gauge(
                f"{prefix}connections_open",
                f"Connections of HTTP/2 {whose}, open now.",
                ((labels, one.connections_open) for labels, one in found),
            ),
            _counter(
                f"{prefix}connections",
                f"Connections of HTTP/2 {whose}.",
                ((labels, one.connections_total) for labels, one in found),
            ),
            _gauge(
                f"{prefix}streams_open",
                f"Streams on connections {whose}, open at the last tick.",
                ((labels, one.streams_open) for labels, one in found),
            ),
            _counter(
                f"{prefix}streams",
                f"Streams on connections {whose}.",
                ((labels, one.streams_total) for labels, one in found),
            ),
            _by_code(f"{prefix}resets", f"RST_STREAM on connections {whose}.", "resets", found),
            _by_code(f"{prefix}goaways", f"GOAWAY on connections {whose}.", "goaways", found),
        ]
    return families


def _by_code(name: str, text: str, attribute: str, found: Iterable[tuple[Labels, Http2Metrics]]) -> Family:
    return _counter(
        name,
        text,
        (
            ((*labels, ("direction", direction), ("code", code)), number)
            for labels, one in found
            for (direction, code), number in getattr(one, attribute).items()
        ),
    )


def _sidecar(state: State, version: str, dropped_lines: Mapping[str, int]) -> list[Family]:
    return [
        _gauge("info", "Always 1.", [((("version", version),), 1)]),
        _gauge("ready", "1 while /readyz says so.", [((), int(state.phase is Phase.READY))]),
        _gauge("generation", "Number of the settings in use; 1 are those of the start.", [((), state.generation)]),
        _counter(
            "reloads",
            "Readings of the settings after the start.",
            [((("result", "success"),), state.reloads_ok), ((("result", "failure"),), state.reloads_failed)],
        ),
        _gauge(
            "reload_success_timestamp_seconds",
            "When the settings in use were read.",
            [((), state.reload_success_time_s)],
        ),
        _gauge("start_time_seconds", "When the sidecar started.", [((), state.started_time_s)]),
        _counter(
            "admin_connections_cut",
            "Connections of the admin listener that made room for others.",
            [((), state.admin_connections_cut)],
        ),
        _counter(
            "log_lines_dropped",
            "Lines that were not written because nobody read fast enough.",
            [((("stream", stream),), number) for stream, number in dropped_lines.items()],
        ),
    ]


def _in_flight(found: InFlightMetrics) -> list[Family]:
    return [
        _gauge("in_flight_remembered", "Requests at the app that are remembered now.", [((), found.remembered)]),
        _gauge(
            "in_flight_abandoned", "Requests without a client that the app may still be at.", [((), found.abandoned)]
        ),
        _gauge("in_flight_missing", "Requests and tunnels at the app that are not remembered.", [((), found.missing)]),
        _gauge("in_flight_bytes", "Memory of the requests that are remembered.", [((), found.size_bytes)]),
        _counter(
            "in_flight_unremembered",
            "Requests at the app that were not, or no longer, remembered.",
            [((("reason", why),), number) for why, number in found.unremembered.items()],
        ),
    ]


def _export(exported: ExportCounts) -> list[Family]:
    return [
        _counter("spans_exported", "Spans that the collector accepted.", [((), exported.exported)]),
        _counter(
            "spans_dropped",
            "Spans that were recorded and not exported.",
            [((("reason", why),), number) for why, number in exported.dropped.items()],
        ),
        _counter("export_retries", "Batches of spans that were retried.", [((), exported.retries)]),
        _gauge("spans_waiting_bytes", "Memory of spans that wait or are being sent.", [((), exported.waiting_bytes)]),
    ]


def _reports(reported: Sent) -> list[Family]:
    return [
        _counter("report_records_sent", "Records that the console accepted.", [((), reported.sent)]),
        _counter(
            "report_records_dropped",
            "Records for the console that were not sent.",
            [((("reason", why),), number) for why, number in reported.dropped.items()],
        ),
        _gauge(
            "report_waiting_bytes", "Memory of records that wait or are being sent.", [((), reported.waiting_bytes)]
        ),
    ]


def _process(process: ProcessUsage) -> list[Family]:
    return [
        Family("process_cpu_seconds_total", "counter", "User and system time.", [Sample((), process.cpu_s)]),
        Family("process_resident_memory_bytes", "gauge", "Memory in use.", [Sample((), process.resident_bytes)]),
        Family("process_open_fds", "gauge", "File descriptors in use.", [Sample((), process.open_fds)]),
    ]
