"""A console end to end: OTLP in, the API out."""

from __future__ import annotations

import asyncio
from pathlib import Path

from lab.consoles import Console, hop, running, sent, span
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor


async def test_spans_that_came_are_listed_as_a_trace(console: Console) -> None:
    await console.send(sent(span(1, name="GET /checkout"), span(2, parent=1), service="shop"))
    await console.send(sent(span(3, parent=2, error=True), service="orders"))
    said = await console.until("/traces", lambda said: said["items"] and said["items"][0]["errors"])
    (row,) = said["items"]
    assert row["root"] == {"service": "shop", "name": "GET /checkout"}
    assert row["services"] == [{"name": "shop", "spans": 2}, {"name": "orders", "spans": 1}]
    assert said["total"] == 1


async def test_the_official_sdk_sends_to_it(console: Console) -> None:
    provider = TracerProvider(resource=Resource.create({"service.name": "books"}))
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{console.otlp}/v1/traces")))

    def work() -> str:
        tracer = provider.get_tracer("test")
        with tracer.start_as_current_span("outer") as outer, tracer.start_as_current_span("inner"):
            pass
        provider.shutdown()
        return format(outer.get_span_context().trace_id, "032x")

    trace = await asyncio.to_thread(work)
    await console.until("/traces", lambda said: said["items"] and said["items"][0]["spans_count"] == 2)
    said = await console.get(f"/traces/{trace}")
    assert [one["name"] for one in said["spans"]] == ["outer", "inner"]
    assert said["spans"][1]["parent"] == said["spans"][0]["id"]


async def test_a_sidecars_span_is_a_request_too(console: Console) -> None:
    await console.send(sent(hop(7), service="orders", scope="ops-sidecar"))
    said = await console.until("/requests", lambda said: said["items"])
    (row,) = said["items"]
    assert (row["in"], row["out"], row["status"], row["to"]) == (["b3"], ["tracecontext"], 200, "orders")
    trace = await console.get(f"/traces/{row['trace']}")
    assert trace["spans"][0]["request"] == row["id"]
    assert (await console.get(f"/requests/{row['id']}"))["headers"] is False


async def test_a_file_survives_a_restart(tmp_path: Path) -> None:
    store = str(tmp_path / "traces.db")
    async with running(store=store) as console:
        await console.send(sent(span(1)))
    async with running(store=store) as console:
        assert (await console.get("/traces"))["total"] == 1
        await console.send(sent(span(2, parent=1)))
        await console.until("/traces", lambda said: said["items"][0]["spans_count"] == 2)


async def test_at_the_end_no_connection_is_left_open() -> None:
    """Neither a page's nor a sender's, which may be idle and kept."""
    async with running() as console:
        ends = []
        for url in (console.url, console.otlp):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 ")
            ends.append((reader, writer))
    for reader, writer in ends:
        async with asyncio.timeout(10):
            await reader.read()
        writer.close()
