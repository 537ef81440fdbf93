"""Baggage that a server takes straight, it takes through one sidecar and through two, into any kind of baggage.

The servers are those that people run, with their own limits: gunicorn (100 fields, 8190 bytes each), uvicorn, aiohttp
(8190 bytes a field), Node (16 KiB in all).
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lab.process import SidecarProcess
from lab.sidecar import LISTEN

SERVERS = Path(__file__).parent / "servers"
COMMANDS = {
    "gunicorn": [sys.executable, "-m", "gunicorn", "--bind", LISTEN, "--no-control-socket", "plain:wsgi"],
    "uvicorn": [sys.executable, "-m", "uvicorn", "--port", "0", "plain:asgi"],
    "aiohttp": [sys.executable, "plain.py"],
    "node": ["node", "plain.mjs"],
}
KINDS = {"w3c": ["tracecontext"], "jaeger": ["jaeger"], "both": ["composite"]}

Headers = list[tuple[str, str]]


@pytest.fixture(scope="module", params=COMMANDS)
def server(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    """One of the servers: its name and its port."""
    command = COMMANDS[request.param]
    if shutil.which(command[0]) is None:
        (pytest.fail if os.environ.get("OPS_REQUIRE_NODE") else pytest.skip)(f"{command[0]} is not installed")
    process = subprocess.Popen(command, cwd=SERVERS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    with process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                break
        else:
            pytest.fail(f"{request.param} did not start: {lines}")
        yield request.param, int(found[1])
        process.terminate()
        process.stdout.close()
        process.wait(10)


@pytest.fixture(scope="module")
def ways(server: tuple[str, int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """Ports that lead to the server: through one sidecar and through two, by the kinds of baggage that they write."""
    scratch = tmp_path_factory.mktemp("sidecars")

    def sidecar(name: str, targets: dict[str, tuple[int, list[str]]]) -> SidecarProcess:
        upstreams = [
            {"name": way, "listen": LISTEN, "target": f"http://127.0.0.1:{port}", "propagation": {"inject": inject}}
            for way, (port, inject) in targets.items()
        ]
        off = {"listen": "off"}
        text = json.dumps({"inbound": off, "outbound": {"listen": LISTEN}, "admin": off, "upstreams": upstreams})
        (scratch / name).write_text(text)
        return stack.enter_context(SidecarProcess("--config", str(scratch / name)))

    with ExitStack() as stack:
        last = sidecar("last.yaml", {kind: (server[1], inject) for kind, inject in KINDS.items()})
        ports = {kind: last.addresses[kind].port for kind in KINDS}
        chain = {
            f"{first}-{second}": (ports[second], KINDS[first])
            for first, second in (("jaeger", "w3c"), ("both", "jaeger"), ("w3c", "both"), ("jaeger", "both"))
        }
        first = sidecar("first.yaml", chain)
        yield ports | {way: first.addresses[way].port for way in chain}


def status(port: int, headers: Headers) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.putrequest("GET", "/")
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def w3c(*counts: tuple[int, int]) -> Headers:
    """A `baggage` field for each (members, length of their values)."""
    return [
        ("baggage", ",".join(f"k{at}-{n}={'v' * length}" for n in range(count)))
        for at, (count, length) in enumerate(counts)
    ]


def uberctx(count: int, length: int) -> Headers:
    return [(f"uberctx-u{n}", "v" * length) for n in range(count)]


FOUND = {
    "120 small members": w3c((120, 1)),
    "two fields of 4.1 KB": w3c((41, 94), (41, 94)),
    "one field of 8.1 KB": w3c((80, 95)),
    "one member of 8.1 KB": w3c((1, 8100)),
    "90 of Jaeger": uberctx(90, 20),
    "90 of Jaeger, 12 KB": uberctx(90, 120),
    "both kinds": w3c((60, 60)) + uberctx(30, 100),
    "beside many others": [(f"X-Other-{n}", "v" * 40) for n in range(75)] + w3c((60, 10)),
    "beside much else": [("Cookie", "c" * 7000), *w3c((60, 100))],
}
TRACE = [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), ("tracestate", "a=" + "v" * 200)]


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found(server: tuple[str, int], ways: dict[str, int], name: str) -> None:
    headers = TRACE + FOUND[name]
    assert status(server[1], headers) == 200
    assert {way: status(port, headers) for way, port in ways.items()} == dict.fromkeys(ways, 200)


@st.composite
def requests(draw: st.DrawFn) -> Headers:
    """At most as many fields as leave room for what every proxy adds."""
    size = st.sampled_from([1, 10, 60, 150])
    fields = draw(st.lists(st.tuples(st.integers(1, 170), size), max_size=3))
    headers = w3c(*fields) + uberctx(draw(st.integers(0, 60)), draw(size))
    others = draw(st.integers(0, 88 - len(headers) - len(TRACE)))
    headers += [(f"X-Other-{n}", "v" * draw(size)) for n in range(min(others, 3))]
    return TRACE + headers + [(f"X-More-{n}", "v" * 30) for n in range(others - 3)]


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(headers=requests())
def test_whatever_a_server_takes_it_takes_through_sidecars(
    server: tuple[str, int], ways: dict[str, int], headers: Headers
) -> None:
    size = sum(len(name) + len(value) + 4 for name, value in headers)
    if size < 15_000 and status(server[1], headers) == 200:
        assert {way: status(port, headers) for way, port in ways.items()} == dict.fromkeys(ways, 200)
