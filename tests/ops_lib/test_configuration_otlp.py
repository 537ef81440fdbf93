"""configure and OTLP: where spans go, and that none is left behind when a process ends."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import ops_lib as ops
from ops_lib.export import processors
from ops_lib.spans.configured import RUNTIME


class Collector:
    """An OTLP/HTTP collector on a port of its own."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], ExportTraceServiceRequest]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    import gzip

                    body = gzip.decompress(body)
                headers = {name.lower(): value for name, value in self.headers.items()}
                collector.requests.append((self.path, headers, ExportTraceServiceRequest.FromString(body)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = False
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.server.server_address[1]

    @property
    def url(self) -> str:
        return "http://{}:{}".format(*self.address)

    @property
    def names(self) -> list[str]:
        return [
            span.name
            for _, _, request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    ops.shutdown()  # first, so that its connections are closed
    made.close()


class TestOtlp:
    def test_to_an_endpoint(self, collector: Collector) -> None:
        ops.configure("shop", endpoint=collector.url, headers={"x-key": "k"})
        with ops.session(id="s-1"), ops.span("outer"), ops.span("inner"):
            pass
        assert ops.flush()
        assert sorted(collector.names) == ["inner", "outer"]
        path, headers, request = collector.requests[0]
        assert (path, headers["x-key"]) == ("/v1/traces", "k")
        attributes = {pair.key: pair.value.string_value for pair in request.resource_spans[0].resource.attributes}
        assert attributes["service.name"] == "shop"

    @pytest.mark.parametrize(
        ("path", "posted"),
        [
            ("/v1/traces", "/v1/traces"),
            ("/v1/traces/", "/v1/traces"),
            ("/custom/v1/traces", "/custom/v1/traces"),
            ("", "/v1/traces"),
            ("/", "/v1/traces"),
            ("/custom/", "/custom/v1/traces"),
            *((f"/a/{letter}", f"/a/{letter}/v1/traces") for letter in ("v", "x", "1", "traces")),
        ],
    )
    def test_paths(self, collector: Collector, path: str, posted: str) -> None:
        ops.configure(exporter="otlp", endpoint=collector.url + path)
        with ops.span("s"):
            pass
        ops.flush()
        assert collector.requests[0][0] == posted

    def test_to_where_the_environment_says(self, collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=7")
        ops.configure()
        with ops.span("s"):
            pass
        ops.flush()
        assert collector.names == ["s"]
        assert collector.requests[0][1]["x-tenant"] == "7"

    def test_to_the_local_receiver_when_it_is_there(
        self, collector: Collector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(processors, "RECEIVER", collector.address)
        ops.configure("shop")
        with ops.span("s"):
            pass
        ops.flush()
        assert collector.names == ["s"]

    def test_says_once_when_it_is_not(self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
        gone = Collector()
        gone.close()
        monkeypatch.setattr(processors, "RECEIVER", gone.address)
        ops.configure("shop")
        for _ in range(3):
            with ops.span("s"):
                pass
            ops.flush()
        ops.shutdown()
        (record,) = caplog.records
        assert "no collector listens at 127.0.0.1:" in record.getMessage()

    def test_at_exit_by_itself(self, collector: Collector) -> None:
        script = "import ops_lib as ops; ops.configure()\nwith ops.span('last words'): pass"
        environ = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        subprocess.run([sys.executable, "-c", script], check=True, timeout=60, env=environ)
        assert collector.names == ["last words"]

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    def test_in_a_forked_child(self, collector: Collector) -> None:
        script = """
import os, json, warnings
warnings.simplefilter("ignore")  # Python 3.12 warns of any fork beside threads
import ops_lib as ops
ops.configure()
with ops.span("parent"):
    pid = os.fork()
    if pid == 0:
        with ops.span("child"):
            pass
        ops.flush()
        os._exit(0)
    os.waitpid(pid, 0)
"""
        environ = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        subprocess.run([sys.executable, "-c", script], check=True, timeout=60, env=environ)
        assert sorted(collector.names) == ["child", "parent"]

    @pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
    @pytest.mark.parametrize("where", ["before", "within"])
    def test_at_the_exit_of_a_worker_process(
        self, collector: Collector, tmp_path: Path, method: str, where: str
    ) -> None:
        """multiprocessing ends a forked child without atexit."""
        script = tmp_path / "work.py"
        script.write_text(f"""
import multiprocessing, warnings
warnings.simplefilter("ignore")  # Python 3.12 warns of any fork beside threads
import ops_lib as ops
if {where == "before"}:
    ops.configure()
def work():
    if {where == "within"}:
        ops.configure()
    with ops.span("child"):
        pass
if __name__ == "__main__":
    worker = multiprocessing.get_context("{method}").Process(target=work)
    worker.start()
    worker.join()
""")
        environ = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        subprocess.run([sys.executable, script], check=True, timeout=60, env=environ)
        assert collector.names == ["child"]

    def test_without_the_package_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
        before = RUNTIME.snapshot()
        with pytest.raises(ImportError, match=r"pip install 'ops-sidecar\[otlp\]'"):
            ops.configure()
        assert RUNTIME.snapshot() == before
