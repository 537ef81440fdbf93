"""One signal's way to a collector: who it says it is, and pipelines that end while others begin."""

from __future__ import annotations

import time

from lab.collectors import LIMIT_S, attributes, collecting, named_span
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from proxy.plan import Endpoint
from proxy.plan.export import ExportPlan
from proxy.telemetry.otlp.pipeline import Former, Pipeline


def test_who_made_it_stands_beside_what_the_settings_say() -> None:
    """By OpenTelemetry's names (Resource SDK, "Telemetry SDK")."""
    plan = ExportPlan(resource=(("service.name", "shop"),), flush_s=1.0)
    with collecting() as collector:
        pipeline = Pipeline(plan, Endpoint("127.0.0.1", collector.port, "/v1/traces"), "1.2", batch=2, limit=2)
        assert repr(pipeline).startswith("<Pipeline <SpanBuffer ")
        assert f"<Sender to http://127.0.0.1:{collector.port}/v1/traces, 0 sent, 0 failures in a row>" in repr(pipeline)
        for name in ("a", "b", "c"):
            pipeline.buffer.add(named_span(name))
        head, body = collector.next()
        (told,) = ExportTraceServiceRequest.FromString(body).resource_spans
        assert attributes(told.resource) == {
            "service.name": "shop", "telemetry.sdk.name": "ops-sidecar", "telemetry.sdk.language": "python",
            "telemetry.sdk.version": "1.2",
        }  # fmt: skip
        scope = told.scope_spans[0]
        assert (scope.scope.name, scope.scope.version, len(scope.spans)) == ("ops-sidecar", "1.2", 2)
        assert b"User-Agent: ops-sidecar/1.2" in head
        former = Former()
        former.add(pipeline)
        began = time.monotonic()
        assert former.ended() in ([], [pipeline])
        assert time.monotonic() - began < 1  # it waits for nobody
        assert pipeline.sender.wait_stopped(LIMIT_S)
        former.ended()
        assert former.pipelines == []


def test_what_waits_when_it_stops_is_sent() -> None:
    with collecting() as collector:
        endpoint = Endpoint("127.0.0.1", collector.port, "/v1/traces")
        pipeline = Pipeline(ExportPlan(flush_s=LIMIT_S), endpoint, "1.2", batch=512)
        pipeline.buffer.add(named_span("a"))
        pipeline.stop()
        assert collector.names() == ["a"]
        assert pipeline.sender.wait_stopped(LIMIT_S)
        assert pipeline.sender.metrics.sent == 1
