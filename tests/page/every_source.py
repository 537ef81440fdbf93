"""One trace through all that make spans, told to one console: Envoy's tracer, our sidecar, the SDKs of Node and Python.

client -> envoy -> [shop's sidecar] -> shop (Node, B3) -> [shop's sidecar] -> books (Python, W3C)
"""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from fleet import WAIT_S, ConsoleProcess
from lab import envoy, npm
from lab.process import SidecarProcess
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

NODE = Path(__file__).parents[1] / "cross_language" / "node"
SERVICES = {"envoy", "shop", "books"}
SPANS = 6  # Envoy's, two of the sidecar, two of Node, Python's
SESSION = "sess-every-source"


def reason_it_is_missing() -> str | None:
    """Why this cannot be run here; None: it can."""
    return "there is no Envoy" if envoy.program() is None else npm.reason_it_is_missing(NODE)


class EverySource:
    """See the module. `ask` sends a request from outside, and returns nothing but its status."""

    def __init__(self, console: ConsoleProcess, port: int) -> None:
        self.console = console
        self._port = port

    def ask(self, to: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=WAIT_S)
        try:
            connection.request("GET", f"/relay?to={to}", headers={"X-Mirascope-Session-Id": SESSION})
            return connection.getresponse().status
        finally:
            connection.close()


@contextlib.contextmanager
def running() -> Iterator[tuple[EverySource, str]]:
    """All of it, and the URL at which shop reaches books: its own sidecar."""
    with contextlib.ExitStack() as stack:
        console = ConsoleProcess()
        stack.callback(console.end)
        books = stack.enter_context(_books(console.otlp))
        shop = stack.enter_context(_shop(console.otlp))
        told = (f"export.endpoint={console.otlp}", f"console.report.endpoint={console.otlp}", "export.delay_s=0.05")
        told += ("console.report.interval_s=1", "service.name=shop", "inbound.propagation.inject=[b3]")
        told += (f"upstreams=[{{name: books, listen: '127.0.0.1:0', target: '{books}', host: target}}]",)
        flags = [flag for setting in told for flag in ("--set", setting)]
        sidecar = SidecarProcess(
            "--app", shop, "--inbound", "127.0.0.1:0", "--outbound", "127.0.0.1:0", "--admin", "127.0.0.1:0", *flags
        )
        stack.callback(sidecar.kill)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        inbound, otlp = sidecar.addresses["inbound"].port, int(console.otlp.rpartition(":")[2])
        port = stack.enter_context(envoy.tracing(folder, inbound, otlp))
        yield EverySource(console, port), f"{sidecar.url('books')}/books"


@contextlib.contextmanager
def _shop(console: str) -> Iterator[str]:
    """Node's service on the official packages; its URL."""
    environ = {"PATH": os.environ["PATH"], "FORMAT": "b3", "COLLECTOR": console, "SERVICE": "shop"}
    process = subprocess.Popen(
        ["node", "service.cjs"], cwd=NODE, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.stdin.close()
        process.wait(WAIT_S)
        process.stdout.close()


@contextlib.contextmanager
def _books(console: str) -> Iterator[str]:
    """A service on Python's official SDK; its URL."""
    provider = TracerProvider(resource=Resource.create({"service.name": "books"}))
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{console}/v1/traces")))
    tracer = provider.get_tracer("made-by-python")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parent = TraceContextTextMapPropagator().extract(
                {name.lower(): said for name, said in self.headers.items()}
            )
            with tracer.start_as_current_span("look up", parent, SpanKind.SERVER):
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        provider.shutdown()
