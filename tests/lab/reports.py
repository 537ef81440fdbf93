"""What a sidecar reports, as OpenTelemetry's own classes read it."""

from __future__ import annotations

import gzip
import json
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from lab.collectors import Collector, attributes

SCOPE = "ops-sidecar.report"


class Console:
    """A collector that takes reports, and sorts them."""

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self.resource: dict[str, Any] = {}
        self.metrics: list[str] = []  # names
        self._records: list[LogRecord] = []

    def _take(self) -> None:
        head, body = self.collector.next()
        body = gzip.decompress(body)
        if head.startswith(b"POST /v1/metrics "):
            for batch in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for scope in batch.scope_metrics:
                    assert scope.scope.name == SCOPE
                    self.metrics += [metric.name for metric in scope.metrics]
            return
        assert head.startswith(b"POST /v1/logs "), head
        for resource in ExportLogsServiceRequest.FromString(body).resource_logs:
            self.resource = attributes(resource.resource)
            for found in resource.scope_logs:
                assert found.scope.name == SCOPE
                self._records += found.log_records

    def record(self, event: str) -> LogRecord:
        """The next record of this event. Those of others are kept."""
        while True:
            for number, record in enumerate(self._records):
                if record.event_name == event:
                    return self._records.pop(number)
            self._take()

    def exchange(self) -> dict[str, Any]:
        """The next exchange's attributes."""
        return attributes(self.record("ops.exchange"))

    def document(self, event: str) -> Any:
        """The next document of this event, read."""
        return json.loads(self.record(event).body.string_value)
