"""What a running console knows, in a terminal: each command against a real console with real spans."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable

import pytest
from lab.consoles import Console, hop, running, sent, span
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from proxy.cli.commands import main
from proxy.cli.views import answers, top
from proxy.cli.views.answers import MOST_BYTES, bounded, sidecar_line
from proxy.cli.views.client import Console as Client
from proxy.cli.views.tables import counted
from proxy.cli.views.trace import in_order

Run = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    async def ask(console: Console, *arguments: str) -> tuple[int, str, str]:
        token = console.headers.get("Authorization", "Bearer ").partition(" ")[2]
        flags = ["--console", console.url, *(["--token", token] if token else [])]
        code = await asyncio.to_thread(main, [*arguments, *flags])
        said = capsys.readouterr()
        return code, said.out, said.err

    return ask


async def test_a_trace_with_many_spans_tells_agents_its_errors_first() -> None:
    async with running() as console:
        await console.send(sent(span(1, ms=900), *(span(n, parent=1, error=n == 400) for n in range(2, 402))))
        said = await console.until("/traces", lambda said: said["items"] and said["items"][0]["spans_count"] == 401)
        told = await asyncio.to_thread(answers.trace, Client(console.url), said["items"][0]["id"])
        assert len(told.encode()) <= MOST_BYTES
        assert told.splitlines()[1].startswith("ERROR in shop work 400 ")


async def test_a_session_with_any_name_has_a_link(run: Run) -> None:
    async with running() as console:
        name = "ann/7 ü"
        await console.send(sent(span(1, attributes={"session.id": name})))
        await console.until("/sessions", lambda said: said["items"])
        told = await asyncio.to_thread(answers.session, Client(console.url), name)
        assert "1 trace over 10 ms, no error." in told
        assert told.endswith("/#/sessions/ann%2F7%20%C3%BC")


async def with_a_trace(console: Console) -> str:
    inbound = hop(1, ms=40, attributes={"session.id": "s-1"})
    app = span(2, parent=1, name="charge", error=True, start_ms=5)
    await console.send(sent(inbound, service="shop", scope="ops-sidecar"))
    await console.send(sent(app, service="billing"))
    said = await console.until("/traces", lambda said: said["items"] and said["items"][0]["spans_count"] == 2)
    return str(said["items"][0]["id"])


async def test_traces(run: Run) -> None:
    async with running() as console:
        trace = await with_a_trace(console)
        code, out, _ = await run(console, "traces", "status:error")
        assert code == 0
        assert trace in out
        assert "1 trace fits the filter." in out
        assert json.loads((await run(console, "traces", "--json"))[1])["items"][0]["id"] == trace
        assert "No trace fits" in (await run(console, "traces", "service:nobody"))[1]
        assert "no key “colour”" in (await run(console, "traces", "colour:red"))[1]


async def test_trace(run: Run) -> None:
    async with running() as console:
        trace = await with_a_trace(console)
        code, out, _ = await run(console, "trace", trace)
        assert code == 0
        assert "shop GET /orders [b3 → w3c]" in out
        assert "!  billing charge" in out
        assert f"/#/traces/{trace}" in out
        assert "resourceSpans" in json.loads((await run(console, "trace", trace, "--otlp"))[1])
        code, _, err = await run(console, "trace", "0" * 32)
        assert code == 1
        assert "is not at" in err


async def test_doctor_migration_and_top(run: Run) -> None:
    async with running() as console:
        await with_a_trace(console)
        for command in ("doctor", "migration"):
            code, out, _ = await run(console, command)
            assert (code, bool(out.strip())) == (0, True)
            assert "sentence" in json.loads((await run(console, command, "--json"))[1])
        code, out, _ = await run(console, "top", "--once")
        assert code == 0
        assert "b3 → w3c" in out


def test_top_says_of_a_request_without_a_status_that_it_was_cut() -> None:
    row = {"at": 0, "from": "", "to": "app", "method": "GET", "target": "/a", "status": None, "ms": 1.0, "in": ["b3"]}
    row |= {"out": ["b3"], "trace": None, "notes": ["retried", "conflict"]}
    said = {
        "health": {"sentence": "All is well.", "sidecars": []},
        "requests": {"items": [row, row | {"status": 200}], "error": ""},
    }
    told = list(top.lines(said))
    assert told[0] == "All is well."
    assert told[2].split() == ["at", "who", "request", "status", "took", "formats", "trace", "notes"]
    assert [line.split() for line in told[3:]] == [
        f"00:00:00 ? → app GET /a {status} 1.0 ms b3 → b3 retried conflict".split() for status in ("cut", "200")
    ]


def test_top_cuts_what_is_long() -> None:
    row = {"at": 0, "from": "f" * 28, "to": "a", "method": "GET", "target": "/" + "p" * 35, "status": 200, "ms": 1.0}
    row |= {"in": ["b3"], "out": ["b3"], "trace": "0123456789abcdef" * 2, "notes": []}
    more = row | {"from": "f" * 29, "target": "/" + "p" * 36}
    said = {
        "health": {"sentence": "All is well.", "sidecars": []},
        "requests": {"items": [row, more], "error": "a part only"},
    }
    told = list(top.lines(said))
    assert told[:3] == ["All is well.", "a part only", ""]
    assert [line.partition("  200 ")[0].split(" ", 1)[1].strip() for line in told[4:]] == [
        f"{'f' * 28} → a  GET /{'p' * 35}",
        f"{'f' * 29} →…  GET /{'p' * 34}…",
    ]
    assert all("  0123456789abcdef" in line and "abcdef0" not in line for line in told[4:])


async def test_a_token(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(token="correct-horse") as console:
        assert (await run(console, "traces"))[0] == 0
        console.headers = {}
        code, _, err = await run(console, "traces")
        assert code == 1
        assert "OPS_CONSOLE_TOKEN" in err
        monkeypatch.setenv("OPS_CONSOLE_TOKEN", "correct-horse")
        assert (await run(console, "traces"))[0] == 0


async def test_the_environment_may_name_it(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as console:
        await with_a_trace(console)
        monkeypatch.setenv("OPS_CONSOLE_URL", console.url)
        assert await asyncio.to_thread(main, ["traces"]) == 0
        assert "shop" in capsys.readouterr().out


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "ftp://x", "http://a:b:c"])
def test_without_a_console(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["traces", "--console", url]) == 1
    assert "ops-sidecar traces:" in capsys.readouterr().err


def test_a_circle_of_parents_ends() -> None:
    parents = {"a": "b", "b": "a", "c": None}
    spans = [{"id": one, "parent": parent, "start": 0} for one, parent in parents.items()]
    assert [(depth, one["id"]) for depth, one in in_order(spans)] == [(0, "c"), (0, "a"), (0, "b")]


@pytest.mark.parametrize("letter", ["x", "é", "漢", "🙂"])
def test_answers_for_agents_are_bounded(letter: str) -> None:
    said = bounded([f"line {number} " + letter * 80 for number in range(500)], "http://page")
    assert len(said.encode()) <= MOST_BYTES
    assert "more lines" in said
    assert said.endswith("Page: http://page")


@pytest.mark.slow
async def test_tools_for_agents() -> None:
    """The command as an agent starts it, by the official client."""
    async with running() as console:
        trace = await with_a_trace(console)
        arguments = ["-P", "-m", "proxy", "mcp", "--console", console.url]
        server = StdioServerParameters(command=sys.executable, args=arguments)
        async with stdio_client(server) as streams, ClientSession(*streams) as session:
            await session.initialize()
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            asked = {
                "find_traces": {"filter": "status:error"},
                "show_trace": {"trace_id": trace},
                "find_requests": {},
                "explain_request": {"request_id": f"r_{1:016x}"},
                "explain_headers": {"headers": "b3: 0"},
                "who_breaks_traces": {},
                "what_can_be_switched_off": {},
                "find_sessions": {},
                "show_session": {"session_id": "s-1"},
                "sidecar_settings": {"service": "shop"},
                "console_health": {},
            }
            assert set(asked) == set(tools)
            for name, given in asked.items():
                assert tools[name].description
                result = await session.call_tool(name, given)
                (content,) = result.content
                text = getattr(content, "text", "")
                assert not getattr(result, "is_error", False), (name, text)
                assert len(text.encode()) <= MOST_BYTES
                assert f"Page: {console.url}/#/" in text, name
            result = await session.call_tool("show_trace", {"trace_id": trace})
            assert "ERROR billing charge" in getattr(result.content[0], "text", "")


def test_a_link_is_cut_beyond_300_characters_and_a_line_beyond_600() -> None:
    told = bounded(["a" * 600, "b" * 601, None, ""], "l" * 300).splitlines()
    assert told == ["a" * 600, "b" * 599 + "…", "Page: " + "l" * 300]
    assert bounded([], "l" * 301) == "Page: " + "l" * 299 + "…"


@pytest.mark.parametrize(("size", "fits"), [(0, True), (1, False)])
def test_lines_fit_to_the_last_byte(size: int, fits: bool) -> None:
    """80 bytes are kept for how many are missing, and the link's own."""
    room = MOST_BYTES - 80 - 1
    lines = ["x" * 599] * (room // 600)
    rest = room - 600 * len(lines) - 1
    told = bounded([*lines, "y" * (rest + size)], "l").splitlines()
    assert told[-1] == "Page: l"
    assert told[-2] == ("y" * rest if fits else "(1 more lines; narrow the question, or open the page)")


@pytest.mark.parametrize(
    ("silent", "running", "line"),
    [
        (None, True, "shop shop-1: 1.5 requests/s, p99 ≤ 12 ms, 50 MB"),
        (
            "Nothing was heard of it for 16.0 s.",
            True,
            "shop shop-1: Nothing was heard of it for 16.0 s, 1.5 requests/s, ",
        ),
        (None, False, "shop shop-1: ended, 1.5 requests/s, "),
    ],
)
def test_how_a_sidecar_is(silent: str | None, running: bool, line: str) -> None:
    one = {"service": "shop", "instance": "shop-1", "silent": silent, "running": running, "ready": True}
    figures = {"requests_per_s": 1.5, "p99_ms": 12, "overhead_us": None, "rss_mb": 50}
    assert sidecar_line(one | figures).startswith(line)


@pytest.mark.parametrize(("number", "said"), [(0, "0 traces"), (1, "1 trace"), (2, "2 traces")])
def test_what_is_counted(number: int, said: str) -> None:
    assert counted(number, "trace") == said
