"""The demo's chain in one process: each sidecar is left out, so that whoever calls it reaches what is behind it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import time
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from proxy.demo import command, topology, visitors
from proxy.demo.dialects import is_trace_header
from proxy.demo.journeys import modern_caller, travel
from proxy.demo.see import DemoConsole
from proxy.demo.sidecars import DemoError, Sidecar, SidecarSpec
from proxy.demo.topology import running_topology

INJECT = {"shop": "tracecontext", "orders": "b3multi", "billing": "jaeger"}


@pytest.fixture
def wanted(monkeypatch: pytest.MonkeyPatch) -> list[SidecarSpec]:
    """The sidecars that would have been started."""
    found: list[SidecarSpec] = []

    @contextlib.asynccontextmanager
    async def running(specs: Sequence[SidecarSpec]) -> AsyncIterator[dict[str, Sidecar]]:
        found.extend(specs)
        made = {}
        for spec in specs:
            said = f"{spec}".replace("http://127.0.0.1:", "")
            app, target = (int(found) for found in re.findall(r"(?:(?i:app)|target)\W+(\d+)", said))
            ports = {"inbound": app, "outbound": target, "billing": target}
            addresses = {name: ("127.0.0.1", port) for name, port in ports.items()}
            made[spec.name] = Sidecar(spec.name, SimpleNamespace(), addresses)  # type: ignore[arg-type]  # no process
        yield made

    monkeypatch.setattr(topology, "running", running)
    return found


@pytest.mark.parametrize("collector", ["", "http://127.0.0.1:1"])
async def test_a_request_passes_every_service_and_every_wire(wanted: list[SidecarSpec], collector: str) -> None:
    """Without sidecars between, what a service sends is what is on the wire, and what the next one sees."""
    async with running_topology(INJECT, "127.0.0.1:9", collector, reports=bool(collector)) as chain:
        assert (chain.collector, chain.entry) == (collector, f"{chain.sidecars['shop'].url('inbound')}/checkout")
        assert list(chain.taps) == list(INJECT)
        for _ in range(2):
            report = await travel(chain, modern_caller())
            hops = [(hop.service, hop.path) for hop in report.hops]
            assert hops == [
                ("shop", "/checkout"), ("orders", "/orders"), ("billing", "/charges"), ("shop", "/receipts"),
            ]  # fmt: skip
            sent = [report.journey.headers, *(hop.sent for hop in report.hops[:-1])]
            assert list(report.wires) == [hop.saw for hop in report.hops] == sent
            assert all(is_trace_header(name) for pairs in sent for name, _ in pairs)
            assert any(problem.startswith("orders/orders: lost the trace") for problem in report.problems)
    assert [spec.name for spec in wanted] == list(INJECT)
    assert "127.0.0.1:9" in wanted[0].arguments
    for spec in wanted:
        assert spec.environment.get("OTEL_EXPORTER_OTLP_ENDPOINT", "") == collector
        assert ("OPS_SIDECAR_CONSOLE__REPORT__ENDPOINT" in spec.environment) == bool(collector)


async def test_a_name_that_a_service_calls_is_one_that_its_sidecar_knows(wanted: list[SidecarSpec]) -> None:
    async with running_topology(INJECT, "127.0.0.1:0") as chain:
        calls = topology._calls(chain.sidecars)
    by_name = {spec.name: f"{spec}" for spec in wanted}
    assert (urlsplit(calls["shop"].url).hostname, calls["billing"].host) == ("orders.internal", "shop.internal")
    assert "orders.internal" in by_name["shop"]
    assert "shop.internal" in by_name["billing"]


async def test_nothing_listens_any_more_at_the_end(wanted: list[SidecarSpec]) -> None:
    async with running_topology(INJECT, "127.0.0.1:0") as chain:
        ports = {port for sidecar in chain.sidecars.values() for _, port in sidecar.addresses.values()}
    assert len(ports) == 6
    for port in ports:
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            pass
    assert not [spec for spec in wanted if "OTEL_EXPORTER_OTLP_ENDPOINT" in spec.environment]


@pytest.mark.parametrize(
    "words", ["--keep", "--keep --json", "--keep --export http://c:4318", "--export http://c:4318"]
)
async def test_one_that_is_left_running(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It shows its traces on a console of its own, unless they are exported elsewhere, until a sidecar is gone."""
    options = command.parse([*words.split(), "--port", "7"])
    started: list[Any] = []
    traces = ["1f", "2f"]

    @contextlib.asynccontextmanager
    async def running(inject: object, entry: str, collector: str, *, reports: bool) -> AsyncIterator[Any]:
        started.append((inject, entry, collector, reports))
        yield SimpleNamespace(entry="http://e", sidecars={"shop": "its sidecar"})

    @contextlib.asynccontextmanager
    async def console() -> AsyncIterator[DemoConsole]:
        yield DemoConsole("http://page", "http://otlp")

    async def journey(*_: object) -> Any:
        journey = SimpleNamespace(trace_id=traces.pop(0))
        return SimpleNamespace(problems=(), journey=journey, to_json=dict)

    async def gone(sidecars: list[str]) -> Any:
        assert sidecars == ["its sidecar"]
        return SimpleNamespace(name="shop", process=SimpleNamespace(returncode=3), tail=lambda: "    its log")

    patches = {"running_topology": running, "running_console": console, "travel": journey, "first_gone": gone}
    for name, made in patches.items():
        monkeypatch.setattr(command, name, made)
    for name in ("intro", "journey", "closing", "kept"):
        monkeypatch.setattr(command.show, name, lambda *_, name=name, **__: [name])
    monkeypatch.setattr(command.show, "where_to_see", lambda page, _: [page])
    if options.keep:
        with pytest.raises(DemoError) as caught:
            await command._demo(options)
        assert str(caught.value) == "the sidecar of shop ended with exit code 3\n    its log"
    else:
        assert await command._demo(options) == 0
    has_console = options.keep and not options.export
    collector = "http://otlp" if has_console else "http://c:4318"
    assert started == [(INJECT, "127.0.0.1:7", collector, has_console)]
    out = capsys.readouterr().out
    if options.json:
        assert out.startswith('{\n  "ok": true,\n  "requests": [\n    {}')
        assert json.loads(out) == {"ok": True, "requests": [{}, {}], "entry": "http://e", "console": "http://page"}
    else:
        end = ["kept"] if options.keep else ["closing"]
        end += ["http://page/#/traces/1f"] if has_console else []
        assert out.splitlines() == ["intro", "journey", "journey", *end]


async def test_visitors_say_what_changes_until_they_are_told_to_stop(
    aiohttp_server: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each brings the next headers. A signal ends the wait for the next one."""
    stops: dict[int, Any] = {}
    monkeypatch.setattr(
        asyncio.get_running_loop(), "add_signal_handler", lambda number, stop: stops.update({number: stop})
    )
    asked: list[str] = []

    async def serve(request: web.Request) -> web.Response:
        asked.append(request.headers["X-Mirascope-Session-Id"])
        if len(asked) == 6:
            stops[15]()
        return web.Response(status=200 if len(asked) < 3 or len(asked) > 4 else 503)

    app = web.Application()
    app.router.add_get("/", serve)
    url = str((await aiohttp_server(app)).make_url("/"))
    begun = time.monotonic()
    async with asyncio.timeout(10):
        await visitors.run(url, 200)
    assert time.monotonic() - begun >= 5 / 200
    assert asked == [f"visitor-{number}" for number in range(6)]
    assert capsys.readouterr().out == f"{url}: is answered\n{url}: answered 503\n{url}: is answered\n"
    assert sorted(stops) == [2, 15]
