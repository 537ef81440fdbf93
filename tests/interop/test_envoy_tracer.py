"""Envoy's OpenTelemetry tracer sends to a console, in front of a sidecar: one trace, seen by the page's API.

Skipped by name on systems that have none.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import envoy as lab_envoy
from lab.apps import Answering
from lab.consoles import Console, running
from lab.peers import WAIT_S, Upstream
from lab.process import SidecarProcess

from bench import peer_files

ENVOY = lab_envoy.program()
FLUSH_MS = 100  # of its tracer; the default is 5 s

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" and ENVOY is None, reason="there is no Envoy for this system: its tracer is not heard"
)


@contextlib.contextmanager
def envoy(folder: Path, upstream: int, otlp: int) -> Iterator[int]:
    """The port of an Envoy before `upstream`, which traces each request to `otlp`."""
    assert ENVOY is not None
    bootstrap = json.loads(peer_files.envoy(0, upstream, otlp, "opentelemetry"))
    bootstrap["admin"] = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}}
    runtime = {"tracing.opentelemetry.flush_interval_ms": FLUSH_MS}
    bootstrap["layered_runtime"] = {"layers": [{"name": "test", "static_layer": runtime}]}
    file, admin = folder / "envoy.json", folder / "admin"
    file.write_text(json.dumps(bootstrap), encoding="utf-8")
    process = subprocess.Popen(
        [ENVOY, "-c", str(file), "--concurrency", "1", "--disable-hot-restart", "--admin-address-path", str(admin)],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if "starting main dispatch loop" in line:
                break
        yield _port(admin.read_text())
    finally:
        process.terminate()
        process.communicate(timeout=WAIT_S)


def _port(admin: str) -> int:
    """Of its first listener."""
    host, _, port = admin.strip().rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=WAIT_S)
    try:
        connection.request("GET", "/listeners?format=json")
        said = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return int(said["listener_statuses"][0]["local_address"]["socket_address"]["port_value"])


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
    with sidecar, envoy(folder, sidecar.addresses["inbound"].port, int(console.otlp.rpartition(":")[2])) as port:
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
