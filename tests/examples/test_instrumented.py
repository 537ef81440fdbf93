"""examples/instrumented.py: two services on two sockets, one trace through both, of five spans."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import ops_lib as ops
from ops_lib.spans.configured import RUNTIME
from tests.ops_lib.integrations.servers import serve_asgi


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    before = RUNTIME.snapshot()
    ops.configure(tracer_provider=provider)
    yield memory
    RUNTIME.restore(before)
    provider.shutdown()
    ops.uninstrument("fastapi", "httpx")


def test_one_trace_through_two_services(exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    from examples import instrumented  # not above: it instruments both as soon as it is imported

    ops.instrument("fastapi", "httpx", allow_hosts=["127.0.0.1", "*.internal"])  # again, where it was imported before
    with serve_asgi(instrumented.library) as library, serve_asgi(instrumented.shop) as shop:
        monkeypatch.setenv(instrumented.LIBRARY_URL, library)
        with ops.session(id="reader-7"), ops.span("buy") as span:
            answer = httpx.get(shop + "/orders/dune").json()
    assert answer == {"ordered": "dune", "session": "reader-7", "trace_id": span.trace_id}
    spans = {made.context.span_id: made for made in exporter.get_finished_spans()}
    (leaf,) = (made for made in spans.values() if made.name == "GET /books/{title}")
    line = [leaf]
    while line[-1].parent is not None:
        line.append(spans[line[-1].parent.span_id])
    assert [made.name for made in line] == ["GET /books/{title}", "GET", "GET /orders/{title}", "GET", "buy"]
    assert {made.context.trace_id for made in spans.values()} == {leaf.context.trace_id}
    assert {made.attributes["session.id"] for made in line if made.attributes is not None} == {"reader-7"}
