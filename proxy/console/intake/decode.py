"""OTLP requests in protobuf to records. PURE: bytes in, values out.

A span keeps its bytes. Only what lists and searches need is taken out of it here.
One bad record is rejected alone, and counted; a body that is not the message is an OtlpError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from proxy.console.intake import reports
from proxy.console.intake.records import Batch, Log, Source, Span
from proxy.console.intake.values import attributes, plain

MOST_RECORD_BYTES: Final = 1024 * 1024  # of one span or log
MOST_RESOURCE_BYTES: Final = 64 * 1024
SIDECAR_SCOPE: Final = "ops-sidecar"
_OVERHEAD_BYTES: Final = 600  # of a record in memory beside its bytes
_LONGEST: Final = 256  # characters of a service, a scope, a session

MessageT = TypeVar("MessageT", bound=Message)


class OtlpError(Exception):
    """The body is not what its path promises; the message says why."""


def parse(kind: type[MessageT], body: bytes) -> MessageT:
    """The message in `body`. Raises OtlpError."""
    try:
        message: MessageT = kind.FromString(body)
    except DecodeError:
        raise OtlpError(f"the body is not an {kind.__name__} in protobuf") from None
    return message


def read_traces(request: ExportTraceServiceRequest) -> Batch:
    """The spans of a request."""
    reader = _Reader()
    spans: list[Span] = []
    for group in request.resource_spans:
        source = reader.source(group.resource)
        for inner in group.scope_spans:
            if source is None:
                reader.reject(len(inner.spans), f"a resource of more than {MOST_RESOURCE_BYTES:,} bytes")
                continue
            scope = inner.scope.name[:_LONGEST]
            for one in inner.spans:
                span = reader.span(one, source, scope)
                if span is not None:
                    spans.append(span)
    return reader.batch(spans=spans)


def read_logs(request: ExportLogsServiceRequest) -> Batch:
    """The logs of a request that belong to a trace, and the reports among them."""
    reader = _Reader()
    logs: list[Log] = []
    found: list[reports.Report] = []
    for group in request.resource_logs:
        source = reader.source(group.resource)
        for inner in group.scope_logs:
            if source is None:
                reader.reject(len(inner.log_records), f"a resource of more than {MOST_RESOURCE_BYTES:,} bytes")
                continue
            scope = inner.scope.name[:_LONGEST]
            if scope.startswith(reports.SCOPE):
                reader.has_reports = True
                reader.accepted += len(inner.log_records)
                found += reports.read_logs(attributes(group.resource.attributes), scope, inner.log_records)
                continue
            for one in inner.log_records:
                log = reader.log(one, source, scope)
                if log is not None:
                    logs.append(log)
    return reader.batch(logs=logs, found=found, size=request.ByteSize() if found else 0)


def read_metrics(request: ExportMetricsServiceRequest) -> Batch:
    """The reports among the metrics of a request. Other metrics are accepted, and not kept."""
    reader = _Reader()
    found: list[reports.Report] = []
    for group in request.resource_metrics:
        for inner in group.scope_metrics:
            reader.accepted += len(inner.metrics)
            if inner.scope.name.startswith(reports.SCOPE):
                reader.has_reports = True
                described = attributes(group.resource.attributes)
                found += reports.read_metrics(described, inner.scope.name, inner.metrics)
            else:
                reader.unkept += len(inner.metrics)
    return reader.batch(found=found, size=request.ByteSize() if found else 0)


class _Reader:
    """Counts while one request is read."""

    def __init__(self) -> None:
        self.accepted = self.rejected = self.unkept = self.size = 0
        self.reason = ""
        self.has_reports = False

    def reject(self, number: int, reason: str) -> None:
        """Count records that are not taken."""
        self.rejected += number
        self.reason = self.reason or reason

    def source(self, resource: Any) -> Source | None:
        """None: its resource is too long."""
        body = resource.SerializeToString()
        if len(body) > MOST_RESOURCE_BYTES:
            return None
        service = next((plain(pair.value) for pair in resource.attributes if pair.key == "service.name"), None)
        return Source(body, str(service)[:_LONGEST] if service else "unknown_service")

    def span(self, one: Any, source: Source, scope: str) -> Span | None:
        """None: it is rejected."""
        trace, span, parent = one.trace_id, one.span_id, one.parent_span_id
        if len(trace) != 16 or len(span) != 8 or not any(trace) or not any(span):
            self.reject(1, "a span without a trace id of 16 bytes and a span id of 8 bytes, not all zero")
            return None
        if len(parent) not in (0, 8):
            self.reject(1, "a span with a parent id that has not 8 bytes")
            return None
        started, ended = one.start_time_unix_nano, one.end_time_unix_nano
        if started >> 62 or ended >> 62:
            self.reject(1, "a span with a time beyond the year 2116")
            return None
        body = one.SerializeToString()
        if len(body) > MOST_RECORD_BYTES:
            self.reject(1, f"a span of more than {MOST_RECORD_BYTES:,} bytes")
            return None
        is_ours = scope == SIDECAR_SCOPE
        session = None
        described: dict[str, Any] = {}
        links: list[str] = []
        if is_ours or not any(parent):
            described = attributes(one.attributes)
            session = described.get("session.id")
            if is_ours:
                links = [_why(link) for link in one.links]
        else:
            for pair in one.attributes:
                if pair.key == "session.id":
                    session = plain(pair.value)
        self.accepted += 1
        self.size += len(body) + _OVERHEAD_BYTES
        return Span(
            trace=trace,
            span=span,
            parent=parent if any(parent) else b"",
            source=source,
            scope=scope,
            name=one.name[:_LONGEST],
            kind=one.kind,
            started=started,
            ended=max(started, ended),
            is_error=one.status.code == 2,
            session=str(session)[:_LONGEST] if session else None,
            body=body,
            attributes=described,
            links=links,
        )

    def log(self, one: Any, source: Source, scope: str) -> Log | None:
        """None: it is rejected, or of no trace."""
        if len(one.trace_id) != 16 or not any(one.trace_id):
            self.accepted += 1
            self.unkept += 1
            return None
        at = one.time_unix_nano or one.observed_time_unix_nano
        body = one.SerializeToString()
        if len(body) > MOST_RECORD_BYTES or at >> 62:
            self.reject(1, f"a log record of more than {MOST_RECORD_BYTES:,} bytes, or with an impossible time")
            return None
        self.accepted += 1
        self.size += len(body) + _OVERHEAD_BYTES
        return Log(one.trace_id, source, scope, at, body)

    def batch(self, spans: Any = (), logs: Any = (), found: Any = (), size: int = 0) -> Batch:
        """All that was read."""
        return Batch(
            spans=spans,
            logs=logs,
            reports=found,
            size=self.size + size,
            accepted=self.accepted,
            rejected=self.rejected,
            reason=self.reason,
            unkept=self.unkept,
            has_reports=self.has_reports,
        )


def _why(link: Any) -> str:
    """The reason that a sidecar gives its link."""
    return next((str(plain(pair.value)) for pair in link.attributes if pair.key == "ops.link"), "")


READERS: Final[dict[str, tuple[type[Message], Callable[[Any], Batch]]]] = {
    "traces": (ExportTraceServiceRequest, read_traces),
    "logs": (ExportLogsServiceRequest, read_logs),
    "metrics": (ExportMetricsServiceRequest, read_metrics),
}
