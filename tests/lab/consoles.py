"""A console in the test's own loop, on free ports, and spans to send to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from proxy.console.run import running_console
from proxy.plan.console import ConsolePlan

WAIT_S = 10.0
NOW_NS = time.time_ns()


def value(said: Any) -> AnyValue:
    """An attribute's value."""
    if isinstance(said, bool):
        return AnyValue(bool_value=said)
    if isinstance(said, int):
        return AnyValue(int_value=said)
    if isinstance(said, list):
        return AnyValue(array_value=ArrayValue(values=[value(one) for one in said]))
    return AnyValue(string_value=said)


def pairs(said: dict[str, Any]) -> list[KeyValue]:
    """Attributes."""
    return [KeyValue(key=key, value=value(one)) for key, one in said.items()]


def span(number: int, *, trace: int = 1, parent: int = 0, name: str = "", **more: Any) -> Span:
    """A span of 10 ms; `attributes`, `start_ms`, `ms`, `error` and `kind` may be told."""
    begun = NOW_NS + int(more.get("start_ms", 0) * 1e6)
    made = Span(
        trace_id=trace.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        name=name or f"work {number}",
        kind=more.get("kind", 1),
        start_time_unix_nano=begun,
        end_time_unix_nano=begun + int(more.get("ms", 10) * 1e6),
        attributes=pairs(more.get("attributes", {})),
    )
    if more.get("error"):
        made.status.code = 2
    return made


def sent(*spans: Span, service: str = "shop", scope: str = "app") -> ExportTraceServiceRequest:
    """A request with these spans of one service."""
    group = ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])
    group.resource.attributes.extend(pairs({"service.name": service}))
    group.scope_spans[0].scope.name = scope
    return ExportTraceServiceRequest(resource_spans=[group])


def hop(number: int, *, read: str = "b3", written: str = "tracecontext", **more: Any) -> Span:
    """A sidecar's own span."""
    attributes = {
        "ops.listener": "inbound",
        "ops.upstream": "app",
        "ops.formats.read": [read],
        "ops.formats.written": [written],
        "http.request.method": "GET",
        "url.path": "/orders",
        "http.response.status_code": 200,
        **more.pop("attributes", {}),
    }
    return span(number, kind=2, attributes=attributes, **{"name": "GET", **more})


@dataclass
class Console:
    """A console and a client of it."""

    url: str
    otlp: str
    client: aiohttp.ClientSession
    headers: dict[str, str] = field(default_factory=dict)

    async def send(self, request: ExportTraceServiceRequest, **more: Any) -> aiohttp.ClientResponse:
        """POST to /v1/traces, as protobuf."""
        headers = {"Content-Type": "application/x-protobuf", **more.pop("headers", {})}
        return await self.client.post(
            f"{self.otlp}/v1/traces", data=request.SerializeToString(), headers=headers, **more
        )

    async def get(self, path: str) -> Any:
        """The JSON of a GET below /api/v1, which has to be 200."""
        async with self.client.get(f"{self.url}/api/v1{path}", headers=self.headers) as response:
            assert response.status == 200, (path, await response.text())
            return await response.json()

    async def until(self, path: str, is_so: Callable[[Any], bool]) -> Any:
        """The first answer that is so: what was sent is written by a thread of its own."""
        async with asyncio.timeout(WAIT_S):
            while True:
                async with self.client.get(f"{self.url}/api/v1{path}", headers=self.headers) as response:
                    said = await response.json() if response.status == 200 else None
                if said is not None and is_so(said):
                    return said
                await asyncio.sleep(0.01)


@asynccontextmanager
async def running(**plan: Any) -> AsyncIterator[Console]:
    """A console; keywords are those of ConsolePlan."""
    chosen = ConsolePlan(**{"listen": "127.0.0.1:0", "otlp": "127.0.0.1:0", **plan})
    async with (
        running_console(chosen) as addresses,
        aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True)  # of addresses, too
        ) as client,
    ):
        url, _, token = addresses.url.partition("/?token=")
        yield Console(url, addresses.otlp, client, {"Authorization": f"Bearer {token}"} if token else {})


Start = Callable[..., Awaitable[Console]]


@pytest.fixture
async def start_console() -> AsyncIterator[Start]:
    """Starts consoles: keywords are those of ConsolePlan."""
    async with AsyncExitStack() as stack:

        async def start(**plan: Any) -> Console:
            return await stack.enter_async_context(running(**plan))

        yield start


@pytest.fixture
async def console(start_console: Start) -> Console:
    """A console in memory."""
    return await start_console()
