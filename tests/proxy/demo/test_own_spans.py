"""What the demo's services report: one span, with its parent. A collector that is gone changes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import ClientSession, web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan

from proxy.console.intake.otlp_json import read_json
from proxy.demo.dialects import Span
from proxy.demo.own_spans import document, report
from proxy.demo.services import SERVICES, Call, build

TRACE, PARENT = "a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_what_is_reported_is_otlp() -> None:
    """One server span, of a service. A trace of 64 bits is padded: OTLP knows 128 bits alone."""
    told = document("orders", "POST /orders", Span(TRACE, "1" * 16, "accept", PARENT), 1, 2)
    (of_service,) = read_json(ExportTraceServiceRequest, json.dumps(told).encode()).resource_spans
    (named,) = of_service.resource.attributes
    assert (named.key, named.value.string_value) == ("service.name", "orders")
    (scoped,) = of_service.scope_spans
    assert scoped.scope.name == "demo"
    (span,) = scoped.spans
    assert (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()) == (f"{TRACE:0>32}", "1" * 16, PARENT)
    assert (span.name, span.kind) == ("POST /orders", OtlpSpan.SPAN_KIND_SERVER)
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (1, 2)


async def test_nobody_there() -> None:
    async with ClientSession() as session:
        assert not await report(session, "http://127.0.0.1:1", {})


@pytest.mark.parametrize(("status", "took"), [(200, True), (202, False), (503, False)])
async def test_whether_it_was_taken(aiohttp_server: Any, status: int, took: bool) -> None:
    async def take(request: web.Request) -> web.Response:
        assert await request.json() == {"a": 1}
        return web.Response(status=status)

    app = web.Application()
    app.router.add_post("/base/v1/traces", take)
    url = str((await aiohttp_server(app)).make_url("/base/"))
    async with ClientSession() as session:
        assert await report(session, url, {"a": 1}) is took


@pytest.mark.parametrize(("sampled", "told"), [("1", 1), ("0", 0)])
async def test_a_service_reports_its_span(aiohttp_client: Any, aiohttp_server: Any, sampled: str, told: int) -> None:
    """A sampled one, from the caller's span to the call that it makes."""
    spans: list[Any] = []
    calls: list[dict[str, str]] = []

    async def take(request: web.Request) -> web.Response:
        spans.append((await request.json())["resourceSpans"][0]["scopeSpans"][0]["spans"][0])
        return web.json_response({})

    async def serve(request: web.Request) -> web.Response:
        calls.append(dict(request.headers))
        return web.json_response({"hops": [], "errors": []})

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    app.router.add_post("/charges", serve)
    url = str((await aiohttp_server(app)).make_url("")).rstrip("/")
    client = await aiohttp_client(build(SERVICES["orders"], Call(f"{url}/charges"), url))
    headers = {"X-B3-TraceId": TRACE, "X-B3-SpanId": PARENT, "X-B3-Sampled": sampled}
    assert (await client.post("/orders", headers=headers)).status == 200
    assert len(spans) == told
    for span in spans:
        assert (span["name"], span["parentSpanId"], span["spanId"]) == (
            "POST /orders",
            PARENT,
            calls[0]["X-B3-SpanId"],
        )
