"""A console beside a sidecar: a process of its own, fed by the sidecar, that lives and ends with it."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from lab.process import PROCESS_WAIT_S, SidecarProcess


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
