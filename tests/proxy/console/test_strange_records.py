"""Spans and logs with whatever protobuf can say: they are taken or rejected, and every question is still answered."""

from __future__ import annotations

import json
import random
from typing import Any, NoReturn

from lab.consoles import Console
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

ROUNDS = 12
KEYS = (
    "", "a", "http.request.method", "url.path", "url.full", "http.response.status_code", "session.id", "http.route",
    "ops.formats.read", "ops.formats.written", "ops.upstream", "server.address", "client.address", "error.type",
    "user_agent.original", "http.request.resend_count", "ops.malformed", "ops.link.method", "ops.link",
    "ops.carried_over", "service.name", "exception.message",
)  # fmt: skip
TIMES = (0, 1, (1 << 62) - 1, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1_700_000_000_000_000_000)
TEXTS = ("", "x", "\0", "é" * 50, "a" * 5000, "<b>", "GET")
PLAIN = (
    AnyValue(), AnyValue(int_value=0), AnyValue(int_value=(1 << 63) - 1), AnyValue(int_value=-(1 << 63)),
    AnyValue(double_value=float("nan")), AnyValue(double_value=float("-inf")), AnyValue(double_value=1e308),
    AnyValue(bool_value=True), AnyValue(bytes_value=b"\xff\0"), *(AnyValue(string_value=text) for text in TEXTS),
)  # fmt: skip
QUESTIONS = ("/traces", "/traces?q=dur:>1ms", "/traces?q=a", "/requests", "/sessions", "/health", "/self", "/doctor",
             "/migration", "/settings")  # fmt: skip


class Maker:
    """Makes them up."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def _value(self, depth: int = 0) -> AnyValue:
        kind = self._chance.randrange(10) if depth < 4 else 9
        if kind == 0:
            return AnyValue(array_value=ArrayValue(values=[self._value(depth + 1) for _ in range(3)]))
        if kind == 1:
            return AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="k", value=self._value(depth + 1))] * 2))
        return self._chance.choice(PLAIN)

    def _describe(self, pairs: Any) -> None:
        for _ in range(self._chance.randrange(8)):
            pairs.append(KeyValue(key=self._chance.choice(KEYS), value=self._value()))

    def _id(self, size: int) -> bytes:
        return self._chance.choice((bytes(size), b"", b"\xff" * size, bytes([self._chance.randrange(4)] * size), b"x"))

    def spans(self) -> bytes:
        made = ExportTraceServiceRequest()
        for _ in range(2):
            group = made.resource_spans.add()
            self._describe(group.resource.attributes)
            scope = group.scope_spans.add()
            scope.scope.name = self._chance.choice(("ops-sidecar", "app", "x" * 1000))
            for _ in range(6):
                span = scope.spans.add(
                    trace_id=self._id(16),
                    span_id=self._id(8),
                    parent_span_id=self._id(8),
                    name=self._chance.choice(TEXTS),
                    kind=self._chance.randrange(6),
                    start_time_unix_nano=self._chance.choice(TIMES),
                    end_time_unix_nano=self._chance.choice(TIMES),
                )
                span.status.code = self._chance.randrange(3)
                self._describe(span.attributes)
                self._describe(span.events.add(time_unix_nano=self._chance.choice(TIMES)).attributes)
                self._describe(span.links.add(trace_id=self._id(16), span_id=self._id(8)).attributes)
        return made.SerializeToString()

    def logs(self) -> bytes:
        made = ExportLogsServiceRequest()
        group = made.resource_logs.add()
        self._describe(group.resource.attributes)
        scope = group.scope_logs.add()
        scope.scope.name = self._chance.choice(("app", "ops-sidecar.report"))
        for _ in range(4):
            log = scope.log_records.add(trace_id=self._id(16), span_id=self._id(8))
            log.time_unix_nano, log.severity_number = self._chance.choice(TIMES), self._chance.randrange(25)
            log.body.CopyFrom(self._value())
            self._describe(log.attributes)
        return made.SerializeToString()


def _strict(text: str) -> Any:
    def refuse(name: str) -> NoReturn:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


async def _ask(console: Console, path: str) -> Any:
    async with console.client.get(f"{console.url}/api/v1{path}") as response:
        assert response.status in (200, 404), (path, await response.text())
        return _strict(await response.text())


async def test_strange_records_spoil_no_answer(console: Console) -> None:
    maker = Maker(7)
    for _ in range(ROUNDS):
        for _ in range(5):
            for kind, body in (("traces", maker.spans()), ("logs", maker.logs())):
                headers = {"Content-Type": "application/x-protobuf"}
                async with console.client.post(f"{console.otlp}/v1/{kind}", data=body, headers=headers) as response:
                    assert response.status == 200, await response.text()
        await console.until("/health", lambda said: not said["console"]["store"]["waiting_bytes"])
        for path in QUESTIONS:
            await _ask(console, path)
        for row in (await _ask(console, "/traces?limit=10"))["items"]:
            await _ask(console, f"/traces/{row['id']}")
            await _ask(console, f"/traces/{row['id']}?format=otlp")
        for row in (await _ask(console, "/requests?limit=10"))["items"]:
            await _ask(console, f"/requests/{row['id']}")
    assert (await _ask(console, "/health"))["console"]["lost"] == {}
