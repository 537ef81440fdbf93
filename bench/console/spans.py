"""Spans as sidecars and SDKs send them, about 450 bytes each: half of the requests are a sidecar's. Made up."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SERVICES: Final = ("gateway", "shop", "orders", "billing", "books", "stock", "mail", "search")
SPANS_OF_A_TRACE: Final = 12
BATCH: Final = 512


def bodies(number: int, batch: int = BATCH) -> Iterator[ExportTraceServiceRequest]:
    """Requests of one service each, half of them a sidecar's."""
    random.seed(7)
    for one in range(number):
        request = ExportTraceServiceRequest()
        group = request.resource_spans.add()
        attribute = group.resource.attributes.add()
        attribute.key, attribute.value.string_value = "service.name", SERVICES[one % len(SERVICES)]
        scope = group.scope_spans.add()
        scope.scope.name = "ops-sidecar" if one % 2 else "app"
        for _ in range(batch):
            span = scope.spans.add(name="GET", kind=2)
            said: dict[str, Any] = {
                "http.request.method": "GET",
                "url.path": random.choice(("/checkout", "/orders/17", "/books", "/stock/4711", "/mail")),
                "http.response.status_code": 200,
                "server.address": "shop.internal",
                "server.port": 8080,
                "network.protocol.version": "1.1",
                "user_agent.original": "okhttp/4.12",
                "client.address": "10.0.0.7",
                "session.id": f"sess-{random.randrange(5000)}",
            }
            for key, value in said.items():
                pair = span.attributes.add()
                pair.key = key
                if isinstance(value, int):
                    pair.value.int_value = value
                else:
                    pair.value.string_value = value
            for key, format in (("ops.formats.read", "b3"), ("ops.formats.written", "tracecontext")) if one % 2 else ():
                pair = span.attributes.add()
                pair.key = key
                pair.value.array_value.values.add().string_value = format
            if random.random() < 0.02:
                span.status.code = 2
        yield request


def renewed(request: ExportTraceServiceRequest) -> bytes:
    """The same request with ids and times of its own: traces of a dozen spans."""
    now = time.time_ns()
    trace, root = b"", b""
    for number, span in enumerate(request.resource_spans[0].scope_spans[0].spans):
        if number % SPANS_OF_A_TRACE == 0:
            trace, root = os.urandom(16), b""
        span.trace_id, span.span_id, span.parent_span_id = trace, os.urandom(8), root
        root = root or span.span_id
        span.start_time_unix_nano = now + number * 1000
        span.end_time_unix_nano = now + number * 1000 + random.randrange(1, 200) * 1_000_000
    body: bytes = request.SerializeToString()
    return body
