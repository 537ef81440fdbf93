"""The tools for agents: each asks the console for its own, and an error is an answer."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from proxy.cli.views import answers, client
from proxy.cli.views import mcp as module
from proxy.cli.views.client import Console, ConsoleError
from proxy.cli.views.mcp import server

LIST = {"error": None, "sentence": "None.", "items": []}
ASKED: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("find_traces", {"filter": "a b", "limit": 3}, "GET /traces?q=a+b&limit=3"),
    ("find_traces", {}, "GET /traces?limit=10"),
    ("find_traces", {"limit": 26}, "GET /traces?limit=25"),
    ("find_traces", {"limit": 0}, "GET /traces?limit=1"),
    ("show_trace", {"trace_id": "a/b"}, "GET /traces/a%2Fb"),
    ("find_requests", {"filter": "x", "limit": 25}, "GET /requests?q=x&limit=25"),
    ("find_requests", {}, "GET /requests?limit=10"),
    ("explain_request", {"request_id": "r/1"}, "GET /requests/r%2F1"),
    ("explain_headers", {"headers": "b3: 0"}, "POST /explain"),
    ("who_breaks_traces", {}, "GET /doctor"),
    ("what_can_be_switched_off", {}, "GET /migration"),
    ("find_sessions", {"filter": "ann", "limit": 2}, "GET /sessions?q=ann&limit=2"),
    ("find_sessions", {}, "GET /sessions?limit=10"),
    ("show_session", {"session_id": "a b"}, "GET /sessions/a%20b"),
    ("sidecar_settings", {}, "GET /settings"),
    ("console_health", {}, "GET /health"),
)


async def tell(name: str, given: dict[str, Any]) -> str:
    said = await server(Console("http://c")).call_tool(name, given)
    content = getattr(said, "content", said)
    return str(content[0].text if isinstance(content, list) else content)


@pytest.mark.parametrize(("name", "given", "asked"), ASKED, ids=[f"{name} {given}" for name, given, _ in ASKED])
async def test_each_tool_asks_for_its_own(
    name: str, given: dict[str, Any], asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[str] = []

    def ask(self: Console, method: str, path: str, body: bytes | None = None) -> Any:
        found.append(f"{method} {path}")
        raise ConsoleError(f"no answer to {method}" + (f" {json.loads(body)}" if body else ""))

    monkeypatch.setattr(client.Console, "_ask", ask)
    told = await tell(name, given)
    assert found == [asked]
    assert told == ("no answer to POST {'text': 'b3: 0'}" if name == "explain_headers" else "no answer to GET")


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("show_trace", {"trace_id": "t" * 41}, f"The trace {'t' * 39}… is not at this console."),
        ("explain_request", {"request_id": "r" * 41}, f"The request {'r' * 39}… is not at this console."),
        ("show_session", {"session_id": "s" * 81}, f"The session {'s' * 79}… is not at this console."),
        ("show_trace", {"trace_id": "t" * 40}, f"The trace {'t' * 40} is not at this console."),
        ("show_session", {"session_id": "s" * 80}, f"The session {'s' * 80} is not at this console."),
    ],
)
async def test_what_is_not_there_is_an_answer(
    name: str, given: dict[str, Any], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client.Console, "_ask", lambda *_: None)
    assert await tell(name, given) == told


def span(id: str, parent: str | None = None, **more: Any) -> dict[str, Any]:
    made = {"id": id, "parent": parent, "service": "s", "name": id, "ms": 1.0, "status": "ok", "start": 0, "attrs": {}}
    return made | more


async def trace(monkeypatch: pytest.MonkeyPatch, *spans: dict[str, Any]) -> list[str]:
    said = {"id": "t", "sentence": "It is.", "spans": list(spans)}
    monkeypatch.setattr(client.Console, "_ask", lambda *_: said)
    return (await tell("show_trace", {"trace_id": "t"})).splitlines()


async def test_a_trace_as_a_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    attrs = {"exception.message": "x" * 81, "url.path": "/a", "http.request.method": "GET", "other": "1"}
    attrs |= {"http.response.status_code": 500, "error.type": "timeout"}
    logs = [{"body": "l" * 121}, {"body": "m"}, {"body": "n"}, {"body": "o"}]
    told = await trace(
        monkeypatch,
        span("a", **{"in": ["b3"], "out": []}, logs=logs),
        span("b", "a", status="error", attrs=attrs, message="m" * 121),
        span("c", "a", missing=True),
        span("d", "a", missing=True, outside=True, **{"in": [], "out": ["b3"]}),
        span("e", "a", status="error"),
    )
    assert told == [
        "It is.",
        "s a 1.0 ms [b3 → –]",
        f"  ERROR s b 1.0 ms http.request.method=GET, url.path=/a, http.response.status_code=500, error.type=timeout, "
        f"exception.message={'x' * 79}…, {'m' * 119}…",
        "  MISSING s c 1.0 ms",
        "  OUTSIDE s d 1.0 ms [– → b3]",
        "  ERROR s e 1.0 ms",
        f"log of a: {'l' * 119}…",
        "log of a: m",
        "log of a: n",
        "Page: http://c/#/traces/t",
    ]


@pytest.mark.parametrize(("count", "are_first"), [(30, False), (31, True)])
async def test_of_more_than_30_spans_the_errors_come_first(
    count: int, are_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten of them."""
    spans = [span(f"x{number:02}", status="error" if number > 15 else "ok") for number in range(count)]
    told = await trace(monkeypatch, *spans)
    first = [f"ERROR in s x{number} 1.0 ms" for number in range(16, 26)] if are_first else []
    assert told[1 : 1 + len(first)] == first
    assert told[1 + len(first)] == "s x00 1.0 ms"


