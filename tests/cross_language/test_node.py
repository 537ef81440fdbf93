"""A Node.js service on the official OpenTelemetry packages continues the same trace, in both directions and in every
format.

The packages are those of node/package-lock.json, installed once by `npm ci` into node/node_modules (not in git). Where
node or npm is missing, or the packages cannot be fetched, every test here is skipped by name; with OPS_REQUIRE_NODE=1
it fails instead.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from lab import npm
from opentelemetry import trace

import ops_lib as ops

SERVICE = Path(__file__).parent / "node"
FORMATS = ["tracecontext", "b3", "b3multi", "jaeger"]


def _missing(reason: str) -> None:
    if os.environ.get("OPS_REQUIRE_NODE"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def node() -> str:
    """The node command, with the packages of the lock file beside the service."""
    reason = npm.reason_it_is_missing(SERVICE)
    if reason is not None:
        _missing(f"cross-language test: {reason}")
    return str(shutil.which("node"))


@pytest.fixture(params=FORMATS)
def wire_format(request: pytest.FixtureRequest) -> Iterator[str]:
    """One format, spoken by both sides."""
    ops.set_propagator(ops.ContextPropagator(extract=request.param, inject=request.param))
    yield request.param
    ops.reset_propagator()


class Node:
    """The Node.js service, running; ends when its standard input is closed."""

    def __init__(self, command: str, wire_format: str, ratio: str = "1") -> None:
        env = {"PATH": os.environ["PATH"], "FORMAT": wire_format, "RATIO": ratio}
        self._process = subprocess.Popen(
            [command, "service.cjs"], cwd=SERVICE, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def get(self, path: str, headers: dict[str, str] | None = None) -> Any:
        with urllib.request.urlopen(
            urllib.request.Request(self.url + path, headers=headers or {}), timeout=20
        ) as answer:
            return json.load(answer)

    def stop(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


@pytest.fixture
def python_service() -> Iterator[str]:
    """The far end, in Python: answers whose request it was, by what the library says in it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with ops.propagated_context(extract_from=self.headers), ops.span("far_end") as span:
                session, carrier = ops.current_session(), dict[str, str]()
                ops.get_propagator().inject_context(carrier)
                saw = {
                    "trace_id": span.trace_id,
                    "session": session.id if session else None,
                    "parent_id": _parent(self.headers),
                }
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(saw | {"carrier": carrier, "headers": self.headers.items()}).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


def _parent(headers: Any) -> str:
    return f"{trace.get_current_span(ops.extract_context(headers)).get_span_context().span_id:016x}"


def test_python_node_python(node: str, wire_format: str, python_service: str) -> None:
    """Our span is Node's parent, Node's span is our parent, and all of it is one trace; the session comes through."""
    service = Node(node, wire_format)
    try:
        with ops.session(id="s-1"), ops.span("near_end") as near:
            headers: dict[str, str] = {}
            ops.inject_context(headers)
            answered = service.get("/relay?to=" + python_service, headers)
        spans = {span["kind"]: span for span in service.get("/spans")}
    finally:
        service.stop()
    assert spans["server"]["trace_id"] == near.trace_id
    assert spans["server"]["parent_id"] == near.span_id
    assert spans["client"]["parent_id"] == spans["server"]["span_id"]
    assert answered["answer"]["trace_id"] == near.trace_id
    assert answered["answer"]["parent_id"] == spans["client"]["span_id"]
    assert answered["answer"]["session"] == "s-1"


def test_node_python(node: str, wire_format: str, python_service: str) -> None:
    """Node starts the trace; what it writes, we read."""
    service = Node(node, wire_format)
    try:
        far = service.get("/start?to=" + python_service)["answer"]
        spans = {span["kind"]: span for span in service.get("/spans")}
    finally:
        service.stop()
    assert spans["server"]["parent_id"] is None
    assert far["trace_id"] == spans["server"]["trace_id"]
    assert far["parent_id"] == spans["client"]["span_id"]


def test_a_decision_not_to_sample_goes_round(node: str, wire_format: str, python_service: str) -> None:
    """Node samples nothing of its own: it records no span, and what we make of its headers is unsampled as well."""
    service = Node(node, wire_format, ratio="0")
    try:
        far = service.get("/start?to=" + python_service)["answer"]
        assert service.get("/spans") == []
    finally:
        service.stop()
    again = trace.get_current_span(ops.extract_context(far["carrier"])).get_span_context()
    assert f"{again.trace_id:032x}" == far["trace_id"]
    assert not again.trace_flags.sampled


MEANT = {"greeting": "hello world", "token": "a+b/c==", "share": "100%", "quoted": 'a,b"c\\', "city": "Zürich"}


def node_reads(node: str, carrier: dict[str, str]) -> Any:
    """The baggage in `carrier`, as OpenTelemetry for JavaScript has it: `w3c` and `jaeger`."""
    arguments = [node, "baggage.cjs", json.dumps(carrier)]
    return json.loads(subprocess.run(arguments, cwd=SERVICE, capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize("encode", [urllib.parse.quote_plus, urllib.parse.quote], ids=["go and java", "node"])
def test_node_reads_baggage_that_jaeger_has_sent(node: str, encode: Any) -> None:
    """It drops what is no W3C baggage, such as a bare per cent sign."""
    sent = {f"uberctx-{key}": encode(value) for key, value in MEANT.items()} | {"uberctx-bare": "50%"}
    carrier: dict[str, str] = {}
    ops.ContextPropagator(inject="composite").inject_context(carrier, ops.extract_context(sent))
    read = node_reads(node, carrier)
    assert read["w3c"] == read["jaeger"] == MEANT | {"bare": "50%"}


def test_node_reads_baggage_that_w3c_has_sent(node: str) -> None:
    sent = {"baggage": "greeting=hello%20world,token=a+b/c==,share=100%25,twice=1,twice=2"}
    carrier: dict[str, str] = {}
    ops.ContextPropagator(inject="composite").inject_context(carrier, ops.extract_context(sent))
    meant = {key: MEANT[key] for key in ("greeting", "token", "share")} | {"twice": "2"}
    read = node_reads(node, carrier)
    assert read["w3c"] == meant
    assert read["jaeger"] == meant
