"""A real sidecar reports to a real console, over real sockets; what is asked is answered by the API."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from lab.consoles import Console, pairs
from lab.process import SidecarProcess
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

T, S = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
ANYWHERE = ("--inbound", "127.0.0.1:0", "--outbound", "127.0.0.1:0", "--admin", "off")
B3 = {"X-B3-TraceId": T, "X-B3-SpanId": S, "X-B3-Sampled": "0"}


@pytest.fixture
def app() -> Iterator[str]:
    """The URL of an app that answers everything."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@contextlib.asynccontextmanager
async def reporting(console: Console, app: str, *more: str, **environ: str) -> Any:
    """A sidecar of the service `shop`."""
    arguments = (*ANYWHERE, "--app", app, "--set", f"console.report.endpoint={console.otlp}", *more)
    settings = {"OTEL_SERVICE_NAME": "shop", **environ}
    sidecar = await asyncio.to_thread(SidecarProcess, *arguments, environ=settings)
    try:
        yield sidecar
    finally:
        await asyncio.to_thread(sidecar.__exit__, None, None, None)


async def test_a_request_that_nobody_samples_is_a_row_with_its_headers(console: Console, app: str) -> None:
    async with reporting(console, app) as sidecar:
        headers = {**B3, "Authorization": "Bearer s3cret", "baggage": "tier=gold"}
        await asyncio.to_thread(sidecar.get, "/orders/7?card=4711", **headers)
        page = await console.until("/requests", lambda said: said["items"])
        (row,) = page["items"]
        assert row | {"id": "", "at": 0, "ms": 0} == {
            "id": "",
            "at": 0,
            "sidecar": "shop",
            "leg": "in",
            "from": "127.0.0.1",
            "to": "shop",
            "method": "GET",
            "target": "/orders/7",
            "status": 200,
            "fault": None,
            "ms": 0,
            "in": ["b3multi"],
            "out": ["tracecontext"],
            "winner": "b3multi",
            "trace": T,
            "span": S,
            "sampling": "deny",
            "short": False,
            "session": None,
            "notes": ["deny"],
            "probe": False,
            "retries": 0,
        }
        told = await console.get(f"/requests/{row['id']}")
        assert "s3cret" not in json.dumps(told)
        assert "gold" not in json.dumps(told)
        assert told["sentence"] == "B3 multi in, W3C out. Same trace, same span."
        assert [group["verdict"] for group in told["groups"]] == ["rewritten", "kept"]
        first = told["groups"][0]
        assert first["title"] == "B3 multi became W3C"
        assert first["why"] == ["W3C written from one record: same trace, same span."]
        assert first["outs"][0]["parts"][1] == {"text": T, "field": "trace"}
        assert told["record"]["sampling"] == "deny"
        assert {"name": "Authorization", "value": "", "masked": True} in told["passed"]
        assert told["headers"] is True
        assert (await console.get("/requests?q=is:deny"))["items"] == [row]
        assert (await console.get("/requests?q=in:jaeger"))["items"] == []


async def test_a_request_that_is_refused_is_a_row_and_says_why(console: Console, app: str) -> None:
    async with reporting(console, app) as sidecar:
        for listener, sent, status in (
            ("inbound", b"rubbish", 400),
            ("outbound", b"CONNECT 127.0.0.1:9 HTTP/1.1\r\nHost: 127.0.0.1:9", 502),
        ):
            address = sidecar.addresses[listener]
            reader, writer = await asyncio.open_connection(address.host, address.port)
            writer.write(sent + b"\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 %d " % status)
            writer.close()
        said = await console.until("/requests?q=is:refused", lambda said: len(said["items"]) == 2)
        other, row = sorted(said["items"], key=lambda one: one["status"] or 0)
        assert (other["method"], other["target"], other["status"], other["to"]) == ("", "", 400, "shop")
        assert (row["method"], row["status"]) == ("CONNECT", 502)
        assert (row["from"], row["to"]) == ("shop", "127.0.0.1:9")
        told = await console.get(f"/requests/{row['id']}")
        assert told["sentence"] == f"The sidecar answered itself, and nothing was sent on: {row['fault']}."
        assert told["fault_detail"] and told["timing"] is None
        assert (await console.get("/requests?q=status:502"))["items"] == [row]


async def test_where_its_time_went_and_what_was_answered(console: Console, app: str) -> None:
    async with reporting(console, app) as sidecar:
        await asyncio.to_thread(sidecar.get, "/orders/7", **B3)
        (row,) = (await console.until("/requests", lambda said: said["items"]))["items"]
        told = await console.get(f"/requests/{row['id']}")
        assert told["timing"]["connect"] > 0 and told["timing"]["head"] > 0
        assert sum(told["timing"].values()) == pytest.approx(told["ms"], abs=0.01)
        assert {"name": "Content-Length", "value": "", "masked": True} in told["response"]


