"""OTLP over HTTP: what is taken, what is refused and why, and that all of it is bounded."""

from __future__ import annotations

import gzip
import json
from typing import Any

import aiohttp
import pytest
from lab.consoles import Console, Start, sent, span
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

PROTOBUF = {"Content-Type": "application/x-protobuf"}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


async def post(console: Console, body: bytes, path: str = "/v1/traces", **headers: str) -> tuple[int, bytes]:
    named = {**PROTOBUF, **{name.replace("_", "-"): value for name, value in headers.items()}}
    async with console.client.post(console.otlp + path, data=body, headers=named) as response:
        return response.status, await response.read()


def otlp_json(**more: Any) -> dict[str, Any]:
    made = {
        "traceId": TRACE,
        "spanId": "00f067aa0ba902b7",
        "name": "GET /",
        "kind": 2,
        "startTimeUnixNano": "1796024400000000000",
        "endTimeUnixNano": 1796024400010000000,
        "attributes": [{"key": "n", "value": {"intValue": "7"}}],
        "links": [{"traceId": TRACE, "spanId": "00f067aa0ba902b8"}],
        "unknownField": True,
        **more,
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "web"}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "js"}, "spans": [made]}]}]}


async def test_json(console: Console) -> None:
    status, body = await post(console, json.dumps(otlp_json()).encode(), Content_Type="application/json")
    assert (status, json.loads(body)) == (200, {})
    await console.until("/traces", lambda said: said["items"])
    (one,) = (await console.get(f"/traces/{TRACE}"))["spans"]
    assert (one["service"], one["ms"], one["attrs"]["n"], one["links"][0]["span"]) == ("web", 10, 7, "00f067aa0ba902b8")


async def test_gzip(console: Console) -> None:
    body = gzip.compress(sent(span(1)).SerializeToString())
    assert (await post(console, body, Content_Encoding="gzip"))[0] == 200
    await console.until("/traces", lambda said: said["items"])


async def test_a_body_that_comes_twice_counts_once(console: Console) -> None:
    body = sent(span(1)).SerializeToString()
    for _ in range(3):
        assert (await post(console, body))[0] == 200
    await post(console, sent(span(2)).SerializeToString())
    said = await console.until("/traces", lambda said: said["items"] and said["items"][0]["spans_count"] > 1)
    assert said["items"][0]["spans_count"] == 2


async def test_partial_success_says_what_was_not_taken(console: Console) -> None:
    bad = span(2)
    bad.trace_id = b"short"
    status, body = await post(console, sent(span(1), bad).SerializeToString())
    partial = ExportTraceServiceResponse.FromString(body).partial_success
    assert (status, partial.rejected_spans) == (200, 1)
    assert "16 bytes" in partial.error_message
    said = await console.until("/traces", lambda said: said["items"])
    assert said["items"][0]["spans_count"] == 1


async def test_partial_success_in_json(console: Console) -> None:
    body = json.dumps(otlp_json(spanId="00")).encode()
    status, answer = await post(console, body, Content_Type="application/json")
    assert status == 200
    said = json.loads(answer)["partialSuccess"]
    assert said.pop("errorMessage")
    assert said == {"rejectedSpans": "1"}


@pytest.mark.parametrize(
    ("body", "headers", "status", "says"),
    [
        (b"\xff\xff\xff", {}, 400, b"not an ExportTraceServiceRequest in protobuf"),
        (b"{", {"Content_Type": "application/json"}, 400, b"not JSON"),
        (b"[]", {"Content_Type": "application/json"}, 400, b"not a JSON object"),
        (b'{"resourceSpans": 1}', {"Content_Type": "application/json"}, 400, b"OTLP/JSON"),
        (b"[" * 100_000, {"Content_Type": "application/json"}, 400, b"not JSON"),
        (b"", {"Content_Type": "text/plain"}, 415, b"expected application/x-protobuf"),
        (b"", {"Content_Type": "application/grpc"}, 415, b"in HTTP/2 with prior knowledge"),
        (b"", {"Content_Encoding": "zstd"}, 415, b"expected gzip"),
        (b"plain", {"Content_Encoding": "gzip"}, 400, b"not gzip"),
        (gzip.compress(b"12345678", mtime=0)[:-6], {"Content_Encoding": "gzip"}, 400, b"ends too early"),
    ],
)  # fmt: skip
async def test_refused(console: Console, body: bytes, headers: dict[str, str], status: int, says: bytes) -> None:
    answered, said = await post(console, body, **headers)
    assert answered == status
    assert says in said
    assert (await post(console, sent(span(1)).SerializeToString()))[0] == 200


@pytest.mark.slow
async def test_a_gzip_bomb_is_refused(console: Console) -> None:
    bomb = gzip.compress(bytes(80 * 1024 * 1024), 1)
    assert len(bomb) < 1_000_000
    status, said = await post(console, bomb, Content_Encoding="gzip")
    assert status == 413
    assert b"unpacks to more than" in said


async def test_100_megabytes_are_refused_before_they_come(console: Console) -> None:
    async def zeros() -> Any:
        for _ in range(100):
            yield bytes(1024 * 1024)

    headers = {**PROTOBUF, "Content-Length": str(100 * 1024 * 1024)}
    try:
        async with console.client.post(f"{console.otlp}/v1/traces", data=zeros(), headers=headers) as response:
            assert response.status == 413
            assert b"OTEL_BSP_MAX_EXPORT_BATCH_SIZE" in await response.read()
    except aiohttp.ClientConnectionError:  # it closed while we were still sending
        pass
    assert (await console.get("/health"))["console"]["refused"]["body-too-large"] == 1


async def test_other_paths_and_methods(console: Console) -> None:
    assert (await post(console, b"", "/v1/nothing"))[0] == 404
    async with console.client.get(f"{console.otlp}/v1/traces") as response:
        assert response.status == 405


async def test_a_token(start_console: Start) -> None:
    console = await start_console(otlp_token="let-me-in-please")
    body = sent(span(1)).SerializeToString()
    status, said = await post(console, body)
    assert status == 401
    assert b"OTEL_EXPORTER_OTLP_HEADERS" in said
    assert (await post(console, body, Authorization="Bearer let-me-in-please"))[0] == 200


async def test_pages_of_the_settings_may_send(start_console: Start) -> None:
    console = await start_console(cors_origins=("https://shop.example",))
    body = sent(span(1)).SerializeToString()
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    async with console.client.options(f"{console.otlp}/v1/traces", headers=asked) as response:
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Origin"] == "https://shop.example"
    assert (await post(console, body, Origin="https://shop.example"))[0] == 200
    status, said = await post(console, body, Origin="https://evil.example", Content_Type="application/json")
    assert status == 403
    assert b"pages of this origin may not send; the setting console.cors_origins allows it" in said


async def test_no_page_may_send_by_default(console: Console) -> None:
    assert (await post(console, sent(span(1)).SerializeToString(), Origin=console.otlp))[0] == 403
    assert (await console.get("/traces"))["total"] == 0


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("/v1/nothing", {}, 404, 3),
        ("/v1/traces", {"Content_Encoding": "zstd"}, 415, 3),
        ("/v1/traces", {}, 400, 3),
    ],
)
async def test_a_refusal_is_a_status_of_grpc(
    console: Console, path: str, headers: dict[str, str], status: int, code: int
) -> None:
    """As OTLP has it: google.rpc.Status, whose 3 is INVALID_ARGUMENT."""
    answered, said = await post(console, b"{", path, Content_Type="application/json", **headers)
    assert (answered, json.loads(said)["code"]) == (status, code)
