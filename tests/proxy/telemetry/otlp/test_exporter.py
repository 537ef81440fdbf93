"""The exporter over reloads and at the end, with collectors on real sockets."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest
from lab.collectors import LIMIT_S, answer, collecting, named_span
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from proxy.plan.export import Endpoint, ExportPlan
from proxy.telemetry.exposition import Family, Sample
from proxy.telemetry.otlp.exporter import Exporter
from proxy.telemetry.otlp.metric import metrics


def plan(port: int) -> ExportPlan:
    """Batches leave at the tick."""
    return ExportPlan(Endpoint("127.0.0.1", port, "/v1/traces"), resource=(("service.name", "shop"),), delay_s=0.001)


def finish(exporter: Exporter, span: bytes) -> None:
    """A span ends: it goes where spans go at present."""
    if exporter.outlet.buffer is not None:
        exporter.outlet.buffer.add(span)


async def test_spans_leave_at_the_tick_with_the_resource_of_the_plan() -> None:
    exporter = Exporter("1.2")
    with collecting() as collector:
        exporter.use(plan(collector.port))
        finish(exporter, named_span("a"))
        exporter.on_tick(1.0)
        (resource,) = (await asyncio.to_thread(collector.next_request)).resource_spans
        described = {each.key: each.value.string_value for each in resource.resource.attributes}
        assert (described["service.name"], described["telemetry.sdk.version"]) == ("shop", "1.2")
        assert resource.scope_spans[0].scope.name == "ops-sidecar"
        await exporter.stop()
    assert exporter.counts().exported == 1


async def test_a_reload_sends_what_waits_to_where_it_was_meant_for() -> None:
    exporter = Exporter("1.2")
    with collecting() as first, collecting() as second:
        exporter.use(plan(first.port))
        finish(exporter, named_span("a"))
        exporter.use(plan(second.port))
        finish(exporter, named_span("b"))
        exporter.on_tick(1.0)
        assert await asyncio.to_thread(first.names) == ["a"]
        assert await asyncio.to_thread(second.names) == ["b"]
        await exporter.stop()
    assert exporter.counts().exported == 2


async def test_the_same_plan_keeps_its_connection() -> None:
    exporter = Exporter("1.2")
    with collecting() as collector:
        for name in ("a", "b"):
            exporter.use(plan(collector.port))
            finish(exporter, named_span(name))
            exporter.on_tick(time.monotonic())
            assert await asyncio.to_thread(collector.names) == [name]
            await asyncio.sleep(0.01)
        await exporter.stop()
    assert collector.connections == 1


async def test_export_switched_off_and_on() -> None:
    exporter = Exporter("1.2")
    finish(exporter, named_span("lost, as nobody asked for it"))
    assert exporter.outlet.buffer is None
    with collecting() as collector:
        exporter.use(plan(collector.port))
        assert exporter.outlet.buffer is not None
        exporter.use(ExportPlan())
        assert exporter.outlet.buffer is None
        await exporter.stop()
    assert exporter.counts().exported == 0


async def test_a_dead_collector_holds_up_no_end_and_is_counted() -> None:
    exporter = Exporter("1.2")
    with collecting() as gone:
        port = gone.port
    exporter.use(replace(plan(port), flush_s=0.2))
    finish(exporter, named_span("a"))
    async with asyncio.timeout(LIMIT_S):
        await exporter.stop()
    assert exporter.counts().dropped == {"stopped": 1}


async def test_what_a_collector_refuses_is_called_by_its_name(caplog: pytest.LogCaptureFixture) -> None:
    exporter = Exporter("1.2", lambda: metrics([Family("x", "gauge", "X.", [Sample((), 1)])], 0, 1))
    with collecting(answer(400)) as of_spans, collecting(answer(400)) as of_metrics:
        endpoint = Endpoint("127.0.0.1", of_metrics.port, "/v1/metrics")
        exporter.use(replace(plan(of_spans.port), metrics=endpoint))
        finish(exporter, named_span("a"))
        exporter.on_tick(1.0)
        await asyncio.to_thread(of_spans.next)
        await asyncio.to_thread(of_metrics.next)
        await exporter.stop()
    assert sorted(record.getMessage() for record in caplog.records) == sorted(
        f"http://127.0.0.1:{collector.port}/v1/{kind} refuses {name}: it answered 400"
        for collector, kind, name in ((of_spans, "traces", "spans"), (of_metrics, "metrics", "metrics"))
    )


async def test_metrics_leave_at_their_interval_and_at_the_end() -> None:
    numbers = iter(range(1, 100))
    exporter = Exporter("1.2", lambda: metrics([Family("x", "gauge", "X.", [Sample((), next(numbers))])], 0, 1))
    with collecting() as collector:
        endpoint = Endpoint("127.0.0.1", collector.port, "/v1/metrics")
        exporter.use(ExportPlan(metrics=endpoint, metrics_interval_s=60))
        assert exporter.outlet.buffer is None  # that is of spans
        exporter.on_tick(1000.0)
        head, body = await asyncio.to_thread(collector.next)
        assert head.startswith(b"POST /v1/metrics ")
        assert figure(body) == 1
        now = 1000.0
        while collector.requests.empty():  # not before the answer to the first has come
            now += 60
            exporter.on_tick(now)
            await asyncio.sleep(0.01)
        assert figure((await asyncio.to_thread(collector.next))[1]) == 2
        await exporter.stop()  # whether or not that one was answered
        assert figure((await asyncio.to_thread(collector.next))[1]) == 3
    assert exporter.counts().exported == 0


def figure(body: bytes) -> int:
    """The only metric's value."""
    (resource,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
    number: int = resource.scope_metrics[0].metrics[0].gauge.data_points[0].as_int
    return number


async def test_no_room_is_counted_with_its_reason() -> None:
    exporter = Exporter("1.2")
    with collecting() as collector:
        exporter.use(replace(plan(collector.port), queue_spans=2))
        for _ in range(5):
            finish(exporter, named_span("a"))
        assert exporter.counts().waiting_bytes > 0
        await exporter.stop()
    counts = exporter.counts()
    assert (counts.exported, counts.dropped, counts.waiting_bytes) == (2, {"queue-full": 3}, 0)
