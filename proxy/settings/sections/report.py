"""The shape of the settings for reports: what a sidecar tells a console of itself.

May know pydantic and the `kinds` of values, like `models`, which includes this section.
"""

from __future__ import annotations

from proxy.settings.kinds import Bytes, CountOrZero, ExportUrl, Headers, Seconds
from proxy.settings.sections.section import Section, TlsClientSettings


class ReportSettings(Section):
    """Where reports go: OTLP over HTTP, protobuf, to a console and to nobody else."""

    endpoint: ExportUrl | None = None  # of a console; /v1/logs and /v1/metrics are added
    headers: Headers = ()
    timeout_s: Seconds = 5.0
    tls: TlsClientSettings = TlsClientSettings()
    interval_s: Seconds = 10.0
    exchanges_per_second: CountOrZero = 100  # 0: none
    queue_bytes: Bytes = 4 * 1024 * 1024
