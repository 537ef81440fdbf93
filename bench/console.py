"""`make bench-console`: how many spans a second one console takes, and how fast it answers with a million in its store.

The spans are sent as sidecars and SDKs send them: OTLP over HTTP, in batches of 512, over one connection.
CPU time is that of the console's process. Figures depend on the machine; read them as what one core does.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SERVICES = ("gateway", "shop", "orders", "billing", "books", "stock", "mail", "search")
SPANS_OF_A_TRACE = 12
BATCH = 512
QUESTIONS = (
    ("list", "/traces"),
    ("list, second page", "/traces?before={next}"),
    ("search by service", "/traces?q=service:billing"),
    ("search by error", "/traces?q=status:error"),
    ("search by duration", "/traces?q=dur:>150ms"),
    ("search by session", "/traces?q=session:sess-77"),
    ("search by text, often found", "/traces?q=checkout"),
    ("search by text, never found", "/traces?q=no-such-text"),
    ("waterfall", "/traces/{trace}"),
    ("requests", "/requests"),
    ("requests with b3", "/requests?q=in:b3"),
    ("sessions", "/sessions"),
)


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=1_000_000, help="spans in the store (default a million)")
    parser.add_argument("--rounds", type=int, default=20, help="times that each question is asked (default 20)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the console ends with us
    with tempfile.TemporaryDirectory() as folder, _Console(Path(folder) / "bench.db") as console:
        figures = _fill(console, arguments.spans)
        figures["answers_ms"] = _ask(console, arguments.rounds)
        figures["file_bytes"] = (Path(folder) / "bench.db").stat().st_size
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return
    rate, for_cpu = figures["spans_per_s"], figures["spans_per_cpu_s"]
    print(f"{figures['spans']:,} spans taken and written in {figures['s']:.1f} s, {rate:,.0f} a second;")
    print(f"{for_cpu:,.0f} for each second of CPU time; {figures['file_bytes'] / 1e6:,.0f} MB on disk\n")
    print(f"{'question':32} {'median':>10} {'p95':>10}")
    for name, (median, p95) in figures["answers_ms"].items():
        print(f"{name:32} {median:7.1f} ms {p95:7.1f} ms")


class _Console:
    """A console as a process, its store in a file."""

    def __init__(self, store: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "proxy", "console", "--listen", "127.0.0.1:0", "--otlp", "127.0.0.1:0",
             "--store", str(store)],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stderr is not None
        ports = []
        for line in self._process.stderr:
            if " on http://127.0.0.1:" in line:
                ports.append(int(line.rpartition(":")[2]))
            if "ready" in line:
                break
        self._page = http.client.HTTPConnection("127.0.0.1", ports[0], timeout=60)
        self._otlp = http.client.HTTPConnection("127.0.0.1", ports[1], timeout=60)

    def __enter__(self) -> _Console:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)

    def get(self, path: str) -> tuple[float, Any]:
        """How long it took, in milliseconds, and the answer."""
        began = time.perf_counter()
        self._page.request("GET", f"/api/v1{quote(path, safe='/?=&:')}")
        response = self._page.getresponse()
        body = response.read()
        took = (time.perf_counter() - began) * 1000
        assert response.status == 200, (path, body[:200])
        return took, json.loads(body)

    def send(self, body: bytes) -> None:
        """Again and again, as senders do, while the console is too busy."""
        while True:
            self._otlp.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
            response = self._otlp.getresponse()
            response.read()
            if response.status == 200:
                return
            assert response.status == 503, response.status
            time.sleep(0.05)

    def cpu_s(self) -> float:
        """Of the process, so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _fill(console: _Console, wanted: int) -> dict[str, Any]:
    bodies = list(_bodies(20))
    cpu, began, sent = console.cpu_s(), time.perf_counter(), 0
    making = 0.0
    while sent < wanted:
        before = time.perf_counter()
        body = _renewed(bodies[(sent // BATCH) % len(bodies)])
        making += time.perf_counter() - before
        console.send(body)
        sent += BATCH
    while console.get("/health")[1]["console"]["store"]["waiting_bytes"]:
        time.sleep(0.05)
    took = time.perf_counter() - began - making
    used = console.cpu_s() - cpu
    return {"spans": sent, "s": took, "spans_per_s": sent / took, "cpu_s": used, "spans_per_cpu_s": sent / used}


def _ask(console: _Console, rounds: int) -> dict[str, tuple[float, float]]:
    first = console.get("/traces?limit=100")[1]
    values = {"next": first["next"], "trace": first["items"][50]["id"]}
    found = {}
    for name, path in QUESTIONS:
        took = sorted(console.get(path.format(**values))[0] for _ in range(rounds))
        found[name] = (statistics.median(took), took[min(len(took) - 1, int(len(took) * 0.95))])
    return found


def _bodies(number: int) -> Iterator[ExportTraceServiceRequest]:
    """Requests of one service each, half of them a sidecar's."""
    random.seed(7)
    for one in range(number):
        request = ExportTraceServiceRequest()
        group = request.resource_spans.add()
        attribute = group.resource.attributes.add()
        attribute.key, attribute.value.string_value = "service.name", SERVICES[one % len(SERVICES)]
        scope = group.scope_spans.add()
        scope.scope.name = "ops-sidecar" if one % 2 else "app"
        for _ in range(BATCH):
            span = scope.spans.add(name="GET", kind=2)
            said: dict[str, Any] = {
                "http.request.method": "GET",
                "url.path": random.choice(("/checkout", "/orders/17", "/books", "/stock/4711", "/mail")),
                "http.response.status_code": 200,
                "server.address": "shop.internal",
                "server.port": 8080,
                "network.protocol.version": "1.1",
                "user_agent.original": "okhttp/4.12",
                "client.address": "10.0.0.7",
                "session.id": f"sess-{random.randrange(5000)}",
            }
            for key, value in said.items():
                pair = span.attributes.add()
                pair.key = key
                if isinstance(value, int):
                    pair.value.int_value = value
                else:
                    pair.value.string_value = value
            for key, format in (("ops.formats.read", "b3"), ("ops.formats.written", "tracecontext")) if one % 2 else ():
                pair = span.attributes.add()
                pair.key = key
                pair.value.array_value.values.add().string_value = format
            if random.random() < 0.02:
                span.status.code = 2
        yield request


def _renewed(request: ExportTraceServiceRequest) -> bytes:
    """The same request with ids and times of its own: traces of a dozen spans."""
    now = time.time_ns()
    trace, root = b"", b""
    for number, span in enumerate(request.resource_spans[0].scope_spans[0].spans):
        if number % SPANS_OF_A_TRACE == 0:
            trace, root = os.urandom(16), b""
        span.trace_id, span.span_id, span.parent_span_id = trace, os.urandom(8), root
        root = root or span.span_id
        span.start_time_unix_nano = now + number * 1000
        span.end_time_unix_nano = now + number * 1000 + random.randrange(1, 200) * 1_000_000
    body: bytes = request.SerializeToString()
    return body


if __name__ == "__main__":
    main()
