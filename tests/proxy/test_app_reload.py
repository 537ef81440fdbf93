"""The whole sidecar as a process of its own: what a reload changes, what it refuses, and what the log says of it."""

from __future__ import annotations

import http.client
import json
import signal
import socket
from pathlib import Path

import pytest
import trustme
from lab.echo import EchoApp
from lab.process import ANYWHERE, NO_LINGER, PROCESS_WAIT_S, sidecar_with


def _settings(file: Path, text: str) -> None:
    """As a careful editor writes: a new file, renamed over the old one."""
    new = file.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.rename(file)


def test_a_changed_file_counts_for_new_requests_and_a_bad_one_for_none(app: EchoApp, tmp_path: Path) -> None:
    file = tmp_path / "sidecar.yaml"
    template = f"inbound: {{app: '{app.url}', propagation: {{inject: [%s]}}}}\nreload: {{interval_s: 20ms}}\n"
    _settings(file, template % "tracecontext")
    traceparent = "00-80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-01"
    with (
        sidecar_with(*ANYWHERE, *NO_LINGER, OPS_SIDECAR_CONFIG=str(file)) as sidecar,
        sidecar.begin_get("/slow") as slow,
    ):
        assert app.asked.wait(PROCESS_WAIT_S)
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
def test_an_emptied_file_is_no_reload(app: EchoApp, tmp_path: Path, watched: bool) -> None:
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


def test_sighup_opens_and_closes_listeners_and_one_that_is_taken_changes_nothing(app: EchoApp, tmp_path: Path) -> None:
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


def test_the_admin_listener_answers_for_the_names_of_the_settings(app: EchoApp, tmp_path: Path) -> None:
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


def test_the_public_listener_has_health_and_metrics_alone(app: EchoApp, tmp_path: Path) -> None:
    """For any name; a reload moves it, and one that cannot be opened changes nothing."""
    file = tmp_path / "sidecar.yaml"
    text = f"inbound: {{listen: '127.0.0.1:0', app: '{app.url}'}}\noutbound: {{listen: off}}\n"
    file.write_text(text + "admin: {listen: '127.0.0.1:0', public_listen: '127.0.0.1:0'}\n", encoding="utf-8")
    with sidecar_with("--config", str(file)) as sidecar:
        paths = ("/healthz", "/readyz", "/metrics", "/", "/config", "/api")
        answers = {path: sidecar.get(path, "public", Host="anything.example")[0] for path in paths}
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


def test_a_listener_that_a_reload_opens_is_named_with_its_address(app: EchoApp, tmp_path: Path) -> None:
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
            connection = http.client.HTTPConnection(host, int(port), timeout=PROCESS_WAIT_S)
            connection.request("GET", path)
            assert connection.getresponse().status == 200
            connection.close()
        assert sidecar.end() == 0


def test_a_listener_that_is_renamed_is_not_named_as_opened(app: EchoApp, tmp_path: Path) -> None:
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
