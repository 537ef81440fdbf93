"""OTLP over gRPC is told what to set, in words that its own client shows."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from lab.consoles import Console, sent, span


async def test_grpc_is_told_what_to_set(console: Console) -> None:
    def call() -> grpc.RpcError:
        with grpc.insecure_channel(console.otlp.removeprefix("http://")) as channel:
            export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
            with pytest.raises(grpc.RpcError) as caught:
                export(sent(span(1)).SerializeToString(), timeout=10)
            return caught.value

    for _ in range(2):
        error = await asyncio.to_thread(call)
        assert error.code() is grpc.StatusCode.UNIMPLEMENTED
        assert "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf" in error.details()
    refused = (await console.get("/health"))["console"]["refused"]
    assert refused["grpc"] in (1, 2)  # connections: the second channel may share that of the first


async def test_a_request_in_single_bytes_is_read(console: Console) -> None:
    host, _, port = console.otlp.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    for byte in b"POST /v1/nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n":
        writer.write(bytes((byte,)))
        await writer.drain()
    assert b" 404 " in await reader.readline()
    writer.close()
