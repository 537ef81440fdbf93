"""The shape of the settings for export: spans and metrics, their service, and sampling.

May know pydantic and the `kinds` of values, like `models`, which includes these sections.
"""

from __future__ import annotations

from typing import Literal

from proxy.settings.kinds import (
    Bytes,
    Count,
    CountOrZero,
    ExportUrl,
    Headers,
    Rate,
    Ratio,
    ResourceAttributes,
    Seconds,
    SecondsOrZero,
)
from proxy.settings.sections.section import Section, TlsClientSettings


class ServiceSettings(Section):
    """The service that spans and metrics belong to."""

    name: str | None = None  # None: unknown_service:ops-sidecar, as OpenTelemetry has it
    attributes: ResourceAttributes = ()


class ExportSettings(Section):
    """Where spans and metrics go: OTLP over HTTP, protobuf."""

    endpoint: ExportUrl | None = None  # of a collector; /v1/traces and /v1/metrics are added
    traces_endpoint: ExportUrl | None = None  # the whole URL, for traces alone
    metrics_endpoint: ExportUrl | None = None
    traces: bool = True
    metrics: bool = False
    protocol: Literal["http/protobuf"] = "http/protobuf"
    headers: Headers = ()
    compression: Literal["none", "gzip"] = "none"
    timeout_s: Seconds = 10.0
    tls: TlsClientSettings = TlsClientSettings()
    batch_spans: Count = 512
    delay_s: Seconds = 5.0
    queue_bytes: Bytes = 16 * 1024 * 1024
    queue_spans: CountOrZero = 0  # 0: bounded in bytes alone
    give_up_s: Seconds = 300.0
    flush_s: SecondsOrZero = 5.0
    metrics_interval_s: Seconds = 60.0


class SamplingSettings(Section):
    """Which traces are recorded if no caller has decided."""

    root: Ratio = 1.0
    per_second: Rate = 0.0
    parent_based: bool = True
