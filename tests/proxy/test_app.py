"""The whole sidecar as a process of its own: start, reload, drain, what it says, what it returns."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import resource
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme
from lab.collectors import collecting
from lab.process import SidecarProcess
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

TIMEOUT_S = 20.0


class App:
    """An HTTP server that answers with the headers that it got; to /slow only when told to."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.answer = threading.Event()
        app = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                app.asked.set()
                if self.path.startswith("/slow"):
                    app.answer.wait(TIMEOUT_S)
                body = json.dumps(dict(self.headers)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def app() -> Iterator[App]:
    made = App()
    yield made
    made.answer.set()
    made.server.shutdown()
    made.server.server_close()


ANYWHERE = ("--inbound", "127.0.0.1:0", "--outbound", "127.0.0.1:0", "--admin", "127.0.0.1:0")
NO_LINGER = ("--set", "drain.outbound_linger_s=0")


def sidecar_with(*arguments: str, ready: bool = True, **environ: str) -> SidecarProcess:
    """A process that begins with 64 file descriptors."""
    prefix = ("/bin/sh", "-c", 'ulimit -Sn 64; exec "$@"', "sh")
    return SidecarProcess(*arguments, environ=environ, prefix=prefix, stdout=subprocess.PIPE, ready=ready)


def test_it_says_where_it_listens_translates_counts_logs_and_ends(app: App) -> None:
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


def test_at_debug_the_log_says_of_each_request_what_was_read_and_written_and_why(app: App, tmp_path: Path) -> None:
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


def test_the_start_says_which_formats_receivers_get(app: App) -> None:
    upstreams = "[{name: billing, match: billing, propagation: {inject: [b3, jaeger]}}, {name: x, match: x}]"
    arguments = (*ANYWHERE, *NO_LINGER, "--app", app.url, "--set", "inbound.propagation.inject=b3multi")
    with sidecar_with(*arguments, "--set", f"upstreams={upstreams}") as sidecar:
        assert sidecar.log[0].endswith(f", sends to {app.url}, writes b3multi")
        assert sidecar.log[1].endswith(", writes tracecontext (billing: b3,jaeger)")
        assert sidecar.end() == 0


def test_a_request_in_flight_survives_the_drain_and_readiness_is_red_meanwhile(app: App) -> None:
    with sidecar_with(*ANYWHERE, *NO_LINGER, "--app", app.url) as sidecar, _request(sidecar, "/slow") as connection:
        assert app.asked.wait(TIMEOUT_S)
        sidecar.send_signal(signal.SIGTERM)
        sidecar.await_line("draining")
        assert sidecar.get("/readyz", "admin") == (503, "draining\n")
        assert sidecar.get("/healthz", "admin")[0] == 200
        app.answer.set()
        assert connection.getresponse().status == 200
        assert sidecar.wait() == 0


def test_a_request_that_is_cut_makes_the_exit_code_1(app: App) -> None:
    arguments = (*ANYWHERE, *NO_LINGER, "--app", app.url, "--set", "drain.timeout_s=50ms")
    with sidecar_with(*arguments) as sidecar, _request(sidecar, "/slow"):
        assert app.asked.wait(TIMEOUT_S)
        assert sidecar.end() == 1
        assert any("stopped with exchanges cut cut=1" in line for line in sidecar.log)


def test_ctrl_c_twice_stops_now(app: App) -> None:
    with sidecar_with(*ANYWHERE, "--app", app.url) as sidecar, _request(sidecar, "/slow"):
        assert app.asked.wait(TIMEOUT_S)
        sidecar.send_signal(signal.SIGINT)
        sidecar.await_line("draining")
        assert sidecar.end(signal.SIGINT) == 1


@contextlib.contextmanager
def _request(sidecar: SidecarProcess, path: str) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", sidecar.addresses["inbound"].port, timeout=TIMEOUT_S)
    connection.request("GET", path)
    try:
        yield connection
    finally:
        connection.close()


def _settings(file: Path, text: str) -> None:
    """As a careful editor writes: a new file, renamed over the old one."""
    new = file.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.rename(file)


def test_a_changed_file_counts_for_new_requests_and_a_bad_one_for_none(app: App, tmp_path: Path) -> None:
    file = tmp_path / "sidecar.yaml"
    template = f"inbound: {{app: '{app.url}', propagation: {{inject: [%s]}}}}\nreload: {{interval_s: 20ms}}\n"
    _settings(file, template % "tracecontext")
    traceparent = "00-80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-01"
    with (
        sidecar_with(*ANYWHERE, *NO_LINGER, OPS_SIDECAR_CONFIG=str(file)) as sidecar,
        _request(sidecar, "/slow") as slow,
    ):
        assert app.asked.wait(TIMEOUT_S)
        _settings(file, template % "b3")
        sidecar.await_line("settings reloaded generation=2")
        assert json.loads(sidecar.get("/", traceparent=traceparent)[1])["b3"].startswith(
            "80f198ee56343ba864fe8b2a57d3eff7-"
        )
        app.answer.set()
        assert slow.getresponse().status == 200  # in flight all the time
        _settings(file, template % "b4")
        line = sidecar.await_line("settings not reloaded")
        assert "propagation.inject" in line
        assert f"{file}:1" in line
        assert "did you mean b3?" in line
        assert "b3" in json.loads(sidecar.get("/", traceparent=traceparent)[1])
        _settings(file, template % "jaeger" + "log: {access: json, level: warning}\n")
        sidecar.await_line("log.access and log.queue_lines take effect at the next start")
        _settings(file, template % "b3")
        sidecar.await_line("settings reloaded generation=4")  # generation 3 had no line: its level was `warning`
        assert sidecar.metric("ops_sidecar_generation") == 4
        assert sidecar.metric('ops_sidecar_reloads_total{result="success"}') == 3
        assert sidecar.metric('ops_sidecar_reloads_total{result="failure"}') == 1
        assert sidecar.end() == 0


@pytest.mark.parametrize("watched", [True, False])
def test_an_emptied_file_is_no_reload(app: App, tmp_path: Path, watched: bool) -> None:
    """All keys at their defaults is what nobody asked for: the listener would close, and one on 0.0.0.0 open."""
    file = tmp_path / "sidecar.yaml"
    text = f"""\
inbound: {{listen: '127.0.0.1:0', app: '{app.url}'}}
outbound: {{listen: off}}
admin: {{listen: off}}
reload: {{watch: {str(watched).lower()}, interval_s: 20ms}}
"""
    _settings(file, text)
    with sidecar_with("--config", str(file), *NO_LINGER) as sidecar:
        for emptied in ("", "# " + text.replace("\n", "\n# ")):
            file.write_text(emptied, encoding="utf-8")
            if not watched:
                sidecar.send_signal(signal.SIGHUP)
            line = sidecar.await_line("settings (not )?reloaded")
            assert "settings not reloaded" in line
            assert "has no settings now" in line
            assert sidecar.get("/")[0] == 200
        _settings(file, text)
        if not watched:
            sidecar.send_signal(signal.SIGHUP)
        sidecar.await_line("settings reloaded generation=2")
        assert sidecar.end() == 0


def test_sighup_opens_and_closes_listeners_and_one_that_is_taken_changes_nothing(app: App, tmp_path: Path) -> None:
    file = tmp_path / "sidecar.yaml"
    path, other = tmp_path / "own.sock", tmp_path / "other.sock"
    text = f"reload: {{watch: false}}\nupstreams: [{{name: own, listen: 'unix:%s', target: '{app.url}'}}]\n"
    _settings(file, text % path)
    with sidecar_with("--config", str(file), *ANYWHERE, *NO_LINGER, "--app", app.url) as sidecar:
        assert path.exists()
        _settings(file, text % other)
        sidecar.send_signal(signal.SIGHUP)
        sidecar.await_line("settings reloaded generation=2")
        assert other.exists()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            _settings(file, text.replace("unix:%s", f"127.0.0.1:{taken.getsockname()[1]}"))
            sidecar.send_signal(signal.SIGHUP)
            assert "listener own cannot listen" in sidecar.await_line("settings not reloaded")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(other))
        assert sidecar.end() == 0


