"""`ops-sidecar demo` as a user runs it: real processes, real sockets, its exit codes, and nobody left behind."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pytest
from jsonschema import Draft202012Validator
from lab.collectors import collecting
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ops_lib import propagation
from proxy.demo import command, topology
from proxy.demo.sidecars import SidecarSpec

LIMIT_S = 30
COMMAND = (sys.executable, "-P", "-m", "proxy", "demo")
OWN_SERVICES = ("shop", "orders", "billing")
OWN_HEADERS = {
    "/checkout": {"traceparent", "tracestate"},
    "/orders": {"x-b3-traceid", "x-b3-spanid", "x-b3-sampled"},
    "/charges": {"uber-trace-id"},
    "/receipts": {"traceparent", "tracestate"},
}


def demo(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the demo to its end."""
    return subprocess.run(
        (*COMMAND, *arguments),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        env={**os.environ, **environment},
    )


def children(parent: int) -> set[int]:
    """The processes that `parent` started and that still run."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.add(int(entry.parent.name))
    return found


@pytest.fixture(scope="module")
def requests() -> list[dict[str, Any]]:
    """One run with --json; settings in the caller's own environment must not disturb it."""
    done = demo(
        "--json",
        OPS_SIDECAR_INBOUND__APP="http://127.0.0.1:1",
        MIRASCOPE_PROPAGATOR="jaeger",
        HTTP_PROXY="http://127.0.0.1:1",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    document = json.loads(done.stdout)
    assert document["ok"]
    found: list[dict[str, Any]] = document["requests"]
    return found


def test_each_service_saw_its_own_format_and_no_other(requests: list[dict[str, Any]]) -> None:
    for hop in requests[0]["hops"]:
        names = {name.lower() for name, _ in hop["saw"]}
        assert names == OWN_HEADERS[hop["path"]] | {"x-mirascope-session-id"}


def test_the_wire_between_sidecars_speaks_w3c(requests: list[dict[str, Any]]) -> None:
    for request in requests:
        for hop in request["hops"][1:]:
            names = {name.lower() for name, _ in hop["wire"]}
            assert (
                {"traceparent", "x-mirascope-session-id"}
                <= names
                <= {"traceparent", "tracestate", "x-mirascope-session-id"}
            )


def test_one_trace_one_session_one_chain_of_parents(requests: list[dict[str, Any]]) -> None:
    for request in requests:
        hops = request["hops"]
        assert [hop["service"] for hop in hops] == ["shop", "orders", "billing", "shop"]
        assert len({hop["trace_id"].rjust(32, "0") for hop in hops}) == 1
        assert len({hop["session"] for hop in hops}) == 1
        assert [hop["span_id"] for hop in hops[1:]] == [hop["sent_span_id"] for hop in hops[:-1]]


def test_a_64_bit_debug_trace_stays_one_where_the_format_can_say_so(requests: list[dict[str, Any]]) -> None:
    hops = requests[1]["hops"]
    assert [hop["sampling"] for hop in hops] == ["accept", "debug", "debug", "accept"]
    assert [len(hop["trace_id"]) for hop in hops] == [32, 16, 16, 32]


def test_a_sidecar_that_was_told_wrong_is_found() -> None:
    done = demo("--inject", "orders=jaeger")
    assert done.returncode == 1
    assert "orders/orders: lost the trace" in done.stdout
    assert "lost the session" not in done.stdout
    assert "\x1b" not in done.stdout


def test_a_sidecar_that_renames_the_session_is_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The session alone is lost, at the service that does not find it. Its sidecar carries it past to the next."""
    real = topology.specs

    def renamed(*arguments: Any) -> tuple[SidecarSpec, ...]:
        shop, orders, billing = real(*arguments)
        session = {"OPS_SIDECAR_INBOUND__PROPAGATION__SESSION__INJECT": "X-Else"}
        return shop, orders, replace(billing, environment={**billing.environment, **session})

    monkeypatch.setattr(topology, "specs", renamed)
    assert command.run(["--json"]) == 1
    for request in json.loads(capsys.readouterr().out)["requests"]:
        assert [problem.split(": lost the session")[0] for problem in request["problems"]] == ["billing/charges"]


def test_more_formats_than_its_own_lose_nothing() -> None:
    done = demo("--inject", "orders=composite", "--inject", "billing= Jaeger, b3")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_sidecar_that_cannot_start_is_told_with_its_log() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = demo("--port", str(port))
    assert done.returncode == 1
    assert "the sidecar of shop ended with exit code 1" in done.stderr
    assert f"127.0.0.1:{port}" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [["--inject", "orders"], ["--inject", "x=b3"], ["--inject", "orders=w3c"], ["--port", "70000"], ["--what"]],
)
def test_wrong_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.parse(arguments)
    assert ended.value.code == 2
    assert arguments[-1] in capsys.readouterr().err


def test_an_unknown_format_is_told_with_the_right_names(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.parse(["--inject", "orders=b3multy"])
    assert ended.value.code == 2
    assert "expected some of tracecontext, b3, b3multi, jaeger, composite" in capsys.readouterr().err
    assert (*propagation.FORMATS, propagation.COMPOSITE) == command.FORMATS


class Kept:
    """A demo that --keep leaves running, its output a terminal or a pipe."""

    def __init__(self, process: subprocess.Popen[str], output: IO[str]) -> None:
        self.process = process
        self._output = output
        self.text = ""

    def read_until(self, pattern: str) -> re.Match[str]:
        """Read on until a line holds `pattern`."""
        for line in self._output:
            self.text += line
            if match := re.search(pattern, line):
                return match
        raise AssertionError(f"{pattern} never came\n{self.text}")


@pytest.fixture
def kept() -> Iterator[Kept]:
    process = subprocess.Popen(
        (*COMMAND, "--keep", "--port", "0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process:
        try:
            yield Kept(process, process.stdout)
        finally:
            process.kill()


def answer(address: str, headers: dict[str, str]) -> str:
    """What the shop's sidecar answers; a proxy of the environment is passed over."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(address, headers=headers), timeout=LIMIT_S) as response:
        text: str = response.read().decode()
    return text


def seen(url: str, wanted: int) -> list[dict[str, Any]]:
    """The spans of a trace, once all have come."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    until = time.monotonic() + LIMIT_S
    while True:
        with contextlib.suppress(urllib.error.HTTPError), opener.open(url, timeout=LIMIT_S) as response:
            spans: list[dict[str, Any]] = json.load(response)["spans"]
            if len([span for span in spans if not span.get("missing")]) >= wanted:
                return spans
        assert time.monotonic() < until, f"not all spans of {url} came"
        time.sleep(0.05)


def as_described(api: str, trace: str) -> None:
    """What the console answers of real sidecars is what its own description says."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(path: str) -> Any:
        with opener.open(api + path, timeout=LIMIT_S) as response:
            return json.load(response)

    description = ask("/openapi.json")
    ids = {"/traces/{id}": trace, "/requests/{id}": ask("/requests")["items"][0]["id"]}
    ids["/sessions/{id}"] = ask("/sessions")["items"][0]["id"]
    for path, methods in description["paths"].items():
        content = methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        if "application/json" in content:
            schema = {**content["application/json"]["schema"], "components": description["components"]}
            Draft202012Validator(schema).validate(ask(path.replace("{id}", ids.get(path, ""))))


def test_keep_runs_on_and_its_curl_works_until_it_is_told_to_end(kept: Kept) -> None:
    """Ctrl-C ends it with 0, and every process that it started."""
    address = kept.read_until(r"curl (http://\S+/checkout)")[1]
    kept.read_until(r"metrics")
    page, trace = kept.read_until(r"(http://\S+)/#/traces/([0-9a-f]{32})").groups()
    spans = seen(f"{page}/api/v1/traces/{trace}", wanted=10)
    assert {span["service"] for span in spans if not span.get("missing")} == {"shop", "orders", "billing"}
    assert [span["service"] for span in spans if span.get("missing")] == ["caller of shop"]  # no other gap
    as_described(f"{page}/api/v1", trace)
    fields = {"X-B3-TraceId": "a3ce929d0e0e4736", "X-B3-SpanId": "00f067aa0ba902b7"}
    hops = json.loads(answer(address, {**fields, "Accept": "application/json"}))["hops"]
    assert {hop["trace_id"][-16:] for hop in hops} == {"a3ce929d0e0e4736"}
    told = answer(address, {**fields, "Accept": "*/*"})  # as curl asks
    rows = [line.split()[:2] for line in told.splitlines() if line.startswith("  ") and "a3ce929d0e0e4736" in line]
    assert [row for row in rows if row[0] in OWN_SERVICES][-4:] == [
        ["shop", "0000000000000000a3ce929d0e0e4736"],
        ["orders", "a3ce929d0e0e4736"],
        ["billing", "a3ce929d0e0e4736"],
        ["shop", "0000000000000000a3ce929d0e0e4736"],
    ]
    assert max(map(len, told.splitlines())) <= 80
    started = children(kept.process.pid)
    assert len(started) == 4  # three sidecars and the console
    kept.process.send_signal(signal.SIGINT)
    assert kept.process.wait(LIMIT_S) == 0
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
    assert kept.process.stderr is not None
    assert kept.process.stderr.read() == ""


def test_exported_spans_join_every_hop() -> None:
    """By the spans themselves: the parent of each sidecar and service is who called it, on every hop, in and out."""
    with collecting() as collector:
        done = demo("--json", "--export", f"http://127.0.0.1:{collector.port}", OTEL_TRACES_SAMPLER="always_off")
        assert done.returncode == 0, done.stdout + done.stderr
        spans = {span.span_id.hex(): span for span in collector.spans(20)}
    assert len(spans) == 20
    for request in json.loads(done.stdout)["requests"]:
        hops = request["hops"]
        sent = hops[0]["sent"]
        caller = next(value.split("-")[2 if name == "traceparent" else 1] for name, value in sent if name != "Cookie")
        for hop in hops:
            server = spans.pop(hop["span_id"])
            assert server.kind == Span.SPAN_KIND_SERVER
            assert server.trace_id.hex()[-16:] == hop["trace_id"][-16:]
            if hop["from"] != "caller":  # the sidecar of whoever called is between
                client = spans.pop(server.parent_span_id.hex())
                assert client.kind == Span.SPAN_KIND_CLIENT
                assert client.trace_id == server.trace_id
                assert client.parent_span_id.hex() == caller
            else:
                assert server.parent_span_id.hex() == caller
            caller = hop["sent_span_id"]
            if caller:
                service = spans.pop(caller)
                assert service.parent_span_id == server.span_id
    assert not spans


def test_settings_of_the_environment_do_not_change_it() -> None:
    assert demo(OTEL_EXPORTER_OTLP_ENDPOINT="nonsense", OPS_SIDECAR_INBOUND__APP="nonsense").returncode == 0


def test_a_collector_that_cannot_be_one_is_named() -> None:
    done = demo("--export", "nonsense")
    assert done.returncode == 1
    assert "nonsense" in done.stderr
    assert "http://" in done.stderr


def test_sigterm_ends_every_process(kept: Kept) -> None:
    kept.read_until(r"curl")
    started = children(kept.process.pid)
    assert len(started) == 4
    kept.process.terminate()
    assert kept.process.wait(LIMIT_S) == 128 + signal.SIGTERM
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]


def test_a_sidecar_that_dies_ends_the_demo_and_the_others(kept: Kept) -> None:
    kept.read_until(r"curl")
    started = children(kept.process.pid)
    os.kill(max(started), signal.SIGKILL)  # the console is the first that is started
    assert kept.process.wait(LIMIT_S) == 1
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
    assert kept.process.stderr is not None
    assert "ended with exit code -9" in kept.process.stderr.read()


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_colour_on_a_terminal_alone(
    environment: dict[str, str], coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    ours, theirs = pty.openpty()
    with open(ours, "rb", buffering=0), open(theirs, "w", encoding="utf-8") as terminal:  # noqa: PTH123  # descriptors
        monkeypatch.setattr(sys, "stdout", terminal)
        style = command._style()
    assert style.colour is coloured
    assert style.unicode
