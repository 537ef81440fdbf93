"""Envoy's OpenTelemetry tracer sends to a console, in front of a sidecar: one trace, seen by the page's API.

Skipped by name on systems that have none.
"""

from __future__ import annotations

import asyncio
import http.client
import sys
from pathlib import Path

import pytest
from lab import envoy as lab_envoy
from lab.apps import Answering
from lab.consoles import Console, running
from lab.peers import WAIT_S, Upstream
from lab.process import SidecarProcess

ENVOY = lab_envoy.program()

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" and ENVOY is None, reason="there is no Envoy for this system: its tracer is not heard"
)


def _get(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
    try:
        connection.request("GET", "/orders/7")
        return connection.getresponse().status
    finally:
        connection.close()


async def test_a_trace_of_envoy_and_a_sidecar_is_one(tmp_path: Path) -> None:
    upstream = Upstream()
    try:
        with Answering(upstream) as app:
            async with running() as console:
                await _check(console, tmp_path, app.url)
    finally:
        upstream.close()


async def _check(console: Console, folder: Path, app: str) -> None:
    telemetry = ("--set", f"export.endpoint={console.otlp}", "--set", f"console.report.endpoint={console.otlp}")
    arguments = ("--inbound", "127.0.0.1:0", "--app", app, "--outbound", "off", "--admin", "off", "--inject", "b3")
    named = {"OTEL_SERVICE_NAME": "shop"}
    sidecar = await asyncio.to_thread(SidecarProcess, *arguments, *telemetry, environ=named)
    with (
        sidecar,
        lab_envoy.tracing(folder, sidecar.addresses["inbound"].port, int(console.otlp.rpartition(":")[2])) as port,
    ):
        assert await asyncio.to_thread(_get, port) == 200
        said = await console.until("/traces", lambda said: said["items"] and said["items"][0]["spans_count"] == 2)
        (row,) = said["items"]
        assert row["notes"] == []  # no gap: the sidecar's parent came, too
        assert {one["name"]: one["spans"] for one in row["services"]} == {"envoy": 1, "shop": 1}
        told = await console.get(f"/traces/{row['id']}")
    spans = {span["id"]: span for span in told["spans"]}
    ours = next(span for span in spans.values() if span["service"] == "shop")
    assert (ours["in"], ours["out"]) == (["tracecontext"], ["b3"])
    assert spans[ours["parent"]]["service"] == "envoy"
