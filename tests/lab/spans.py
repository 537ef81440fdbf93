"""A request that is sampled, and what its span says."""

from __future__ import annotations

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from lab.messages import Message

T, S = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
B3 = f"X-B3-TraceId: {T}\r\nX-B3-SpanId: {S}\r\nX-B3-Sampled: 1\r\n".encode()
OTHER = "1" * 32


def request(fields: bytes = b"", target: bytes = b"/orders/7?card=4711", method: bytes = b"GET") -> bytes:
    return b"%b %b HTTP/1.1\r\nHost: shop.internal:8080\r\n%b\r\n" % (method, target, fields)


def ids(span: Span) -> tuple[str, str, str]:
    return span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()


def value(message: Message, name: str) -> str:
    return (message.head.value(name) or b"").decode()