def test_the_admin_listener_answers_for_the_names_of_the_settings(app: App, tmp_path: Path) -> None:
    """From a reload on, too."""
    file = tmp_path / "sidecar.yaml"
    text = f"inbound: {{listen: '127.0.0.1:0', app: '{app.url}'}}\noutbound: {{listen: off}}\n"
    file.write_text(text + "admin: {listen: '127.0.0.1:0'}\n", encoding="utf-8")
    with sidecar_with("--config", str(file)) as sidecar:
        assert sidecar.get("/metrics", "admin", Host="metrics.example")[0] == 421
        file.write_text(text + "admin: {listen: '127.0.0.1:0', hosts: ['*.example']}\n", encoding="utf-8")
        sidecar.send_signal(signal.SIGHUP)
        sidecar.await_line(r"settings reloaded .*changed=.*admin\.hosts")
        assert sidecar.get("/metrics", "admin", Host="metrics.example")[0] == 200
        assert sidecar.end() == 0


def test_the_public_listener_has_health_and_metrics_alone(app: App, tmp_path: Path) -> None:
    """For any name; a reload moves it, and one that cannot be opened changes nothing."""
    file = tmp_path / "sidecar.yaml"
    text = f"inbound: {{listen: '127.0.0.1:0', app: '{app.url}'}}\noutbound: {{listen: off}}\n"
    file.write_text(text + "admin: {listen: '127.0.0.1:0', public_listen: '127.0.0.1:0'}\n", encoding="utf-8")
    with sidecar_with("--config", str(file)) as sidecar:
        answers = {path: sidecar.get(path, "public", Host="anything.example")[0] for path in PUBLIC_PATHS}
        assert answers == {"/healthz": 200, "/readyz": 200, "/metrics": 200, "/": 404, "/config": 404, "/api": 404}
        taken = sidecar.addresses["inbound"]
        file.write_text(text + f"admin: {{listen: '127.0.0.1:0', public_listen: '{taken}'}}\n", encoding="utf-8")
        sidecar.send_signal(signal.SIGHUP)
        sidecar.await_line("settings not reloaded.*admin.public_listen")
        assert sidecar.get("/healthz", "public")[0] == 200
        file.write_text(text + "admin: {listen: '127.0.0.1:0', public_listen: off}\n", encoding="utf-8")
        sidecar.send_signal(signal.SIGHUP)
        sidecar.await_line("settings reloaded")
        with pytest.raises(ConnectionRefusedError):
            sidecar.get("/healthz", "public")
        assert sidecar.end() == 0


