"""The whole sidecar as a process of its own: start, drain, what it says, what it returns.

Reloads are in test_app_reload.py.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import resource
import signal
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from lab.collectors import collecting
from lab.echo import EchoApp
from lab.process import ANYWHERE, NO_LINGER, PROCESS_WAIT_S, sidecar_with
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest


def test_it_says_where_it_listens_translates_counts_logs_and_ends(app: EchoApp) -> None:
    arguments = (*ANYWHERE, *NO_LINGER, "--app", app.url, "--access-log", "json")
    with sidecar_with(*arguments) as sidecar:
        assert len(sidecar.log) == 4
        assert sidecar.log[0].startswith("inbound listening on 127.0.0.1:")
        b3 = {
            "X_B3_TraceId": "80f198ee56343ba864fe8b2a57d3eff7",
            "X_B3_SpanId": "e457b5a2e4d86bd1",
            "X_B3_Sampled": "1",
        }
        status, text = sidecar.get("/x?token=hunter2", **b3, Mirascope_Session_Id="s1")
        assert status == 200
        headers = json.loads(text)
        assert headers["traceparent"] == "00-80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-01"
        assert headers["X-Mirascope-Session-Id"] == "s1"
        assert not any(name.lower().startswith("x-b3") for name in headers)
        assert sidecar.get("/readyz", "admin") == (200, "ready\n")
        assert sidecar.metric('ops_sidecar_requests_total{listener="inbound",upstream="app",status_class="2xx"}') == 1
        assert sidecar.metric("ops_sidecar_contexts_extracted_total") == 1
        assert sidecar.metric("process_resident_memory_bytes") < 72 * 2**20  # HTTP/2 takes 5 MB of it
        soft, hard = resource.prlimit(sidecar.process.pid, resource.RLIMIT_NOFILE)
        assert soft == hard > 64  # it began with 64
        assert sidecar.end() == 0
        assert sidecar.process.stdout is not None
        entry = json.loads(sidecar.process.stdout.read())
        assert (entry["path"], entry["trace_id"], entry["session"]) == ("/x", "80f198ee56343ba864fe8b2a57d3eff7", "s1")
        assert "hunter2" not in "".join(sidecar.log)


def test_at_debug_the_log_says_of_each_request_what_was_read_and_written_and_why(app: EchoApp, tmp_path: Path) -> None:
    """From a reload on, too; never a query string or a session."""
    file = tmp_path / "sidecar.yaml"
    text = f"inbound: {{listen: '127.0.0.1:0', app: '{app.url}'}}\noutbound: {{listen: off}}\nadmin: {{listen: off}}\n"
    file.write_text(text, encoding="utf-8")
    with sidecar_with("--config", str(file)) as sidecar:
        trace = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "b3": f"{'c' * 32}-{'d' * 16}-1", "uber_trace_id": "x"}
        sidecar.get("/quiet", **trace)
        file.write_text(text + "log: {level: debug}\n", encoding="utf-8")
        sidecar.send_signal(signal.SIGHUP)
        sidecar.await_line("settings reloaded")
        sidecar.get("/x?token=hunter2", **trace, Mirascope_Session_Id="session-1")
        line = sidecar.await_line(" request ")
        assert "listener=inbound upstream=app method=GET path=/x status=200" in line
        assert 'read="tracecontext:wins b3:conflict jaeger:malformed(shape)"' in line
        assert f"trace_id={'a' * 32} span_id={'b' * 16} sampling=accept session=carried written=tracecontext" in line
        assert "tracecontext is the first that counts, in the order of propagation.extract" in line
        assert "propagation.inject for app is tracecontext" in line
        assert sidecar.get("/y?token=hunter2", Content_Length="1x")[0] == 400
        line = sidecar.await_line(" request refused ")
        assert "listener=inbound" in line and "status=400 error=bad-request detail=" in line
        assert sidecar.end() == 0
        told = "".join(sidecar.log)
        assert "hunter2" not in told and "session-1" not in told and "/quiet" not in told


def test_the_log_says_that_the_app_fails_and_that_it_is_back() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with sidecar_with(*ANYWHERE, *NO_LINGER, "--app", f"http://127.0.0.1:{port}") as sidecar:
        for _ in range(3):
            assert sidecar.get("/")[0] == 502
        line = sidecar.await_line("an upstream fails")
        assert "upstream=app fault=connection-refused" in line
        with ThreadingHTTPServer(("127.0.0.1", port), BaseHTTPRequestHandler) as back:
            threading.Thread(target=back.handle_request, daemon=True).start()
            assert sidecar.get("/")[0] == 501
            assert "further_failures=2" in sidecar.await_line("an upstream is back")
        assert sidecar.end() == 0
        assert sum("an upstream fails" in line for line in sidecar.log) == 1


def test_the_start_says_which_formats_receivers_get(app: EchoApp) -> None:
    upstreams = "[{name: billing, match: billing, propagation: {inject: [b3, jaeger]}}, {name: x, match: x}]"
    arguments = (*ANYWHERE, *NO_LINGER, "--app", app.url, "--set", "inbound.propagation.inject=b3multi")
    with sidecar_with(*arguments, "--set", f"upstreams={upstreams}") as sidecar:
        assert sidecar.log[0].endswith(f", sends to {app.url}, writes b3multi")
        assert sidecar.log[1].endswith(", writes tracecontext (billing: b3,jaeger)")
        assert sidecar.end() == 0


def test_a_request_in_flight_survives_the_drain_and_readiness_is_red_meanwhile(app: EchoApp) -> None:
    with sidecar_with(*ANYWHERE, *NO_LINGER, "--app", app.url) as sidecar, sidecar.begin_get("/slow") as connection:
        assert app.asked.wait(PROCESS_WAIT_S)
        sidecar.send_signal(signal.SIGTERM)
        sidecar.await_line("draining")
        assert sidecar.get("/readyz", "admin") == (503, "draining\n")
        assert sidecar.get("/healthz", "admin")[0] == 200
        app.answer.set()
        assert connection.getresponse().status == 200
        assert sidecar.wait() == 0


def test_a_request_that_is_cut_makes_the_exit_code_1(app: EchoApp) -> None:
    arguments = (*ANYWHERE, *NO_LINGER, "--app", app.url, "--set", "drain.timeout_s=50ms")
    with sidecar_with(*arguments) as sidecar, sidecar.begin_get("/slow"):
        assert app.asked.wait(PROCESS_WAIT_S)
        assert sidecar.end() == 1
        assert any("stopped with exchanges cut cut=1" in line for line in sidecar.log)


def test_ctrl_c_twice_stops_now(app: EchoApp) -> None:
    with sidecar_with(*ANYWHERE, "--app", app.url) as sidecar, sidecar.begin_get("/slow"):
        assert app.asked.wait(PROCESS_WAIT_S)
        sidecar.send_signal(signal.SIGINT)
        sidecar.await_line("draining")
        assert sidecar.end(signal.SIGINT) == 1


def test_a_taken_address_is_named_and_the_exit_code_is_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        for flag, listener in (("--inbound", "inbound"), ("--admin", "admin")):
            sidecar = sidecar_with(*ANYWHERE, flag, where, ready=False)
            assert sidecar.wait() == 1
            assert re.fullmatch(
                f"ops-sidecar: cannot start: listener {listener} cannot listen on {where}: .+", sidecar.log[-1]
            )
            sidecar.kill()


def test_wrong_settings_are_all_told_and_the_exit_code_is_2() -> None:
    sidecar = sidecar_with("--inject", "b4", "--set", "inbound.ap=x", OPS_SIDECAR_ADMIN__LISTEN="9082", ready=False)
    assert sidecar.wait() == 2
    sidecar.kill()
    assert sidecar.log[0] == "ops-sidecar: 3 problems in the settings:"
    text = "\n".join(sidecar.log)
    for source in ("flag --inject", "flag --set inbound.ap", "environment variable OPS_SIDECAR_ADMIN__LISTEN"):
        assert source in text


def test_the_log_can_be_json(app: EchoApp) -> None:
    """Each line of it, those of the start as well."""
    with sidecar_with(*ANYWHERE, *NO_LINGER, "--admin", "off", "--app", app.url, "--set", "log.format=json") as sidecar:
        assert sidecar.end() == 0
        messages = [json.loads(line)["message"] for line in sidecar.log]
        assert [message.partition(" on ")[0] for message in messages] == [
            *("inbound listening", "outbound listening", "ops-sidecar ready"),
            *("draining", "stopped"),
        ]


@pytest.mark.parametrize("lines", [100, 10_000])
def test_an_access_log_that_nobody_reads_drops_lines_beyond_its_queue(app: EchoApp, lines: int) -> None:
    """`log.queue_lines`, and what 600 long lines are to a pipe of 64 KiB."""
    arguments = (*ANYWHERE, *NO_LINGER, "--app", app.url, "--access-log", "text", "--set", f"log.queue_lines={lines}")
    with sidecar_with(*arguments) as sidecar:
        connection = http.client.HTTPConnection("127.0.0.1", sidecar.addresses["inbound"].port, timeout=PROCESS_WAIT_S)
        for _ in range(600):
            connection.request("GET", "/" + "x" * 200)
            connection.getresponse().read()
        connection.close()
        dropped = sidecar.metric('ops_sidecar_log_lines_dropped_total{stream="access"}')
        assert (dropped > 0) is (lines == 100)


def test_a_term_before_the_start_is_heeded(tmp_path: Path) -> None:
    """The settings come from a pipe that nobody writes to, so the start is still under way."""
    fifo = tmp_path / "fifo.yaml"
    os.mkfifo(fifo)
    sidecar = sidecar_with("--config", str(fifo), ready=False)
    with fifo.open("w", encoding="utf-8"):  # opens when the sidecar has begun to read
        assert sidecar.end() == 0
    sidecar.kill()


def test_names_that_hang_find_threads_enough(app: EchoApp) -> None:
    """The event loop makes all of its threads at the first look-up; by itself it would have 4, and use 2 for names."""
    with sidecar_with(*ANYWHERE, "--app", app.url.replace("127.0.0.1", "localhost")) as sidecar:
        assert sidecar.get("/")[0] == 200
        assert len(list(Path(f"/proc/{sidecar.process.pid}/task").iterdir())) > 32


def test_metrics_are_exported(app: EchoApp) -> None:
    """By an endpoint of their own, and once more at the end, with what was counted last."""
    with collecting() as collector:
        endpoint = f"export.metrics_endpoint=http://127.0.0.1:{collector.port}/v1/metrics"
        arguments = (*ANYWHERE, *NO_LINGER, "--app", app.url, "--set", endpoint, "--set", "export.metrics=true")
        with sidecar_with(*arguments, OTEL_SERVICE_NAME="shop") as sidecar:
            first = exported(collector.next()[1])
            assert first["ops_sidecar_info"] == 1
            assert "ops_sidecar_requests" not in first or first["ops_sidecar_requests"] == 0
            assert sidecar.get("/x")[0] == 200
            assert sidecar.end() == 0
            assert exported(collector.next()[1])["ops_sidecar_requests"] == 1


def exported(body: bytes) -> dict[str, int]:
    """The first figure of each metric that is a whole number, and that it is the shop's."""
    (resource,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
    assert "shop" in {each.value.string_value for each in resource.resource.attributes}
    found = {}
    for metric in resource.scope_metrics[0].metrics:
        points = metric.sum.data_points or metric.gauge.data_points
        if points:
            found[metric.name] = points[0].as_int
    return found


def test_taking_part_without_an_exporter_is_told(app: EchoApp) -> None:
    arguments = (*ANYWHERE, *NO_LINGER, "--app", app.url, "--set", "propagation.mode=participate")
    with sidecar_with(*arguments) as sidecar:
        assert any("nobody will report" in line for line in sidecar.log)
    with sidecar_with(*arguments, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1") as sidecar:
        assert sidecar.log[-2] == "spans are exported to http://127.0.0.1:1/v1/traces"
        assert not any("nobody will report" in line for line in sidecar.log)