async def test_a_finding_about_a_caller_began_with_its_first_request(console: Console, app: str) -> None:
    begun = time.time() * 1000
    async with reporting(console, app, "--set", "console.report.interval_s=1") as sidecar:
        await asyncio.to_thread(sidecar.get, "/orders/7", b3="rubbish")
        (finding,) = (await console.until("/doctor", lambda said: said["findings"]))["findings"]
    assert begun - 1 <= finding["first"] <= finding["last"]
    assert (finding["bad"], finding["of"], finding["counted"]) == (1, 1, "requests")


async def test_what_a_shadow_would_change_is_told_with_its_last_request(console: Console, app: str) -> None:
    more = ("--set", "console.report.interval_s=1", "--set", "inbound.propagation.shadow.inject=[b3]")
    async with reporting(console, app, *more) as sidecar:
        await asyncio.to_thread(sidecar.get, "/", **B3)
        await asyncio.to_thread(sidecar.get, "/")
        said = await console.until("/migration", lambda said: said["shadow"] and said["shadow"][0]["same"])
        (told,) = said["shadow"]
        assert (told["service"], told["upstream"], told["same"], told["differ"]) == ("shop", "app", 1, 1)
        assert told["sentence"] == (
            "1 request to the app of shop would differ with inject: [b3]: the names of headers (1). 1 would not."
        )
        (difference,) = told["differences"]
        assert difference["example"]["would_go"] == [{"name": "b3", "value": f"{T}-{S}-0"}]
        assert {"name": "traceparent", "value": f"00-{T}-{S}-00"} in difference["example"]["goes"]


async def test_its_settings_and_health_are_told_with_their_sources(console: Console, app: str) -> None:
    async with reporting(console, app, "--set", "limits.body_bytes=1MiB", OPS_SIDECAR_LOG__LEVEL="warning"):
        said = await console.until("/settings", lambda found: found["sidecars"])
        (sidecar,) = said["sidecars"]
        assert said["sentence"] == "1 sidecar reports."
        assert sidecar["service"] == "shop"
        health = sidecar["health"]
        assert (health["overhead_us"], health["requests_per_s"]) == (None, None)  # until the next report
        by_key = {entry["key"]: entry for entry in sidecar["settings"]}
        assert by_key["limits.body_bytes"] | {"where": ""} == {
            "key": "limits.body_bytes",
            "value": "1048576",
            "default": "0",
            "source": "flag",
            "where": "",
            "hot": True,
        }
        assert by_key["log.level"]["source"] == "env"
        health = sidecar["health"]
        assert health["ready"] is True
        assert health["reloads"][0] | {"at": 0} == {
            "at": 0,
            "ok": True,
            "generation": 1,
            "message": "started",
            "by": "start",
        }
        assert {one["name"] for one in health["listeners"]} == {"inbound", "outbound"}
        assert health["exporters"][0]["name"].startswith("reports to http://127.0.0.1:")


async def test_its_rate_and_what_a_request_costs_are_told(console: Console, app: str) -> None:
    async with reporting(console, app, "--set", "console.report.interval_s=1") as sidecar:
        await console.until("/health", lambda said: said["sidecars"])

        def load() -> None:
            for _ in range(60):
                sidecar.get("/", **B3)

        def is_told(said: Any) -> bool:
            return max(said["sidecars"][0]["rps"], default=0) >= 10 and said["sidecars"][0]["overhead_us"] is not None

        loading = asyncio.create_task(asyncio.to_thread(load))
        (told,) = (await console.until("/health", is_told))["sidecars"]
        await loading
        assert told["requests_per_s"] == told["rps"][-1]
        assert 0 < told["overhead_us"] < 100_000


async def test_explain_knows_what_it_would_write(console: Console, app: str) -> None:
    async with reporting(console, app, "--set", "inbound.propagation.inject=jaeger"):
        await console.until("/settings", lambda found: found["sidecars"])
        async with console.client.post(
            f"{console.url}/api/v1/explain", json={"text": f"traceparent: 00-{T}-{S}-01"}, headers=console.headers
        ) as response:
            said = await response.json()
        if "to" in said:
            assert "app (shop)" in {one["name"] for one in said["to"]}


