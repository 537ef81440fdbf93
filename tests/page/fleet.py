"""A console as a user starts it, and two services with their sidecars that report to it: real processes, real traffic.

web -> [shop's sidecar] -> shop -> [shop's sidecar] -> [orders' sidecar] -> orders. Shop speaks W3C and orders B3 multi;
both apps are here, in threads, and forward what they got as such apps do.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from lab.process import SidecarProcess

ROOT = Path(__file__).parents[2]
WAIT_S = 60
TRACE_HEADERS = (
    "traceparent",
    "tracestate",
    "baggage",
    "x-mirascope-session-id",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-sampled",
)


class ConsoleProcess:
    """`ops-sidecar console` on free ports. `url` has the token, where one is asked for."""

    def __init__(self, *arguments: str, listen: str = "127.0.0.1:0", otlp: str = "127.0.0.1:0") -> None:
        command = [sys.executable, "-P", "-m", "proxy", "console", "--listen", listen, "--otlp", otlp, *arguments]
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("OPS_SIDECAR_", "OTEL_"))}
        self.process = subprocess.Popen(
            command,
            env=environ | {"PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stderr is not None
        self.url = self.otlp = ""
        for line in self.process.stderr:
            if found := re.search(r"console listening on (\S+)", line):
                self.url = found.group(1)
            if found := re.search(r"OTLP is received on (\S+)", line):
                self.otlp = found.group(1)
            if "console ready" in line:
                break
        assert self.url, "the console did not start"
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def get(self, path: str) -> Any:
        with urlopen(f"{self.url}/api/v1/{path}", timeout=WAIT_S) as answer:
            return json.load(answer)

    def receive(self, otlp_json: dict[str, Any]) -> None:
        """Send spans as an SDK does."""
        body = json.dumps(otlp_json).encode()
        urlopen(Request(f"{self.otlp}/v1/traces", body, {"Content-Type": "application/json"}), timeout=WAIT_S).close()

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(WAIT_S)
        assert self.process.stderr is not None
        with contextlib.suppress(ValueError):
            self.process.stderr.close()


class App(ThreadingHTTPServer):
    """An app that answers, after a call of its own if `call` (URL of an outbound listener, Host, path) says so."""

    daemon_threads = True
    call: tuple[str, str] | None = None

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def end(self) -> None:
        self.shutdown()
        self.server_close()
        self.thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: App

    def do_GET(self) -> None:
        status = 500 if "fail" in self.path else 200
        if self.server.call:
            address, host = self.server.call
            carried = {name: value for name, value in self.headers.items() if name.lower() in TRACE_HEADERS}
            connection = http.client.HTTPConnection(address, timeout=WAIT_S)
            connection.request("GET", self.path.replace("checkout", "orders"), headers=carried | {"Host": host})
            answer = connection.getresponse()
            answer.read()
            connection.close()
            status = 502 if answer.status >= 500 else 200
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


class Fleet:
    """See the module. `ask` sends a request from outside."""

    def __init__(self, console: ConsoleProcess) -> None:
        self.console = console
        self.shop_app, self.orders_app = App(), App()
        common = ["--set", f"export.endpoint={console.otlp}", "--set", f"console.report.endpoint={console.otlp}"]
        common += [
            "--set",
            "admin.listen=127.0.0.1:0",
            "--set",
            "inbound.listen=127.0.0.1:0",
            "--set",
            "export.delay_s=0.05",
        ]
        common += ["--set", "console.report.interval_s=1"]
        self.orders = SidecarProcess(
            "--app", _url(self.orders_app), "--set", "service.name=orders", "--set", "propagation.inject=[b3multi]",
            "--set", "outbound.listen=off", *common,
        )  # fmt: skip
        target = f"upstreams=[{{name: orders, match: [orders.internal], target: '{self.orders.url()}'}}]"
        self.shop = SidecarProcess(
            "--app", _url(self.shop_app), "--set", "service.name=shop", "--set", "outbound.listen=127.0.0.1:0",
            "--set", target, *common,
        )  # fmt: skip
        self.shop_app.call = (self.shop.url("outbound").removeprefix("http://"), "orders.internal")

    def ask(self, path: str, **headers: str) -> int:
        return self.shop.get(path, **headers)[0]

    def until(self, path: str, is_so: Callable[[Any], object]) -> None:
        """Wait until the console answers so: reports come in by themselves, at most a second later."""
        begun = time.monotonic()
        while not is_so(said := self.console.get(path)):
            assert time.monotonic() - begun < WAIT_S, said
            time.sleep(0.05)

    def end(self) -> None:
        self.shop.kill()
        self.orders.kill()
        self.shop_app.end()
        self.orders_app.end()


def _url(app: App) -> str:
    return f"http://127.0.0.1:{app.server_address[1]}"


@contextlib.contextmanager
def running_fleet() -> Iterator[Fleet]:
    console = ConsoleProcess()
    try:
        fleet = Fleet(console)
        try:
            yield fleet
        finally:
            fleet.end()
    finally:
        console.end()
