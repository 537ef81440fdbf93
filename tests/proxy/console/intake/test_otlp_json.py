"""OTLP/JSON: ids are hex digits, and names may be protobuf's own, with underscores."""

from __future__ import annotations

import json

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from proxy.console.intake.decode import OtlpError
from proxy.console.intake.otlp_json import read_json, write_json

T, S, P = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "b7ad6b7169203331"


@pytest.mark.parametrize("is_snake", [False, True])
def test_ids_of_spans_and_links_are_hex_digits_by_either_name(is_snake: bool) -> None:
    def named(name: str) -> str:
        return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name) if is_snake else name

    link = {named("traceId"): T, named("spanId"): P}
    span = {named("traceId"): T, named("spanId"): S, named("parentSpanId"): P, "name": "a", "links": [link]}
    body = {named("resourceSpans"): [{named("scopeSpans"): [{"spans": [span]}]}]}
    (made,) = read_json(ExportTraceServiceRequest, json.dumps(body).encode()).resource_spans[0].scope_spans[0].spans
    assert (made.trace_id.hex(), made.span_id.hex(), made.parent_span_id.hex()) == (T, S, P)
    assert (made.links[0].trace_id.hex(), made.links[0].span_id.hex()) == (T, P)


def test_ids_of_logs_and_exemplars_are_hex_digits() -> None:
    record = {"traceId": T, "spanId": S, "body": {"stringValue": "a"}}
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}
    (made,) = read_json(ExportLogsServiceRequest, json.dumps(logs).encode()).resource_logs[0].scope_logs[0].log_records
    assert (made.trace_id.hex(), made.span_id.hex()) == (T, S)
    for kind in ("gauge", "sum", "histogram", "exponentialHistogram"):
        point = {"exemplars": [{"traceId": T, "spanId": S}]}
        metric = {"name": "a", kind: {"dataPoints": [point]}}
        body = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}
        said = read_json(ExportMetricsServiceRequest, json.dumps(body).encode())
        (one,) = said.resource_metrics[0].scope_metrics[0].metrics
        (points,) = [value for field, value in one.ListFields() if field.name != "name"]
        assert points.data_points[0].exemplars[0].trace_id.hex() == T, kind


def test_what_is_written_is_read_again() -> None:
    span = {
        "traceId": T,
        "spanId": S,
        "parentSpanId": P,
        "name": "a",
        "kind": 2,
        "links": [{"traceId": T, "spanId": P}],
    }
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    assert write_json(read_json(ExportTraceServiceRequest, json.dumps(body).encode())) == body


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"[]", "the body is not a JSON object"),
        (b"{", "the body is not JSON"),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "x"}]}]}]}', "not"),
        (b'{"resourceSpans": 5}', "OTLP.JSON"),
    ],
)
def test_what_cannot_be_read_is_told(body: bytes, why: str) -> None:
    with pytest.raises(OtlpError, match=why):
        read_json(ExportTraceServiceRequest, body)