async def test_a_tree_is_told_ten_levels_deep(monkeypatch: pytest.MonkeyPatch) -> None:
    spans = [span(f"x{number}", f"x{number - 1}" if number else None) for number in range(12)]
    depths = [len(line) - len(line.lstrip()) for line in (await trace(monkeypatch, *spans))[1:-1]]
    assert depths == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 20]


async def test_ten_log_lines_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told = await trace(monkeypatch, *(span(f"x{number}", logs=[{"body": "l"}]) for number in range(11)))
    assert sum(line.startswith("log of ") for line in told) == 10


@pytest.mark.parametrize(
    ("timing", "line"),
    [
        (None, None),
        ({"queue": None, "head": None}, None),
        ({"queue": 0.0, "connect": None, "head": 12.0}, "Time 20 ms: queue 0.0 ms, head 12 ms."),
    ],
)
async def test_a_request_with_all_that_is_known(
    timing: dict[str, Any] | None, line: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = {"name": "b3", "parts": [{"text": "1"}, {"text": "-2"}]}
    group = {"verdict": "kept", "title": "B3 passes", "why": ["So.", "And so."], "ins": [header], "outs": [header] * 2}
    said = {"id": "r", "sentence": "It is.", "fault_detail": "Oh.", "timing": timing, "ms": 20.0, "groups": [group]}
    monkeypatch.setattr(client.Console, "_ask", lambda *_: said)
    told = (await tell("explain_request", {"request_id": "r"})).splitlines()
    timed = [line] if line else []
    assert told == [
        "It is.", "Oh.", *timed, "kept: B3 passes. So. And so.", "  in  b3: 1-2", "  out b3: 1-2", "  out b3: 1-2",
        "Page: http://c/#/requests/r",
    ]  # fmt: skip


async def test_rows_of_requests_sessions_and_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"id": "r", "from": "", "to": "", "method": "GET", "target": "/" * 61, "status": None, "ms": 1.0,
           "in": ["b3"], "out": [], "notes": ["gap", "retry"]}  # fmt: skip
    more = row | {"from": "a", "to": "b", "target": "/" * 60, "status": 200, "notes": []}
    monkeypatch.setattr(client.Console, "_ask", lambda *_: LIST | {"items": [row, more], "error": "Oh."})
    assert (await tell("find_requests", {"filter": "x"})).splitlines() == [
        "Oh.",
        "None.",
        f"r ? -> ? GET {'/' * 59}… cut 1.0 ms [b3 → –] (gap, retry)",
        f"r a -> b GET {'/' * 60} 200 1.0 ms [b3 → –]",
        "Page: http://c/#/live?q=x",
    ]
    named = {"id": "n" * 81, "traces": 1, "requests": 2, "errors": 0, "first": 5.0, "last": 15.0}
    monkeypatch.setattr(client.Console, "_ask", lambda *_: LIST | {"items": [named | {"services": [*"abcdefghi"]}]})
    assert (await tell("find_sessions", {})).splitlines() == [
        "None.",
        f"{'n' * 79}…: 1 trace, 2 requests, 0 errors, over 10 ms, a, b, c, d, e, f, g, h",
        "Page: http://c/#/sessions",
    ]
    one = {"id": "t", "ms": 1.0, "errors": 1, "root": {"service": "s"}, "title": "x" * 61, "notes": ["gap"], "start": 0}
    monkeypatch.setattr(client.Console, "_ask", lambda *_: LIST | {"items": [one]})
    assert (await tell("find_traces", {}))[6:].splitlines() == [
        f"t 1.0 ms, 1 error, s {'x' * 59}… (gap)", "Page: http://c/#/traces",
    ]  # fmt: skip


async def test_settings_and_reloads_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"key": "k", "value": "v" * 121, "source": "file", "where": ""}
    reloads = [{"ok": False, "message": "m" * 201}]
    one = {"service": "s", "instance": "i", "version": "1", "settings": [entry], "health": {"reloads": reloads}}
    monkeypatch.setattr(client.Console, "_ask", lambda *_: {"sentence": "It is.", "sidecars": [one]})
    assert (await tell("sidecar_settings", {})).splitlines() == [
        "It is.", "s i 1:", f"  k={'v' * 119}… (file)", f"  refused reload: {'m' * 199}…", "Page: http://c/#/settings",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("url", "code", "told"),
    [("http://c", 0, ""), ("ftp://c", 1, "ops-sidecar mcp: ")],
)
def test_it_serves_standard_input_until_that_ends(
    url: str, code: int, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    served: list[str] = []
    monkeypatch.setattr(module, "server", lambda _: SimpleNamespace(run=served.append))
    assert module.run(["--console", url]) == code
    assert served == ([] if code else ["stdio"])
    out, error = capsys.readouterr()
    assert (out, error[: len(told)], bool(error)) == ("", told, bool(told))


def test_the_bounds() -> None:
    assert answers.MOST_BYTES == 4000
