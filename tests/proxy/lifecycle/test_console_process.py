"""A console beside a sidecar: a process of its own, fed by the sidecar, that lives and ends with it."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from lab.process import PROCESS_WAIT_S, SidecarProcess

from proxy.lifecycle.console_process import ConsoleProcess
from proxy.plan.console import ConsolePlan


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class _App(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def app() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _App)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def ask(port: int, path: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PROCESS_WAIT_S)
    try:
        connection.request("GET", f"/api/v1{path}")
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def until_refused(port: int) -> None:
    """Returns once nobody listens there."""
    until = time.monotonic() + PROCESS_WAIT_S
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return
        time.sleep(0.05)
    raise AssertionError("the console still listens")


def test_it_shows_what_its_sidecar_does_and_ends_with_it(app: str) -> None:
    page, otlp = free_port(), free_port()
    arguments = ("--inbound", "127.0.0.1:0", "--outbound", "127.0.0.1:0", "--admin", "off", "--app", app)
    settings = (f"console.listen=127.0.0.1:{page}", f"console.otlp=127.0.0.1:{otlp}", "export.delay_s=0.1")
    flags = [part for setting in (*settings, "service.name=shop") for part in ("--set", setting)]
    with SidecarProcess(*arguments, *flags, ready=False) as sidecar:
        for _ in range(2):  # either may be first
            sidecar.await_line(r"ops-sidecar (console )?ready\b")
        status, _ = sidecar.get("/orders", b3="80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1")
        assert status == 200
        until = time.monotonic() + PROCESS_WAIT_S
        while not (rows := ask(page, "/requests")["items"]) and time.monotonic() < until:
            time.sleep(0.05)
        assert (rows[0]["in"], rows[0]["to"], rows[0]["target"]) == (["b3"], "shop", "/orders")
        trace = ask(page, "/traces/80f198ee56343ba864fe8b2a57d3eff7")
        assert trace["spans"][-1]["service"] == "shop"
        # The app is not to reach the page by way of its sidecar.
        assert sidecar.get("/api/v1/traces", "outbound", Host=f"127.0.0.1:{page}")[0] == 403
        sidecar.process.kill()
        until_refused(page)


def test_it_is_off_by_default(app: str) -> None:
    with SidecarProcess("--inbound", "127.0.0.1:0", "--outbound", "off", "--admin", "off", "--app", app) as sidecar:
        assert not any("console" in line for line in sidecar.log)
        assert sidecar.end() == 0


def test_nothing_of_a_console_is_loaded_into_the_sidecar(app: str) -> None:
    """Neither its store nor what reads OTLP, whether one runs beside it or not; it costs no memory where it is off."""
    arguments = ("--inbound", "127.0.0.1:0", "--outbound", "off", "--admin", "off", "--app", app)
    beside = ("--set", "console.listen=127.0.0.1:0", "--set", f"console.otlp=127.0.0.1:{free_port()}")
    memory = []
    for more in ((), beside):
        with SidecarProcess(*arguments, *more) as sidecar:
            assert sidecar.get("/")[0] == 200
            mapped = Path(f"/proc/{sidecar.process.pid}/maps").read_text()
            assert "_sqlite3" not in mapped and "google/_upb" not in mapped
            memory.append(sidecar.memory_kib("VmRSS"))
    assert memory[0] <= memory[1] + 1024, memory


async def test_it_is_started_again_and_follows_the_plan() -> None:
    console = ConsoleProcess()
    page = free_port()
    console.use(ConsolePlan(listen=f"127.0.0.1:{page}"))
    try:
        first = await asyncio.to_thread(until_answered, page)
        ours = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, int(first)) == min(19, ours + 5)  # requests come first
        os.kill(int(first), signal.SIGKILL)
        second = await asyncio.to_thread(until_answered, page, first)
        assert second != first
        assert console.restarts == 1
        other = free_port()
        console.use(ConsolePlan(listen=f"127.0.0.1:{other}"))
        await asyncio.to_thread(until_answered, other)
        await asyncio.to_thread(until_refused, page)
        console.use(None)
        await asyncio.to_thread(until_refused, other)
    finally:
        await console.stop()


def until_answered(port: int, but: str = "") -> str:
    """The process that listens there, once it is not `but`."""
    until = time.monotonic() + PROCESS_WAIT_S
    while time.monotonic() < until:
        try:
            ask(port, "/self")
        except OSError:
            time.sleep(0.05)
            continue
        found = listening(port)
        if found and found != but:
            return found
    raise AssertionError("no console answers")


def listening(port: int) -> str:
    """The process that listens at a port of loopback (proc(5))."""
    wanted = f"0100007F:{port:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    inodes = {fields[9] for fields in lines if fields[1] == wanted and fields[3] == "0A"}
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            with contextlib.suppress(OSError):
                for descriptor in (process / "fd").iterdir():
                    if descriptor.readlink().name.removeprefix("socket:[").removesuffix("]") in inodes:
                        return process.name
    return ""
