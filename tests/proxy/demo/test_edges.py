"""The demo without its processes: arguments, signals, exit codes, what callers send and what an answer becomes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from proxy.demo import command, journeys, visitors
from proxy.demo.dialects import Span
from proxy.demo.hops import Hop
from proxy.demo.journeys import modern_caller, old_caller, travel
from proxy.demo.sidecars import DemoError
from proxy.demo.table import Style

T, SHORT, S = "1" * 32, "2" * 16, "3" * 16
INJECT = {"shop": "tracecontext", "orders": "b3multi", "billing": "jaeger"}


def hexes(*found: str) -> Any:
    """Random digits, told beforehand; each has the length that is asked for."""
    left = iter(found)

    def made(size: int) -> str:
        text = next(left)
        assert len(text) == 2 * size
        return text

    return made


def test_without_arguments() -> None:
    options = command.parse([])
    assert vars(options) == {"keep": False, "json": False, "port": None, "inject": INJECT, "export": ""}


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("shop=b3", {"shop": "b3"}),
        ("orders= B3 ,TraceContext", {"orders": "b3,tracecontext"}),
        ("billing=composite", {"billing": "composite"}),
        ("billing=b3multi,jaeger", {"billing": "b3multi,jaeger"}),
    ],
)
def test_what_a_sidecar_is_told(argument: str, expected: dict[str, str]) -> None:
    assert command.parse(["--inject", argument]).inject == {**INJECT, **expected}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--inject", "shop"], "--inject shop: expected SERVICE=FORMATS, SERVICE one of shop, orders, billing"),
        (["--inject", "shop="], "--inject shop=: expected SERVICE=FORMATS, SERVICE one of shop, orders, billing"),
        (["--inject", "bank=b3"], "--inject bank=b3: expected SERVICE=FORMATS, SERVICE one of shop, orders, billing"),
        (["--inject", "shop=b3,b4"], "--inject shop=b3,b4: 'b4' is not a format; "
         "expected some of tracecontext, b3, b3multi, jaeger, composite"),
        (["--port", "-1"], "--port -1: expected 0 to 65535"),
        (["--port", "65536"], "--port 65536: expected 0 to 65535"),
    ],
)  # fmt: skip
def test_wrong_arguments(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.parse(words)
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith(f"ops-sidecar demo: error: {said}\n")


@pytest.mark.parametrize("port", [0, 65535])
def test_the_first_and_the_last_port(port: int) -> None:
    options = command.parse(["--port", str(port), "--keep"])
    assert command._entry_port(options) == port


def test_the_usual_port_is_taken_where_it_is_free() -> None:
    assert command._entry_port(command.parse([])) == 0
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.MonkeyPatch.context() as patch:
        assert command.KEEP_PORT == 9080
        patch.setattr(command, "KEEP_PORT", listener.getsockname()[1])
        assert command._entry_port(command.parse(["--keep"])) == 0
        listener.close()
        assert command._entry_port(command.parse(["--keep"])) == command.KEEP_PORT


def test_a_demo_that_cannot_start_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    async def fails(_: object) -> int:
        raise DemoError("no sidecar")

    monkeypatch.setattr(command, "_demo", fails)
    assert command.run([]) == 1
    assert capsys.readouterr() == ("", "ops-sidecar demo: no sidecar\n")


@pytest.mark.parametrize(
    ("number", "is_kept", "code"),
    [
        (signal.SIGINT, True, 0),
        (signal.SIGINT, False, 130),
        (signal.SIGTERM, True, 143),
        (signal.SIGHUP, False, 129),
    ],
)
async def test_a_signal_ends_it_in_order(number: signal.Signals, is_kept: bool, code: int) -> None:
    ended = []

    async def work() -> int:
        os.kill(os.getpid(), number)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            os.kill(os.getpid(), signal.SIGTERM)  # once more: the first counts
            await asyncio.Event().wait()
        finally:
            ended.append(True)
        return 0

    assert await command._until_signal(work(), kept_is_clean=is_kept) == code
    assert ended == [True]
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().remove_signal_handler(one)


async def test_its_own_end_and_a_cancellation_are_not_signals() -> None:
    async def ends() -> int:
        return 5

    async def is_cancelled() -> int:
        raise asyncio.CancelledError

    assert await command._until_signal(ends(), kept_is_clean=True) == 5
    with pytest.raises(asyncio.CancelledError):
        await command._until_signal(is_cancelled(), kept_is_clean=True)


@pytest.mark.parametrize(
    ("is_terminal", "encoding", "environ", "style"),
    [
        (True, "utf-8", {}, Style(colour=True, unicode=True)),
        (True, "UTF8", {"NO_COLOR": ""}, Style(colour=True, unicode=True)),
        (True, "utf-8", {"NO_COLOR": "0"}, Style(colour=False, unicode=True)),
        (True, "ascii", {"TERM": "dumb"}, Style(colour=False, unicode=False)),
        (False, None, {"TERM": "xterm"}, Style(colour=False, unicode=False)),
    ],
)
def test_colour_and_letters_of_a_terminal(
    is_terminal: bool, encoding: str | None, environ: dict[str, str], style: Style, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(command.sys, "stdout", SimpleNamespace(isatty=lambda: is_terminal, encoding=encoding))
    assert command._style() == style


def test_what_the_callers_send() -> None:
    modern = modern_caller(hexes(T, S, "4" * 8))
    assert (modern.title, modern.headers, modern.trace_id, modern.span_id) == (
        "A modern caller: W3C, 128-bit trace id, sampled",
        (("traceparent", f"00-{T}-{S}-01"), ("tracestate", "acme=t61rcWkgMzE"),
         ("X-Mirascope-Session-Id", "demo-44444444")),
        T,
        S,
    )  # fmt: skip
    assert (modern.sampling, modern.tracestate, modern.session) == ("accept", "acme=t61rcWkgMzE", "demo-44444444")
    old = old_caller(hexes(SHORT, S, "4" * 8))
    assert (old.title, old.headers, old.trace_id, old.span_id) == (
        "An old caller: b3 in one header, 64-bit trace id, debug",
        (("b3", f"{SHORT}-{S}-d"), ("X-Mirascope-Session-Id", "demo-44444444")),
        SHORT,
        S,
    )
    assert (old.sampling, old.tracestate, old.session) == ("debug", "", "demo-44444444")


class Tap:
    """A wire that saw what it is told, and nothing twice."""

    def __init__(self, name: str) -> None:
        self._seen = [((("old", name)),), (("x", name),)]

    def take(self) -> Any:
        return self._seen.pop(0)


@contextlib.asynccontextmanager
async def answering(status: int, body: bytes, collector: str = "") -> AsyncIterator[tuple[Any, list[Any]]]:
    """A chain of services that answers so, and what it was asked."""
    asked: list[Any] = []

    async def serve(request: web.Request) -> web.Response:
        asked.append((dict(request.headers), await request.json()))
        return web.Response(status=status, body=body)

    app = web.Application()
    app.router.add_post("/checkout", serve)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            await web.SockSite(runner, listener).start()
            entry = f"http://127.0.0.1:{listener.getsockname()[1]}/checkout"
            taps = {name: Tap(name) for name in ("shop", "orders", "billing")}
            yield SimpleNamespace(taps=taps, entry=entry, collector=collector), asked
    finally:
        await runner.cleanup()


def hop(service: str, span: str, sent: str, path: str = "/") -> dict[str, Any]:
    speaks = INJECT[service]
    read = Span(T, span, "accept", "", "acme=t61rcWkgMzE")
    return Hop(service, speaks, path, (("a", "b"),), read, "demo-44444444", (("c", service),), sent).to_json()


async def test_a_journey_that_kept_everything() -> None:
    chain = [hop("shop", S, "s1"), hop("orders", "s1", "s2"), hop("billing", "s2", "s3"), hop("shop", "s3", "")]
    async with answering(200, json.dumps({"hops": chain, "errors": []}).encode()) as (topology, asked):
        report = await travel(topology, modern_caller(hexes(T, S, "4" * 8)))
    ((headers, body),) = asked
    assert (headers["traceparent"], headers["Accept"], body) == (f"00-{T}-{S}-01", "application/json", {"item": "book"})
    assert report.problems == ()
    told = report.to_json()
    assert (told["title"], told["ok"], told["problems"]) == (report.journey.title, True, [])
    assert [(one["from"], one["to"], one["through"]) for one in told["hops"]] == [
        ("caller", "shop", None),
        ("shop", "orders", "HTTP_PROXY names the sidecar"),
        ("orders", "billing", "a listener of its own for billing"),
        ("billing", "shop", "Host: shop.internal, sent to the sidecar"),
    ]
    caller = [list(pair) for pair in report.journey.headers]
    assert [one["sent"] for one in told["hops"]] == [caller, [["c", "shop"]], [["c", "orders"]], [["c", "billing"]]]
    assert [one["wire"] for one in told["hops"]] == [caller, [["x", "shop"]], [["x", "orders"]], [["x", "billing"]]]


@pytest.mark.parametrize("collector", ["", "http://collector:4318"])
async def test_parents_are_judged_by_who_makes_spans(collector: str) -> None:
    """Where the sidecars make some, a service's parent is one of theirs."""
    chain = [hop("shop", S, "s1"), hop("orders", "s1", "s2"), hop("billing", "s2", "s3"), hop("shop", "s3", "")]
    async with answering(200, json.dumps({"hops": chain, "errors": ["oh"]}).encode(), collector) as (topology, _):
        report = await travel(topology, modern_caller(hexes(T, S, "4" * 8)))
    assert report.problems[0] == "oh"
    assert len(report.problems) == (5 if collector else 1)
    assert report.to_json()["ok"] is False


