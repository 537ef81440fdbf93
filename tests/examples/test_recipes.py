"""The recipes for queues, brokers and servers, each run as its docstring says, most of them against the real thing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

EXAMPLES = Path(__file__).parents[2] / "examples"
READER = "a fantasy book reader-7 same trace: True"
QUEUED = ["dune order-dune same trace: True", "emma order-emma same trace: True"]


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        pytest.param("celery_tasks", QUEUED, marks=pytest.mark.slow),
        pytest.param(
            "rq_jobs",
            QUEUED,
            marks=pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed"),
        ),
        pytest.param(
            "kafka_events",
            QUEUED,
            marks=pytest.mark.skipif(
                find_spec("confluent_kafka") is None, reason="confluent-kafka is not installed, or not for this Python"
            ),
        ),
        ("grpc_service", ["dune reader-7 same trace: True", "emma reader-7 same trace: True"]),
        ("django_service", [READER]),
        ("fastapi_service", [READER]),
        ("flask_service", [READER]),
        ("instrumented", ["dune reader-7 same trace: True"]),
    ],
)
def test_prints(name: str, printed: list[str]) -> None:
    ran = subprocess.run(
        # RQ forks beside a thread of its own, of which Python warns from 3.12 on.
        [sys.executable, "-W", "error", "-W", "ignore:This process (pid=", str(EXAMPLES / f"{name}.py")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.stdout.splitlines() == printed, ran.stderr
    assert ran.returncode == 0
    assert "Traceback" not in ran.stderr


class Collector:
    """An OTLP receiver over HTTP, which keeps the names of the spans that came."""

    def __init__(self) -> None:
        self.spans: list[str] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    collector.spans += [span.name for scope in resource.scope_spans for span in scope.spans]
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Collector:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def gunicorn(tmp_path: Path) -> Iterator[Any]:
    """Starts gunicorn with the example's configuration on a socket of its own; gives it, a client and a collector."""
    path = tmp_path / "books.sock"
    with Collector() as collector:
        environ = {**os.environ, "BIND": f"unix:{path}", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        # One worker: the one that answers has its signal handlers. One that still boots misses a SIGTERM.
        command = [sys.executable, "-m", "gunicorn", "--no-control-socket", "--workers", "1"]
        process = subprocess.Popen(
            [*command, "-c", str(EXAMPLES / "gunicorn_conf.py"), "examples.flask_service:app"],
            cwd=EXAMPLES.parent,
            env=environ,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        try:
            with (
                process.stderr,
                httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://books") as client,
            ):
                yield process, client, collector
        finally:
            process.kill()
            process.wait()


def test_gunicorn(gunicorn: Any) -> None:
    """Spans of a worker are exported, at its end at the latest, and belong to the caller's trace."""
    process, client, collector = gunicorn
    trace_id = "5af7651916cd43dd8448eb211c80319c"
    headers = {"Traceparent": f"00-{trace_id}-b7ad6b7169203331-01"}
    assert any("Listening at" in line for line in process.stderr), "gunicorn did not start"
    answer = client.get("/books/fantasy", headers=headers).json()
    assert answer["trace_id"] == trace_id
    process.terminate()
    assert process.wait(60) == 0
    assert sorted(collector.spans) == ["recommend", "recommend_book"]
