"""OTLP over gRPC: what the official exporters send is taken, the rest refused with a status, and all of it bounded."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from lab.consoles import Console, Start, sent, span
from lab.h2 import DATA, HEADERS, Peer, client
from lab.sidecar import connect
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from proxy.plan import Address

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def target(console: Console) -> str:
    return console.otlp.removeprefix("http://")


async def export(
    console: Console, body: bytes, *, path: str = EXPORT, **more: Any
) -> tuple[grpc.StatusCode, str, bytes]:
    """One call with these bytes: its status, its message, its answer."""

    def call() -> tuple[grpc.StatusCode, str, bytes]:
        options = (("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1))
        with grpc.insecure_channel(target(console), options=options) as channel:
            try:
                return grpc.StatusCode.OK, "", channel.unary_unary(path)(body, timeout=30, **more)
            except grpc.RpcError as error:
                return error.code(), error.details(), b""

    return await asyncio.to_thread(call)


async def refused(console: Console) -> dict[str, int]:
    said: dict[str, int] = (await console.get("/health"))["console"]["refused"]
    return said


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_spans_of_the_official_exporter(console: Console, compression: grpc.Compression) -> None:
    def send() -> str:
        exporter = OTLPSpanExporter(endpoint=console.otlp, insecure=True, compression=compression)
        provider = TracerProvider(resource=Resource.create({"service.name": "python-shop"}))
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        tracer = provider.get_tracer("made-here")
        with tracer.start_as_current_span("outer") as outer, tracer.start_as_current_span("inner", attributes={"n": 7}):
            pass
        provider.shutdown()
        return format(outer.get_span_context().trace_id, "032x")

    trace = await asyncio.to_thread(send)
    names = {"outer", "inner"}
    said = await console.until(f"/traces/{trace}", lambda said: {one["name"] for one in said["spans"]} == names)
    assert {one["service"] for one in said["spans"]} == {"python-shop"}


async def test_logs_and_metrics_of_the_official_exporters(console: Console) -> None:
    def send() -> None:
        logs = LoggerProvider()
        logs.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(endpoint=console.otlp, insecure=True)))
        logs.get_logger("a").emit(LogRecord(body="hello", severity_number=SeverityNumber.INFO))
        logs.shutdown()
        exporter = OTLPMetricExporter(endpoint=console.otlp, insecure=True)
        metrics = MeterProvider([PeriodicExportingMetricReader(exporter, 60_000)])
        metrics.get_meter("a").create_counter("c").add(3)
        metrics.shutdown()

    await asyncio.to_thread(send)
    said = (await console.get("/health"))["console"]
    assert (said["received"]["logs"], said["received"]["metrics"] >= 1, said["refused"]) == (1, True, {})


async def test_a_token_in_the_metadata(start_console: Start) -> None:
    console = await start_console(otlp_token="secret-of-otlp")
    body = sent(span(1)).SerializeToString()
    code, detail, _ = await export(console, body)
    assert code is grpc.StatusCode.UNAUTHENTICATED
    assert "OTEL_EXPORTER_OTLP_HEADERS" in detail
    assert (await export(console, body, metadata=(("authorization", "Bearer wrong"),)))[0].name == "UNAUTHENTICATED"
    assert (await export(console, body, metadata=(("authorization", "Bearer secret-of-otlp"),)))[0].name == "OK"
    assert (await refused(console))["token"] == 2


async def test_partial_success_says_what_was_not_taken(console: Console) -> None:
    bad = span(2)
    bad.trace_id = b"short"
    code, _, body = await export(console, sent(span(1), bad).SerializeToString())
    partial = ExportTraceServiceResponse.FromString(body).partial_success
    assert (code, partial.rejected_spans) == (grpc.StatusCode.OK, 1)
    assert "16 bytes" in partial.error_message


async def test_a_retry_counts_once_whichever_way_it_comes(console: Console) -> None:
    request = sent(span(1))
    assert (await export(console, request.SerializeToString()))[0] is grpc.StatusCode.OK
    assert (await console.send(request)).status == 200
    assert (await console.get("/health"))["console"]["repeated"] == 1


@pytest.mark.parametrize(
    ("body", "path", "code", "says"),
    [
        (b"\xff\xff\xff", EXPORT, "INVALID_ARGUMENT", "not an ExportTraceServiceRequest"),
        (b"", EXPORT.replace("Trace", "Profiles"), "UNIMPLEMENTED", "Export of TraceService"),
        (bytes(33 * 1024 * 1024), EXPORT, "RESOURCE_EXHAUSTED", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"),
    ],
    ids=("malformed", "unknown service", "too large"),
)
async def test_refused(console: Console, body: bytes, path: str, code: str, says: str) -> None:
    answered, detail, _ = await export(console, body, path=path)
    assert answered.name == code
    assert says in detail
    assert (await export(console, sent(span(1)).SerializeToString()))[0] is grpc.StatusCode.OK


@pytest.mark.slow
async def test_a_gzip_bomb_is_refused(console: Console) -> None:
    code, detail, _ = await export(console, bytes(80 * 1024 * 1024), compression=grpc.Compression.Gzip)
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "unpacks to more than" in detail


# --- frame by frame


@contextmanager
def knocking(console: Console) -> Iterator[Peer]:
    host, _, port = target(console).partition(":")
    peer = client(connect(Address(host, int(port))))
    try:
        yield peer
    finally:
        peer.close()


def message(body: bytes, *, packed: bool = False) -> bytes:
    return bytes((packed,)) + len(body).to_bytes(4, "big") + body


def ask(peer: Peer, content: bytes, *, encoding: str = "", piece: int = 0) -> dict[str, str]:
    """A call with this content; what its trailers say."""
    stream = peer.call(EXPORT, [("grpc-encoding", encoding)] if encoding else [])
    step = piece or max(1, len(content))
    for at in range(0, len(content), step):
        peer.data(stream, content[at : at + step])
    peer.data(stream, b"", end=True)
    while True:
        came = peer.frame(HEADERS, DATA, stream=stream)
        if came.ends:
            return dict(came.fields)


BODY = sent(span(1)).SerializeToString()


@pytest.mark.parametrize(
    ("content", "encoding", "piece", "status"),
    [
        (message(BODY), "", 0, "0"),
        (message(BODY), "", 1, "0"),
        (message(BODY), "gzip", 0, "0"),
        (message(gzip.compress(BODY), packed=True), "gzip", 3, "0"),
        (message(gzip.compress(BODY), packed=True), "", 0, "13"),
        (message(BODY, packed=True), "gzip", 0, "3"),
        (message(BODY), "zstd", 0, "12"),
        (message(BODY)[:-1], "", 0, "3"),
        (message(BODY)[:4], "", 0, "3"),
        (b"", "", 0, "3"),
        (message(BODY) * 2, "", 0, "3"),
        (b"\x02" + message(BODY)[1:], "", 0, "13"),
    ],
    ids=(
        "plain",
        "plain, byte by byte",
        "plain, though it may be packed",
        "packed, in pieces",
        "packed, but not said how",
        "not packed, but said to be",
        "unknown encoding",
        "cut",
        "prefix cut",
        "nothing",
        "two",
        "unknown flag",
    ),
)
async def test_messages(console: Console, content: bytes, encoding: str, piece: int, status: str) -> None:
    def talk() -> str:
        with knocking(console) as peer:
            return ask(peer, content, encoding=encoding, piece=piece)["grpc-status"]

    assert await asyncio.to_thread(talk) == status


async def test_what_is_no_call(console: Console) -> None:
    def talk() -> list[int]:
        with knocking(console) as peer:
            get = peer.request(EXPORT)
            posted = peer.request(EXPORT, [("content-type", "application/x-protobuf")], method="POST")
            return [peer.answer(get).status, peer.answer(posted).status]

    assert await asyncio.to_thread(talk) == [405, 415]


async def test_many_calls_at_once_and_one_that_is_taken_back(console: Console) -> None:
    """What was held of the one that never came whole is free again."""

    def talk() -> list[str]:
        with knocking(console) as peer:
            half = peer.call(EXPORT)
            peer.data(half, message(bytes(100_000))[:50_000])
            peer.reset(half)
            streams = [peer.call(EXPORT) for _ in range(30)]
            for number, stream in enumerate(streams):
                peer.data(stream, message(sent(span(number + 1)).SerializeToString()), end=True)
            return [str(peer.answer(stream).field("grpc-status")) for stream in streams]

    assert await asyncio.to_thread(talk) == ["0"] * 30
    said = await console.until("/traces", lambda said: said["items"] and said["items"][0]["spans_count"] == 30)
    assert said["items"]


async def test_a_flood_ends_in_goaway(console: Console) -> None:
    def talk() -> bool:
        with knocking(console) as peer:
            with contextlib.suppress(OSError):  # it ends before all are sent
                for _ in range(300):
                    peer.reset(peer.call(EXPORT))
            return peer.goaway().number == 11 and peer.is_over()

    assert await asyncio.to_thread(talk)
    assert (await refused(console))["http2"] == 1
    assert (await export(console, BODY))[0] is grpc.StatusCode.OK


async def test_connections_that_have_ended_make_room(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most so many are open at once, however many there were."""
    monkeypatch.setattr("proxy.console.server.grpc._MOST_CONNECTIONS", 1)
    for number in range(1, 4):
        body = sent(span(number)).SerializeToString()
        async with asyncio.timeout(10):  # the end of the one before may be heard of a moment later
            while (await export(console, body))[0] is not grpc.StatusCode.OK:
                pass
