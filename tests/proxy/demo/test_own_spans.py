"""What the demo's services report: one span, with its parent. A collector that is gone changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import ClientSession, web

from proxy.demo.dialects import Span
from proxy.demo.own_spans import document, report
from proxy.demo.services import SERVICES, Call, build

TRACE, PARENT = "a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_a_64_bit_trace_is_padded() -> None:
    """OTLP knows 128 bits alone."""
    told = document("orders", "POST /orders", Span(TRACE, "1" * 16, "accept", PARENT), 1, 2)
    (span,) = told["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert (span["traceId"], span["parentSpanId"]) == (f"{TRACE:0>32}", PARENT)


async def test_nobody_there() -> None:
    async with ClientSession() as session:
        assert not await report(session, "http://127.0.0.1:1", {})


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