@pytest.mark.parametrize("body", [b"x" * 301, b"[]", b"{}", b'{"hops": []}', b'{"hops": [{}], "errors": []}', b"5"])
async def test_an_answer_that_is_not_one(body: bytes) -> None:
    async with answering(502, body) as (topology, _):
        report = await travel(topology, old_caller())
    assert report.problems[0] == f"{topology.entry} answered 502: {body[:300].decode()}"
    assert report.problems[1].startswith("the request went nowhere, not shop -> orders -> billing -> shop")
    assert (report.hops, report.wires) == ((), ())


async def test_nobody_answers() -> None:
    async with answering(200, b"") as (topology, _):
        pass
    report = await travel(topology, old_caller())
    assert report.problems[0].startswith(f"no answer from {topology.entry}: ClientConnectorError ")


async def test_who_does_not_answer_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (journeys.REQUEST_TIMEOUT_S, visitors.ANSWER_TIMEOUT_S) == (15.0, 10.0)
    monkeypatch.setattr(journeys, "REQUEST_TIMEOUT_S", 0.001)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        entry = f"http://127.0.0.1:{silent.getsockname()[1]}/checkout"
        taps = {name: Tap(name) for name in ("shop", "orders", "billing")}
        topology: Any = SimpleNamespace(taps=taps, entry=entry, collector="")
        report = await travel(topology, old_caller())
    assert report.problems[0].startswith(f"no answer from {entry}: ")
    assert "Timeout" in report.problems[0]


