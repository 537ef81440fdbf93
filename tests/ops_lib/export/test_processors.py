"""The local receiver: used while it is there, looked for again when it is not, and never a reason for noise."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ops_lib.export.processors import RECEIVER, WhenThere, answers, processors


class Counting(SpanExporter):
    def __init__(self) -> None:
        self.batches = 0
        self.result = SpanExportResult.SUCCESS
        self.shut_down = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.batches += 1
        return self.result

    def shutdown(self) -> None:
        self.shut_down = True

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True


class World:
    def __init__(self) -> None:
        self.there, self.now, self.looked = False, 0.0, 0

    def is_there(self, address: tuple[str, int]) -> bool:
        self.looked += 1
        return self.there


def test_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        assert answers(address)
    assert not answers(address)


def test_looks_again_ever_more_rarely_and_drops_meanwhile(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    world, inner = World(), Counting()
    exporter = WhenThere(inner, RECEIVER, is_there=world.is_there, clock_s=lambda: world.now)
    spans = [ReadableSpan("s")] * 3
    looked_at = []
    for second in range(120):
        world.now = float(second)
        before = world.looked
        assert exporter.export(spans) is SpanExportResult.FAILURE
        if world.looked > before:
            looked_at.append(second)
    assert looked_at == [0, 1, 3, 7, 15, 31, 61, 91]
    assert exporter.dropped == 360
    (record,) = caplog.records  # said once, and what to do
    assert record.levelname == "WARNING"
    assert "no collector listens at 127.0.0.1:4318, so spans are dropped" in record.getMessage()
    for way in ("endpoint=", "OTEL_EXPORTER_OTLP_ENDPOINT", "exporter='console'", "exporter='none'"):
        assert way in record.getMessage()
    assert inner.batches == 0
    world.there, world.now = True, 125.0
    assert exporter.export(spans) is SpanExportResult.SUCCESS
    assert exporter.export(spans) is SpanExportResult.SUCCESS
    assert (inner.batches, world.looked) == (2, 9)  # once found, it is not looked for
    assert [record.getMessage() for record in caplog.records[1:]] == [
        "a collector listens at 127.0.0.1:4318 now; spans are exported"
    ]


def test_looks_again_at_once_when_it_is_gone() -> None:
    world, inner = World(), Counting()
    world.there = True
    exporter = WhenThere(inner, RECEIVER, is_there=world.is_there, clock_s=lambda: world.now)
    inner.result = SpanExportResult.FAILURE
    exporter.export([])
    world.there = False
    exporter.export([])
    assert (inner.batches, world.looked) == (1, 2)
    assert exporter.force_flush()
    exporter.shutdown()
    assert inner.shut_down


def test_names() -> None:
    assert processors("none") == []
    assert len(processors("console, none, console")) == 1
    for made in processors(None, environ={"OTEL_TRACES_EXPORTER": "otlp_proto_http"}):
        made.shutdown()


def test_another_protocol_is_said_not_to_be_spoken(caplog: pytest.LogCaptureFixture) -> None:
    """OTEL_EXPORTER_OTLP_PROTOCOL=grpc with port 4317 would otherwise lose every span without a word of why."""
    for protocol, warnings in (("grpc", 1), ("http/protobuf", 0), ("", 0)):
        caplog.clear()
        environ = {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
        for processor in processors("otlp", environ=environ):
            processor.shutdown()
        assert [record.getMessage().startswith("OTEL_EXPORTER_OTLP_PROTOCOL=grpc") for record in caplog.records] == (
            [True] * warnings
        )


def test_one_that_is_lost_again_is_told_of_again(caplog: pytest.LogCaptureFixture) -> None:
    """And looked for as the first time."""
    world, inner = World(), Counting()
    exporter = WhenThere(inner, RECEIVER, is_there=world.is_there, clock_s=lambda: world.now)
    inner.result = SpanExportResult.FAILURE
    for start in (0.0, 100.0):
        world.there, world.now = False, start
        exporter.export([])
        world.now += 0.5
        exporter.export([])
        assert world.looked == 1
        world.there, world.now = True, start + 1
        exporter.export([])
        assert world.looked == 2
        world.looked = 0
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert inner.batches == 2