PUBLIC_PATHS = ("/healthz", "/readyz", "/metrics", "/", "/config", "/api")


def test_a_changed_certificate_file_of_the_app_is_a_reload(tmp_path: Path) -> None:
    """Renewed in place, or the file behind it exchanged: the settings say the same as before."""
    file, certificates = tmp_path / "sidecar.yaml", tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(certificates)
    file.write_text(f"inbound: {{app: 'https://127.0.0.1:1', tls: {{ca_file: '{certificates}'}}}}\n", encoding="utf-8")
    with sidecar_with(*ANYWHERE, "--config", str(file), "--set", "reload.interval_s=0.05") as sidecar:
        trustme.CA().cert_pem.write_to_path(certificates)
        line = sidecar.await_line("settings reloaded")
        assert f"contents of {certificates}: of 2" in line
        assert sidecar.end() == 0


def test_a_listener_that_a_reload_opens_is_named_with_its_address(app: App, tmp_path: Path) -> None:
    file = tmp_path / "sidecar.yaml"
    before = "reload: {watch: false}\nlog: {format: json}\nadmin: {listen: off}\n"
    _settings(file, before)
    with sidecar_with("--config", str(file), *ANYWHERE[:4], *NO_LINGER, "--app", app.url) as sidecar:
        own = f"upstreams: [{{name: own, listen: '127.0.0.1:0', target: '{app.url}'}}]\n"
        _settings(file, before.replace("off", "'127.0.0.1:0'") + own)
        sidecar.send_signal(signal.SIGHUP)
        sidecar.await_line("settings reloaded")
        entries = [json.loads(line) for line in sidecar.log if "listener opened" in line]
        assert [entry["listener"] for entry in entries] == ["own", "admin"]
        for entry, path in zip(entries, ("/", "/readyz"), strict=True):
            host, _, port = entry["address"].rpartition(":")
            connection = http.client.HTTPConnection(host, int(port), timeout=TIMEOUT_S)
            connection.request("GET", path)
            assert connection.getresponse().status == 200
            connection.close()
        assert sidecar.end() == 0


