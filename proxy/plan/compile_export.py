"""Settings -> ExportPlan and ReportPlan: where each signal goes, and which service it belongs to.

May know the settings and the plan's values. Reads the certificates that `export.tls` names.
"""

from __future__ import annotations

from proxy.plan.compile_console import own_console, own_headers
from proxy.plan.export import Endpoint, ExportPlan
from proxy.plan.report import ReportPlan
from proxy.plan.tls import TlsContexts
from proxy.settings.models import Settings
from proxy.settings.otlp_values import CollectorUrl
from proxy.settings.sections.export import ExportSettings, ServiceSettings

UNKNOWN_SERVICE = "unknown_service:ops-sidecar"
"""OpenTelemetry's default name (specs/semconv/resource/#service)."""


def export_plan(settings: Settings, contexts: TlsContexts) -> ExportPlan:
    """The plan's value of `export` and `service`. Raises OSError if a certificate cannot be read."""
    export, service = settings.export, settings.service
    own = own_console(settings)
    if own is not None and export.endpoint is None and export.traces_endpoint is None:
        export = export.model_copy(update={"endpoint": own, "headers": own_headers(settings)})
    return ExportPlan(
        traces=_endpoint(export, contexts, export.traces, export.traces_endpoint, "/v1/traces"),
        metrics=_endpoint(export, contexts, export.metrics, export.metrics_endpoint, "/v1/metrics"),
        resource=_resource(service),
        batch_spans=export.batch_spans,
        delay_s=export.delay_s,
        queue_bytes=export.queue_bytes,
        queue_spans=export.queue_spans,
        give_up_s=export.give_up_s,
        flush_s=export.flush_s,
        metrics_interval_s=export.metrics_interval_s,
    )


def _resource(service: ServiceSettings) -> tuple[tuple[str, str], ...]:
    return (
        ("service.name", service.name or UNKNOWN_SERVICE),
        *((one.key, one.value) for one in service.attributes if one.key != "service.name"),
    )


def report_plan(settings: Settings, contexts: TlsContexts) -> ReportPlan:
    """The plan's value of `console.report`. Raises OSError if a certificate cannot be read."""
    report = settings.console.report
    url, named = report.endpoint, report.headers
    if url is None:
        url, named = own_console(settings), own_headers(settings)
    if url is None:
        return ReportPlan()
    tls = contexts.get(report.tls) if url.scheme == "https" else None
    headers = tuple((one.name, one.value) for one in named)
    logs, metrics = (
        Endpoint(url.host, url.port, url.path + path, tls, headers, report.timeout_s, gzip=True)
        for path in ("/v1/logs", "/v1/metrics")
    )
    return ReportPlan(
        logs=logs,
        metrics=metrics,
        resource=_resource(settings.service),
        interval_s=report.interval_s,
        exchanges_per_second=report.exchanges_per_second,
        queue_bytes=report.queue_bytes,
    )


def _endpoint(
    export: ExportSettings, contexts: TlsContexts, wanted: bool, own: CollectorUrl | None, path: str
) -> Endpoint | None:
    """A signal's URL: its own unchanged, else the common one with the signal's path."""
    base = export.endpoint
    if not wanted or (own is None and base is None):
        return None
    url = own or (base._replace(path=base.path + path) if base is not None else None)
    assert url is not None
    return Endpoint(
        host=url.host,
        port=url.port,
        path=url.path or "/",
        tls=contexts.get(export.tls) if url.scheme == "https" else None,
        headers=tuple((one.name, one.value) for one in export.headers),
        timeout_s=export.timeout_s,
        gzip=export.compression == "gzip",
    )
