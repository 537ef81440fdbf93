"""Recorded spans for every test here, whatever thread makes them; nothing stays instrumented after a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

import ops_lib as ops
from ops_lib.integrations import aiohttp, httpx, requests, urllib3
from ops_lib.spans.configured import RUNTIME
from tests.ops_lib.integrations.clients import CLIENTS, Client
from tests.ops_lib.integrations.servers import Recorder


class Spans:
    """The finished spans of a test."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def of(self, kind: SpanKind) -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if span.kind is kind]

    @property
    def client(self) -> list[ReadableSpan]:
        return self.of(SpanKind.CLIENT)

    @property
    def server(self) -> list[ReadableSpan]:
        return self.of(SpanKind.SERVER)

    @property
    def internal(self) -> list[ReadableSpan]:
        return self.of(SpanKind.INTERNAL)

    def clear(self) -> None:
        self._exporter.clear()


@pytest.fixture
def spans() -> Iterator[Spans]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    before = RUNTIME.snapshot()
    ops.configure(tracer_provider=provider)
    yield Spans(exporter)
    RUNTIME.restore(before)
    provider.shutdown()


@pytest.fixture(autouse=True)
def uninstrumented() -> Iterator[None]:
    yield
    for module in (aiohttp, httpx, requests, urllib3):
        module.uninstrument()
    ops.reset_propagator()


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> Client:
    return Client(request.param)


@pytest.fixture(scope="module")
def server() -> Iterator[Recorder]:
    with Recorder() as recorder:
        yield recorder


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Recorder]:
    with Recorder() as recorder:
        yield recorder