async def test_one_that_ends_says_farewell(console: Console, app: str) -> None:
    async with reporting(console, app, "--set", "drain.outbound_linger_s=0") as sidecar:
        await console.until("/settings", lambda found: found["sidecars"])
        assert await asyncio.to_thread(sidecar.end) == 0
    said = await console.until("/settings", lambda found: not found["sidecars"][0]["health"]["running"])
    assert said["sidecars"][0]["health"]["farewell"] is True
    assert said["sidecars"][0]["silent"] is None


async def test_who_speaks_what_is_counted_for_each_request(console: Console, app: str) -> None:
    more = ("--set", "console.report.interval_s=0.2", "--set", "console.report.exchanges_per_second=0")
    async with reporting(console, app, *more) as sidecar:
        for _ in range(3):
            await asyncio.to_thread(sidecar.get, "/", **B3)
        said = await console.until(
            "/migration", lambda found: sum(cell["count"] for cell in found["cells"] if cell["role"] == "sends") == 3
        )
        cells = {(cell["peer"], cell["role"], cell["format"]): cell["count"] for cell in said["cells"]}
        assert cells == {("127.0.0.1", "sends", "b3multi"): 3, ("shop’s app", "gets", "tracecontext"): 3}
        (verdict,) = said["verdicts"]
        assert verdict["sentence"] == "Not yet: shop gets B3 multi alone from 127.0.0.1."
        assert (await console.get("/requests"))["items"] == []


async def _send_report(console: Console, body: ExportLogsServiceRequest) -> None:
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
    packed = gzip.compress(body.SerializeToString())
    async with console.client.post(f"{console.otlp}/v1/logs", data=packed, headers=headers) as response:
        assert response.status == 200, await response.text()


def _recorded() -> list[ExportLogsServiceRequest]:
    """What an older sidecar sent."""
    told = json.loads((Path(__file__).parent / "older_reports.json").read_text(encoding="utf-8"))
    return [ExportLogsServiceRequest.FromString(gzip.decompress(base64.b64decode(one))) for one in told["bodies"]]


def _of_tomorrow(body: ExportLogsServiceRequest) -> ExportLogsServiceRequest:
    """The same from a sidecar that says more: new attributes, documents and keys."""
    for group in body.resource_logs:
        for one in group.resource.attributes:
            text = one.value.string_value
            changed = {"ops.report.version": "2", "ops.instance": text[::-1], "service.name": "tomorrow"}
            one.value.string_value = changed.get(one.key, text)
        group.resource.attributes.extend(pairs({"ops.colour": "blue"}))
        for scope in group.scope_logs:
            scope.log_records.add(event_name="ops.of-tomorrow").body.string_value = '{"new": true}'
            for record in scope.log_records:
                for one in record.attributes:
                    if one.key == "ops.request.id":
                        one.value.string_value += "-2"
                record.attributes.extend(pairs({"ops.colour": ["blue"]}))
                text = record.body.string_value
                record.body.string_value = '{"colour":{"blue":1},' + text[1:] if text.startswith("{") else text
    return body


async def test_sidecars_of_two_and_three_versions_are_read_side_by_side(console: Console, app: str) -> None:
    """One as it was when reports were new, one of today, one of tomorrow."""
    async with reporting(console, app, "--set", "console.report.interval_s=1") as sidecar:
        for body in _recorded():
            await _send_report(console, body)
            await _send_report(console, _of_tomorrow(body))
        await asyncio.to_thread(sidecar.get, "/orders/7", **B3)
        said = await console.until("/requests", lambda said: len(said["items"]) == 5)
        assert {row["sidecar"] for row in said["items"]} == {"legacy", "shop", "tomorrow"}
        for row in said["items"]:
            assert (row["in"], row["out"], row["status"]) == (["b3multi"], ["tracecontext"], 200)
            assert (await console.get(f"/requests/{row['id']}"))["groups"], row["sidecar"]
        health = await console.until("/settings", lambda said: len(said["sidecars"]) == 3)
        newer = {one["service"]: one["health"]["newer"] for one in health["sidecars"]}
        assert newer == {"legacy": False, "shop": False, "tomorrow": True}
        assert all(one["settings"] and one["health"]["upstreams"] for one in health["sidecars"])
        assert "1 sidecar is newer than this console, which shows what it knows." in health["sentence"]
        counted = await console.until(
            "/migration", lambda said: any(one["peer"] == "shop’s app" for one in said["cells"])
        )
        gets = {one["peer"]: one["count"] for one in counted["cells"] if one["role"] == "gets"}
        assert gets == {"legacy’s app": 2, "shop’s app": 1, "tomorrow’s app": 2}
