"""Each view, command and tool on a trace of Envoy's tracer, our sidecar, and the official SDKs of Node and Python."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from browser import Browser
from conftest import skip_or_fail
from every_source import SERVICES, SESSION, SPANS, EverySource, reason_it_is_missing, running
from fleet import ROOT, WAIT_S
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from proxy.cli.views.answers import MOST_BYTES

pytestmark = pytest.mark.slow


class Told(NamedTuple):
    """What the console has: its URL, two traces of the same way, and the request at shop's app of the first."""

    url: str
    trace: str
    other: str
    request: str


def _until(source: EverySource, path: str, is_so: Any) -> Any:
    begun = time.monotonic()
    while not is_so(said := source.console.get(path)):
        assert time.monotonic() - begun < WAIT_S, said
        time.sleep(0.05)
    return said


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    reason = reason_it_is_missing()
    if reason:
        skip_or_fail(f"test of the console with every source: {reason}", "OPS_REQUIRE_NODE")
    with running() as (source, books):
        for _ in range(2):
            assert source.ask(books) == 200
        rows = _until(
            source,
            "traces",
            lambda said: len(said["items"]) == 2 and all(one["spans_count"] == SPANS for one in said["items"]),
        )["items"]
        calls = _until(
            source,
            f"requests?q=trace:{rows[0]['id']}",
            lambda said: [one["leg"] for one in said["items"]].count("in") == 1 and len(said["items"]) == 2,
        )["items"]
        _until(source, "doctor", lambda said: said["services"] and said["services"][0]["calls"] == 2)
        inbound = next(one for one in calls if one["leg"] == "in")
        _until(source, f"requests/{inbound['id']}", lambda said: said["headers"])
        yield Told(source.console.url, rows[0]["id"], rows[1]["id"], inbound["id"])


VIEWS = {  # address, what is waited for, what it says
    "live": ("live", ".win .lrow", ["shop", "books", "/relay", "W3C", "B3"]),
    "request": ("requests/{request}", ".grp", ["W3C became B3", "X-Mirascope-Session-Id"]),
    "traces": ("traces", ".trow", ["envoy", "shop", "books", SESSION]),
    "trace": ("traces/{trace}", ".wrow", ["envoy", "look up", f"{SPANS} spans of 3 services."]),
    "compare": ("compare/{trace}..{other}", ".crow, [role=row]", ["look up"]),
    "doctor": ("doctor", ".check", ["shop", "Nobody breaks a trace: 2 calls of 1 service"]),
    "migration": ("migration", ".matrix td", ["shop"]),
    "explain": (
        "explain?h=b3:%2080f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1",
        ".outs article",
        ["app (shop)", "books"],
    ),
    "sessions": ("sessions", ".srow", [SESSION, "2 traces", "books"]),
    "session": ("sessions/" + SESSION, ".story a", ["2 traces"]),
    "settings": ("settings", ".settings tbody tr", ["inbound.propagation.inject", "flag --set"]),
}


@pytest.mark.parametrize("view", VIEWS)
def test_each_view(browser: Browser, told: Told, view: str) -> None:
    address, wanted, says = VIEWS[view]
    browser.open(f"{told.url}/#/{address.format(**told._asdict())}")
    browser.wait(f"document.querySelector({wanted!r})")
    for text in says:
        browser.wait_text(text, "main")


def test_nothing_is_missing_of_the_trace(browser: Browser, told: Told) -> None:
    """Whoever made a span, its parent is there: Envoy's is the root."""
    browser.open(f"{told.url}/#/traces/{told.trace}")
    browser.wait(f"document.querySelectorAll('.wrow').length === {SPANS}")
    assert browser.run("document.querySelectorAll('.wrow.missing').length") == 0
    assert set(browser.text(".svcs").split()) & SERVICES == SERVICES


def _command(told: Told, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "proxy", *arguments, "--console", told.url],
        capture_output=True, text=True, timeout=WAIT_S, env={"PYTHONPATH": str(ROOT), "COLUMNS": "150"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


COMMANDS = {
    "traces": ["envoy", "shop", "books"],
    "trace": ["envoy", "look up", "[w3c → b3]", "[b3 → w3c]"],
    "doctor": ["Nobody breaks a trace", "shop"],
    "migration": ["shop", "tracecontext"],
    "top": ["shop → books", "w3c → b3"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command(told: Told, name: str) -> None:
    arguments = [name, *([told.trace] if name == "trace" else []), *(["--once"] if name == "top" else [])]
    said = _command(told, *arguments)
    assert all(text in said for text in COMMANDS[name]), said
    assert json.loads(_command(told, *arguments, "--json"))


TOOLS = {
    "find_traces": ({}, "envoy"),
    "show_trace": ({"trace_id": "{trace}"}, "look up"),
    "find_requests": ({}, "shop -> books"),
    "explain_request": ({"request_id": "{request}"}, "W3C became B3"),
    "explain_headers": ({"headers": "b3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1"}, "shop to books"),
    "who_breaks_traces": ({}, "Nobody breaks a trace"),
    "what_can_be_switched_off": ({}, "shop"),
    "find_sessions": ({}, SESSION),
    "show_session": ({"session_id": SESSION}, "2 traces"),
    "sidecar_settings": ({"service": "shop"}, "inbound.propagation.inject"),
    "console_health": ({}, f"{2 * SPANS} spans of 2 traces"),
}


async def _tools(url: str, told: Told) -> dict[str, str]:
    server = StdioServerParameters(command=sys.executable, args=["-P", "-m", "proxy", "mcp", "--console", url])
    said = {}
    async with stdio_client(server) as streams, ClientSession(*streams) as session:
        await session.initialize()
        assert {tool.name for tool in (await session.list_tools()).tools} == set(TOOLS)
        for name, (given, _) in TOOLS.items():
            asked = {key: value.format(**told._asdict()) for key, value in given.items()}
            (content,) = (await session.call_tool(name, asked)).content
            said[name] = getattr(content, "text", "")
    return said


def test_each_tool(told: Told) -> None:
    for name, said in asyncio.run(_tools(told.url, told)).items():
        assert TOOLS[name][1] in said, (name, said)
        assert len(said.encode()) <= MOST_BYTES
        assert f"Page: {told.url}/#/" in said
