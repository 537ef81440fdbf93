"""A running sidecar is shown and told things over its admin listener."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lab.collectors import collecting
from lab.peers import Upstream
from lab.process import SidecarProcess
from lab.reports import Console

from proxy.control import SidecarControl

T, S = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
HEADERS = [["traceparent", f"00-{T}-{S}-01"], ["x-datadog-trace-id", "5"], ["baggage", "a=1"]]
FILE = """\
inbound: {{listen: '127.0.0.1:0', app: '{app}'}}
outbound: {{listen: '127.0.0.1:0'}}
admin: {{listen: '127.0.0.1:0'}}
drain: {{outbound_linger_s: 0}}
reload: {{watch: false}}
export: {{headers: 'api-key=s3cret', endpoint: 'http://127.0.0.1:9/', traces: false}}
egress: {{trace: ['*.internal']}}
trust: [{{name: edge, peers: [203.0.113.0/24], ids: ignore}}]
{more}
"""


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture
def file(tmp_path: Path, upstream: Upstream) -> Path:
    path = tmp_path / "sidecar.yaml"
    path.write_text(FILE.format(app=upstream.url, more=""))
    return path


@pytest.fixture
def sidecar(file: Path) -> Iterator[SidecarProcess]:
    with SidecarProcess("--config", str(file)) as made:
        yield made


def post(sidecar: SidecarProcess, path: str, body: str = "", kind: str = "text/plain") -> tuple[int, Any]:
    address = sidecar.addresses["admin"]
    connection = http.client.HTTPConnection(address.host, address.port, timeout=20)
    try:
        connection.request("POST", path, body, {"Content-Type": kind})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def config(sidecar: SidecarProcess) -> tuple[dict[str, Any], dict[str, tuple[Any, str]]]:
    """All of it, and its settings with their sources by key."""
    status, text = sidecar.get("/config", "admin")
    assert status == 200
    answer = json.loads(text)
    return answer, {one["key"]: (one["value"], one["source"]) for one in answer["settings"]}


def command(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "proxy", *arguments], capture_output=True, text=True, check=True, timeout=60,
        env={name: value for name, value in os.environ.items() if not name.startswith(("OPS_", "OTEL_"))},
    )  # fmt: skip
    return done.stdout


def test_it_shows_its_settings_as_check_does_without_secrets(sidecar: SidecarProcess, file: Path) -> None:
    answer, settings = config(sidecar)
    assert answer["generation"] == 1
    assert settings["egress.trace"] == (["*.internal"], f"{file}:7")
    assert settings["log.level"] == ("info", "default")
    checked = json.loads(command("check", str(file), "--json"))
    assert {key: answer[key] for key in ("file", "settings", "notes")} == {
        key: checked[key] for key in ("file", "settings", "notes")
    }
    assert "s3cret" not in json.dumps(answer)


def test_it_explains_as_the_command_does(sidecar: SidecarProcess, file: Path) -> None:
    asked = {"headers": HEADERS, "peer": "203.0.113.9", "host": "api.stripe.com"}
    status, answer = post(sidecar, "/explain", json.dumps(asked), "application/json")
    assert status == 200
    lines = [f"{name}: {value}" for name, value in HEADERS]
    told = command(
        "explain", "--config", str(file), "--json", "--peer", "203.0.113.9", "--host", "api.stripe.com", *lines
    )
    assert answer["listeners"] == json.loads(told)["listeners"]


def test_it_shows_what_a_shadow_would_do(sidecar: SidecarProcess, file: Path, upstream: Upstream) -> None:
    """Counts and examples, from a reload on that asks for them."""
    assert json.loads(sidecar.get("/shadow", "admin")[1])["routes"] == []
    file.write_text(FILE.format(app=upstream.url, more="propagation: {shadow: {inject: [b3]}}"))
    assert post(sidecar, "/reload")[0] == 200
    client = sidecar.client()
    client.send(f"GET /x HTTP/1.1\r\nHost: a\r\ntraceparent: {HEADERS[0][1]}\r\n\r\n".encode())
    upstream.answer()
    assert client.response().status == 200
    routes = json.loads(sidecar.get("/shadow", "admin")[1])["routes"]
    (inbound,) = [route for route in routes if route["listener"] == "inbound"]
    assert (inbound["upstream"], inbound["counts"]) == ("app", {"headers": 1})
    assert inbound["examples"]["headers"]["would_go"] == [["b3", f"{T}-{S}-1"]]


def test_a_console_is_told_of_shadows(file: Path, upstream: Upstream) -> None:
    """In the form of GET /shadow."""
    file.write_text(FILE.format(app=upstream.url, more="propagation: {shadow: {inject: [b3]}}"))
    with collecting() as collector:
        report = {"endpoint": f"http://127.0.0.1:{collector.port}", "interval_s": "0.2"}
        flags = [part for key, value in report.items() for part in ("--set", f"console.report.{key}={value}")]
        with SidecarProcess("--config", str(file), *flags) as sidecar:
            client = sidecar.client()
            client.send(f"GET /x HTTP/1.1\r\nHost: a\r\ntraceparent: {HEADERS[0][1]}\r\n\r\n".encode())
            upstream.answer()
            assert client.response().status == 200
            shown = json.loads(sidecar.get("/shadow", "admin")[1])["routes"]
            console = Console(collector)
            while (told := console.document("ops.shadow")) != shown:
                assert not any(route["counts"] for route in told)  # from before the request


def test_a_reload_is_answered_with_its_outcome(sidecar: SidecarProcess, file: Path, upstream: Upstream) -> None:
    file.write_text(FILE.format(app=upstream.url, more="propagation: {inject: [b3]}"))
    assert post(sidecar, "/reload") == (200, {"done": True})
    answer, settings = config(sidecar)
    assert (answer["generation"], settings["propagation.inject"][0]) == (2, ["b3"])
    file.write_text(FILE.format(app=upstream.url, more="propagation: {inject: [c4]}"))
    status, answer = post(sidecar, "/reload")
    assert (status, answer["done"]) == (409, False)
    assert "propagation.inject" in answer["problems"][0]
    assert config(sidecar)[1]["propagation.inject"][0] == ["b3"]


def test_a_reload_that_moves_the_admin_listener_is_still_answered(sidecar: SidecarProcess, file: Path) -> None:
    file.write_text(file.read_text().replace("admin: {listen: '127.0.0.1:0'}", "admin: {listen: 'localhost:0'}"))
    assert post(sidecar, "/reload") == (200, {"done": True})
    sidecar.await_line("listener opened listener=admin")


def test_a_log_level_stays_over_reloads_until_it_is_given_back(sidecar: SidecarProcess, upstream: Upstream) -> None:
    """At debug each request is explained, which is compiled into the plan."""
    assert post(sidecar, "/log-level", "debug") == (200, {"done": True, "level": "debug"})
    client = sidecar.client()
    client.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
    upstream.answer()
    assert client.response().status == 200
    sidecar.await_line("DEBUG .*request")
    assert post(sidecar, "/reload")[0] == 200
    assert config(sidecar)[1]["log.level"] == ("debug", "POST /log-level")
    assert post(sidecar, "/log-level", '{"level": null}', "application/json")[0] == 200
    assert config(sidecar)[1]["log.level"] == ("info", "default")


def test_a_drain_ends_it_as_sigterm_does(sidecar: SidecarProcess, upstream: Upstream) -> None:
    client = sidecar.client()
    client.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
    busy = upstream.busy()
    busy.stream.request_head()
    assert post(sidecar, "/drain") == (202, {"draining": True})
    assert sidecar.get("/readyz", "admin") == (503, "draining\n")
    assert post(sidecar, "/reload")[1]["problems"] == ["the sidecar is ending"]
    busy.reply(b"late")
    assert client.response().body == b"late"
    assert sidecar.wait() == 0


@pytest.mark.parametrize(("problems", "level"), [([], "debug"), (["inbound.app: not a URL"], "info")])
async def test_a_level_stays_only_if_the_settings_can_be_read_again(problems: Sequence[str], level: str) -> None:
    """Or else the next reload that works would change it, long after somebody was told that it did not."""

    async def reload(_: object) -> Sequence[str]:
        return problems

    in_force: Any = SimpleNamespace(level="info", again=object())
    lifecycle: Any = SimpleNamespace(reload=reload)
    none: Any = None
    control = SidecarControl(in_force, lambda: lifecycle, metrics=none, shadow_examples=dict)
    assert await control.set_level("debug") == problems
    assert in_force.level == level