def test_what_visitors_bring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty of them, in four formats, over and over."""
    monkeypatch.setattr(visitors.secrets, "token_hex", lambda size: "a" * (2 * size))
    wide, short = "a" * 32, "a" * 16
    found = list(itertools.islice(visitors.visits(), 41))
    assert [dict(one)["X-Mirascope-Session-Id"] for one in found] == [f"visitor-{number % 20}" for number in range(41)]
    assert [dict(one[:-1]) for one in found[:4]] == [
        {"traceparent": f"00-{wide}-{short}-01"},
        {"b3": f"{wide}-{short}-1"},
        {"X-B3-TraceId": short, "X-B3-SpanId": short, "X-B3-Flags": "1"},
        {"uber-trace-id": f"{wide}:{short}:0:1"},
    ]
    assert visitors.b3_single(Span(short, short, "debug")) == (("b3", f"{short}-{short}-d"),)


@pytest.mark.parametrize(("rate", "is_right"), [("0", False), ("0.001", True), ("1000", True), ("1000.1", False)])
def test_how_often_visitors_may_come(
    rate: str, is_right: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    came: list[Any] = []

    async def run(url: str, per_second: float) -> None:
        came.append((url, per_second))

    monkeypatch.setattr(visitors, "run", run)
    if is_right:
        visitors.main(["http://a/", "--per-second", rate])
        assert came == [("http://a/", float(rate))]
    else:
        with pytest.raises(SystemExit):
            visitors.main(["http://a/", "--per-second", rate])
        said = f"error: --per-second {float(rate):g}: expected more than 0 and at most 1000\n"
        assert capsys.readouterr().err.endswith(said)
    visitors.main(["http://a/"])
    assert came[-1] == ("http://a/", 1.0)


async def test_a_visit_says_what_happened() -> None:
    async def serve(request: web.Request) -> web.Response:
        return web.Response(status=int(request.query["status"]))

    app = web.Application()
    app.router.add_get("/", serve)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        await web.SockSite(runner, listener).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        async with aiohttp.ClientSession() as session:
            for status, said in ((200, ""), (201, "answered 201"), (503, "answered 503")):
                assert await visitors.visit(session, f"{url}?status={status}", ()) == said
            await runner.cleanup()
            assert (await visitors.visit(session, url, ())).startswith("ClientConnectorError ")


@pytest.mark.parametrize(("is_json", "is_kept"), [(False, True), (True, True), (False, False)])
async def test_the_second_journey_is_told_in_brief(
    is_json: bool, is_kept: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And a journey that lost something makes the exit code 1."""
    told: list[tuple[int, bool]] = []

    @contextlib.asynccontextmanager
    async def topology(*_: object, **__: object) -> AsyncIterator[Any]:
        yield SimpleNamespace(entry="http://e", sidecars={})

    async def journey(*_: object) -> Any:
        problems = () if is_kept else ("lost",)
        return SimpleNamespace(problems=problems, to_json=lambda: {"problems": list(problems)})

    def tell(_: object, number: int, __: object, *, brief: bool) -> list[str]:
        told.append((number, brief))
        return [f"journey {number}"]

    monkeypatch.setattr(command, "running_topology", topology)
    monkeypatch.setattr(command, "travel", journey)
    for name in ("intro", "closing"):
        monkeypatch.setattr(command.show, name, lambda *_, name=name: [name])
    monkeypatch.setattr(command.show, "journey", tell)
    assert await command._demo(command.parse(["--json"] if is_json else [])) == (0 if is_kept else 1)
    out = capsys.readouterr().out
    if is_json:
        assert json.loads(out) == {"ok": True, "requests": [{"problems": []}] * 2}
    else:
        assert (out, told) == ("intro\njourney 1\njourney 2\nclosing\n", [(1, False), (2, True)])