def test_a_listener_that_is_renamed_is_not_named_as_opened(app: App, tmp_path: Path) -> None:
    """It keeps its socket."""
    file = tmp_path / "sidecar.yaml"
    text = f"reload: {{watch: false}}\nupstreams: [{{name: %s, listen: 'unix:{tmp_path}/s', target: '{app.url}'}}]\n"
    _settings(file, text % "one")
    with sidecar_with("--config", str(file), *ANYWHERE, *NO_LINGER, "--app", app.url) as sidecar:
        _settings(file, text % "two")
        sidecar.send_signal(signal.SIGHUP)
        sidecar.await_line("settings reloaded")
        assert sidecar.end() == 0
        assert not [line for line in sidecar.log if "listener opened" in line]


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


def test_the_log_can_be_json(app: App) -> None:
    """Each line of it, those of the start as well."""
    with sidecar_with(*ANYWHERE, *NO_LINGER, "--admin", "off", "--app", app.url, "--set", "log.format=json") as sidecar:
        assert sidecar.end() == 0
        messages = [json.loads(line)["message"] for line in sidecar.log]
        assert [message.partition(" on ")[0] for message in messages] == [
            *("inbound listening", "outbound listening", "ops-sidecar ready"),
            *("draining", "stopped"),
        ]


@pytest.mark.parametrize("lines", [100, 10_000])
def test_an_access_log_that_nobody_reads_drops_lines_beyond_its_queue(app: App, lines: int) -> None:
    """`log.queue_lines`, and what 600 long lines are to a pipe of 64 KiB."""
    arguments = (*ANYWHERE, *NO_LINGER, "--app", app.url, "--access-log", "text", "--set", f"log.queue_lines={lines}")
    with sidecar_with(*arguments) as sidecar:
        connection = http.client.HTTPConnection("127.0.0.1", sidecar.addresses["inbound"].port, timeout=TIMEOUT_S)
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


def test_names_that_hang_find_threads_enough(app: App) -> None:
    """The event loop makes all of its threads at the first look-up; by itself it would have 4, and use 2 for names."""
    with sidecar_with(*ANYWHERE, "--app", app.url.replace("127.0.0.1", "localhost")) as sidecar:
        assert sidecar.get("/")[0] == 200
        assert len(list(Path(f"/proc/{sidecar.process.pid}/task").iterdir())) > 32


def test_metrics_are_exported(app: App) -> None:
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


def test_taking_part_without_an_exporter_is_told(app: App) -> None:
    arguments = (*ANYWHERE, *NO_LINGER, "--app", app.url, "--set", "propagation.mode=participate")
    with sidecar_with(*arguments) as sidecar:
        assert any("nobody will report" in line for line in sidecar.log)
    with sidecar_with(*arguments, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1") as sidecar:
        assert sidecar.log[-2] == "spans are exported to http://127.0.0.1:1/v1/traces"
        assert not any("nobody will report" in line for line in sidecar.log)
