"""What a sidecar has in memory beside what it works with: nothing of the console, the demo, the webhook, the library.

Each of these packages costs 0.5 to 14 MB for as long as the process lives.
"""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.peers import Upstream
from lab.process import SidecarProcess
from lab.sidecar import LISTEN

FOREIGN = {
    *(
        "aiohttp",
        "multidict",
        "yarl",
        "frozenlist",
        "propcache",
        "aiosignal",
    ),  # the console's server, and what it brings
    *("opentelemetry", "google", "ruamel", "cryptography", "mcp"),
    *("multiprocessing", "concurrent.futures.process", "http.cookies", "http.server"),
    *("proxy.console", "proxy.demo", "proxy.kubernetes.webhook"),
}
EXPLAIN = {"proxy.explain"}  # once somebody asks
ASKED = ("/", "/healthz", "/readyz", "/readyz?app=1", "/metrics", "/config", "/shadow")
TOLD = {
    "/explain": b"traceparent: 00-463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-01",
    "/log-level": b"info",
    "/reload": b"",
}


@pytest.fixture
def process(upstream: Upstream) -> Iterator[SidecarProcess]:
    """It tells of every module that it imports (python -X importtime)."""
    listens = ("--inbound", LISTEN, "--outbound", LISTEN, "--admin", LISTEN, "--set", f"admin.public_listen={LISTEN}")
    with SidecarProcess(*listens, "--app", upstream.url, environ={"PYTHONPROFILEIMPORTTIME": "1"}) as sidecar:
        yield sidecar


def imported(process: SidecarProcess) -> set[str]:
    """The modules that it has imported so far."""
    return {line.rpartition("|")[2].strip() for line in process.log if line.startswith("import time:")}


def among(modules: set[str], packages: set[str]) -> set[str]:
    return {module for module in modules if any(module == one or module.startswith(f"{one}.") for one in packages)}


def mapped(process: SidecarProcess) -> set[str]:
    """The packages whose machine code is in its memory."""
    maps = Path(f"/proc/{process.process.pid}/maps").read_text()
    return set(re.findall(r"site-packages/([^/\s]+)/\S*\.so", maps))


def test_an_idle_sidecar_has_only_what_it_works_with(process: SidecarProcess) -> None:
    modules = imported(process)
    assert {"uvloop", "h11", "proxy.admin.server"} <= modules  # so the log is whole
    assert among(modules, FOREIGN | EXPLAIN) == set()
    assert mapped(process) & FOREIGN == set()
    assert "uvloop" in mapped(process)


def test_what_the_admin_listener_is_asked_brings_no_more(process: SidecarProcess) -> None:
    for path in ASKED:
        process.get(path, "admin")
    for path, body in TOLD.items():
        with urllib.request.urlopen(process.url("admin") + path, body, timeout=10) as response:
            assert response.status == 200
    modules = imported(process)
    assert among(modules, EXPLAIN)
    assert among(modules, FOREIGN) == set()
    assert mapped(process) & FOREIGN == set()
