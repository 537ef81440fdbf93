"""What each command asks a console for, and prints of its answer: the console is a table of answers."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import pytest

from proxy.cli.commands import main
from proxy.cli.views import answers, client, tables, top
from proxy.cli.views.client import Console, ConsoleError

ROW = {
    "at": 1_800_000_000_000, "from": "", "to": "shop", "method": "GET", "target": "/orders", "status": None, "ms": 9.96,
    "in": [], "out": ["tracecontext", "b3multi", "jaeger", "grpc-trace-bin", "b3"], "trace": "1" * 32,
    "notes": ["gap", "retry"],
}  # fmt: skip
TRACE = {
    "id": "1" * 32, "start": 1_800_000_000_000, "ms": 1234.0, "errors": 0,
    "root": {"service": "shop"}, "title": "GET /orders", "notes": [],
    "services": [{"name": "shop", "spans": 2}, {"name": "billing", "spans": 1}],
}  # fmt: skip
FINDING = {
    "service": "shop", "sentence": "shop drops the trace.", "bad": 1500, "of": 3000, "counted": "calls",
    "saved": "None was joined.", "fix": "Instrument it.", "proof": [{"id": f"r_{number}"} for number in range(4)],
}  # fmt: skip
ANSWERS: dict[str, Any] = {
    "/doctor": {
        "sentence": "2 services.",
        "checks": [["forwards", "Forwards"], ["same", "Same trace"], ["state", "State"], ["fresh", "Fresh"]],
        "services": [
            {"name": "shop", "calls": 3000, "sentence": "Drops half.", "checks": {
                "forwards": {"state": "fail"}, "same": {"state": "warn"}, "state": {"state": "ok"}}},
            {"name": "billing", "calls": 7, "sentence": "Fine.", "checks": {"fresh": {"state": "unseen"}}},
        ],
        "findings": [FINDING, FINDING | {"service": "billing", "saved": "", "proof": [], "fix": "Nothing."}],
    },
    "/migration": {
        "sentence": "1 format can go.", "gap": "One is silent.",
        "verdicts": [
            {"safe": True, "sentence": "Yes.", "why": "Nobody came.", "lost": [], "change": ""},
            {"safe": "soon", "sentence": "Soon.", "why": "A day.", "lost": ["debug", "tracestate"], "change": "a: [b]"},
            {"safe": False, "sentence": "No.", "why": "bank.", "lost": [], "change": "c: [d]"},
            {"safe": "later", "sentence": "?", "why": "?", "lost": [], "change": ""},
        ],
        "shadow": [{"sentence": "2 differ."}],
        "cells": [
            {"peer": "bank", "role": "gets", "format": "b3", "count": 12_345, "last": 1_800_000_000_000},
            {"peer": "web", "role": "sends", "format": "none", "count": 1, "last": 0},
        ],
    },
    "/health": {"sentence": "All is well.", "sidecars": []},
    "/requests": {"error": None, "sentence": "1 request.", "items": [ROW]},
    "/traces": {"error": None, "sentence": "1 trace.", "next": "5-6", "items": [TRACE]},
}  # fmt: skip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the console was asked for."""
    found: list[str] = []

    def ask(self: Console, method: str, path: str, body: bytes | None = None) -> Any:
        found.append(f"{method} {path}")
        return ANSWERS[path.partition("?")[0]]

    monkeypatch.setattr(client.Console, "_ask", ask)
    monkeypatch.setattr(tables.time, "localtime", time.gmtime)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("OPS_CONSOLE_URL", raising=False)
    return found


def printed(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(command.split()) == 0
    return capsys.readouterr().out


def test_doctor(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    told = printed("doctor", capsys)
    assert (
        told
        == """\
2 services.

service  calls  Forwards  Same trace  State  Fresh
shop     3,000  BAD       some        ok     –
billing      7  –         –           –      –

shop drops the trace.
  1,500 of 3,000 calls.
  None was joined.
  Instrument it.
  proof: http://127.0.0.1:9083/#/requests/r_0
  proof: http://127.0.0.1:9083/#/requests/r_1
  proof: http://127.0.0.1:9083/#/requests/r_2

shop drops the trace.
  1,500 of 3,000 calls.
  Nothing.
"""
    )
    one = printed("doctor --service billing", capsys)
    assert one.startswith("2 services.\n\nservice  calls  Forwards")
    assert ("billing      7" in one, "shop   " in one, "Nothing." in one, "Instrument" in one) == (
        True,
        False,
        True,
        False,
    )
    assert printed("doctor --service nobody", capsys) == "2 services.\n"
    assert json.loads(printed("doctor --json", capsys)) == ANSWERS["/doctor"]
    assert asked == ["GET /doctor"] * 4


def test_migration(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        printed("migration", capsys)
        == """\
1 format can go.
One is silent.

SAFE     Yes.
         Nobody came.

WAIT     Soon.
         A day.
         Would be lost: debug; tracestate.
         a: [b]

NOT YET  No.
         bank.
         c: [d]

?        ?
         ?

SHADOW   2 differ.

peer         format  requests  last
bank  gets   b3        12,345  08:00:00
web   sends  none           1
"""
    )
    assert json.loads(printed("migration --json", capsys)) == ANSWERS["/migration"]


@pytest.mark.parametrize("gap", [None, "", "1 format can go."])
def test_a_gap_is_told_once(gap: str | None, asked: list[str], monkeypatch: pytest.MonkeyPatch,
                            capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    bare = ANSWERS["/migration"] | {"gap": gap, "verdicts": [], "shadow": [], "cells": []}
    monkeypatch.setitem(ANSWERS, "/migration", bare)
    assert printed("migration", capsys) == "1 format can go.\n"
    assert answers.migration(Console("x")) == "1 format can go.\nPage: http://x/#/migration"


def test_top(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        printed("top --once status:5xx gap", capsys)
        == """\
All is well.

at        who       request      status   took  formats                 trace             notes
08:00:00  ? → shop  GET /orders     cut  10 ms  – → w3c+b3m+jgr+bin+b3  1111111111111111  gap retry
"""
    )
    assert asked == ["GET /health", "GET /requests?q=status%3A5xx+gap&limit=20"]
    said = json.loads(printed("top --json", capsys))
    assert said == {"health": ANSWERS["/health"], "requests": ANSWERS["/requests"]}


def test_traces(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        printed("traces", capsys)
        == f"""\
trace                             began      took  err  what              services          notes
{"1" * 32}  08:00:00  1.2 s       shop GET /orders  shop·2 billing·1
1 trace.
More: --before 5-6, or http://127.0.0.1:9083/#/traces
"""
    )
    assert json.loads(printed("traces --json --limit 7 --before 5-6 a b", capsys)) == ANSWERS["/traces"]
    assert asked == ["GET /traces?limit=20", "GET /traces?q=a+b&limit=7&before=5-6"]


def test_a_mistake_in_the_filter_is_told(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = {"error": "Oh.", "sentence": "None.", "next": None, "items": []}
    monkeypatch.setitem(ANSWERS, "/traces", empty)
    monkeypatch.setitem(ANSWERS, "/requests", empty)
    assert printed("traces", capsys) == "Oh.\nNone.\n"
    assert printed("top --once", capsys) == "All is well.\nOh.\nNone.\n"


@pytest.mark.parametrize(
    ("url", "token", "shown", "header"),
    [
        ("console", "", "http://console", ""),
        ("http://console:9083/", "", "http://console:9083", ""),
        ("https://[::1]:1/a/?token=x", "", "https://[::1]:1/a", "x"),
        ("http://a/?token=x", "y", "http://a", "y"),
    ],
)
def test_the_url_of_a_console(url: str, token: str, shown: str, header: str) -> None:
    console = Console(url, token)
    assert (console.url, console._token) == (shown, header)
    assert console.page("/traces", q="a b", r="") == f"{shown}/#/traces?q=a+b"
    assert console.page("/traces", q="") == f"{shown}/#/traces"


@pytest.mark.parametrize("url", ["ftp://a", "http://", "http://a:b", "x" * 100 + "://"])
def test_what_is_no_url_of_a_console(url: str) -> None:
    with pytest.raises(ConsoleError) as caught:
        Console(url)
    assert str(caught.value) == f"{url[:80]!r} is not the URL of a console, such as http://127.0.0.1:9083"


@pytest.mark.parametrize(
    ("service", "shown"),
    [("", ["shop", "billing"]), ("SHO", ["shop"]), ("ill", ["billing"]), ("nobody", [])],
)
def test_settings_of_a_service(
    service: str, shown: list[str], asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def sidecar(name: str) -> dict[str, Any]:
        return {
            "service": name, "instance": "i-1", "version": "1.0", "health": {"reloads": [
                {"ok": True, "message": ""}, {"ok": False, "message": f"{name} is wrong"}]},
            "settings": [
                {"key": "a", "value": "1", "source": "file", "where": "f.yaml:1"},
                {"key": "b", "value": "2", "source": "flag", "where": ""},
                {"key": "c", "value": "3", "source": "default", "where": ""},
            ],
        }  # fmt: skip

    said = {"sentence": "2 sidecars.", "sidecars": [sidecar("Shop"), sidecar("billing")]}
    monkeypatch.setitem(ANSWERS, "/settings", said)
    told = answers.settings(Console("x"), service).splitlines()
    lines = [
        line
        for name in (one for one in ("Shop", "billing") if one.lower() in shown)
        for line in (f"{name} i-1 1.0:", "  a=1 (f.yaml:1)", "  b=2 (flag)", f"  refused reload: {name} is wrong")
    ]
    assert told == ["2 sidecars.", *lines, "Page: http://x/#/settings"]


def test_doctor_for_agents(asked: list[str]) -> None:
    assert answers.doctor(Console("x")).splitlines() == [
        "2 services.",
        "shop drops the trace. 1,500 of 3,000 calls. None was joined. Cure: Instrument it.",
        "shop drops the trace. 1,500 of 3,000 calls. Cure: Nothing.",
        "shop: Drops half.",
        "billing: Fine.",
        "Page: http://x/#/doctor",
    ]


def span(id: str, parent: str | None, start: float, ms: float, **more: Any) -> dict[str, Any]:
    made = {"id": id, "parent": parent, "service": "shop", "name": id, "start": start, "ms": ms, "status": "ok"}
    return made | {"in": [], "out": []} | more


WHOLE: dict[str, Any] = {
    "id": "1" * 32, "ms": 100.0, "root": {"service": "shop"}, "title": "GET /orders", "sentence": "4 spans.",
    "spans": [
        span("late", "root", 60, 20, service="bill", missing=True),
        span("root", None, 0, 100, **{"in": ["b3"], "out": ["jaeger"]}),
        span("soon", "root", 20, 10, status="error", out=["b3"]),
        span("below", "soon", 20, 5, service="\x1b[1m"),
    ],
}  # fmt: skip


@pytest.fixture
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing says how large the screen is."""

    def no_terminal(_: int) -> None:
        raise OSError("not a terminal")

    monkeypatch.setattr(os, "get_terminal_size", no_terminal)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("LINES", raising=False)


def test_without_a_terminal_top_has_120_columns_and_30_lines(
    asked: list[str], no_terminal: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(top.sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(top.time, "sleep", interrupted)
    monkeypatch.setitem(ANSWERS, "/health", {"sentence": "x" * 200, "sidecars": []})
    assert main(["top"]) == 130
    assert capsys.readouterr().out.removeprefix("\x1b[H\x1b[2J").splitlines()[0] == "x" * 119 + "…"
    assert asked == ["GET /health", "GET /requests?limit=24"]


def test_without_a_terminal_a_trace_has_100_columns(
    asked: list[str], no_terminal: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(ANSWERS, f"/traces/{'1' * 32}", WHOLE)
    told = printed(f"trace {'1' * 32}", capsys)
    monkeypatch.setenv("COLUMNS", "100")
    assert told == printed(f"trace {'1' * 32}", capsys)


@pytest.mark.parametrize("columns", [100, 20])
def test_trace(
    columns: int, asked: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Parents first, children by their start, and at least 24 columns for their names, 10 for time."""
    monkeypatch.setitem(ANSWERS, f"/traces/{'1' * 32}", WHOLE)
    monkeypatch.setenv("COLUMNS", str(columns))
    names, line = (50, 38) if columns == 100 else (24, 10)
    rows = [
        (" shop root [b3 → jgr]", "100 ms", 0, line),
        ("!  shop soon [– → b3]", " 10 ms", round(line * 0.2 - 0.4), round(line / 10)),
        ("     ?[1m below", "5.0 ms", round(line * 0.2 - 0.4), round(line / 20)),
        ("?  bill late", " 20 ms", int(line * 0.6), round(line / 5)),
    ]
    lines = [f"{text:{names}} {took:>8} {' ' * before}{'█' * max(1, size)}" for text, took, before, size in rows]
    told = printed(f"trace {'1' * 32}", capsys).splitlines()
    assert told == ["shop GET /orders", "4 spans.", "", *lines, f"http://127.0.0.1:9083/#/traces/{'1' * 32}"]
    for flag in ("--json", "--otlp"):
        assert json.loads(printed(f"trace {'1' * 32} {flag}", capsys)) == WHOLE
    assert [one.partition("?")[2] for one in asked] == ["", "", "format=otlp"]


def test_of_a_trace_500_spans_are_shown_and_12_levels(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chain = [span(f"s{number}", f"s{number - 1}" if number else None, 0, 1) for number in range(502)]
    monkeypatch.setitem(ANSWERS, "/traces/a%2Fb", WHOLE | {"spans": chain})
    told = printed("trace a/b", capsys).splitlines()
    assert (len(told), told[-2]) == (505, "and 2 more spans")
    depths = [len(line) - len(line.lstrip()) for line in told[3:18]]
    assert depths == [*(1 + 2 * level for level in range(13)), 25, 25]


def test_a_trace_that_is_not_there(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(ANSWERS, "/traces/1", None)
    assert main(["trace", "1"]) == 1
    assert capsys.readouterr().err == "ops-sidecar trace: the trace 1 is not at http://127.0.0.1:9083\n"


@pytest.mark.parametrize(("lines", "rows", "every", "pause"), [(30, 24, "2", 2.0), (8, 5, "0.1", 0.2)])
def test_top_goes_on_at_a_terminal(
    lines: int, rows: int, every: str, pause: float, asked: list[str], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """As many requests as it has lines, cut to its columns, until Ctrl-C."""
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(top.sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(top.time, "sleep", sleep)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", str(lines))
    assert main(["top", "--every", every]) == 130
    screens = capsys.readouterr().out.split("\x1b[H\x1b[2J")
    assert (screens[0], len(screens), screens[1]) == ("", 3, screens[2])
    assert screens[1].splitlines()[3] == "08:00:00  ? → shop  GET /orders     cut…"
    assert pauses == [pause] * 2
    assert asked == ["GET /health", f"GET /requests?limit={rows}"] * 2


def test_top_in_a_pipe_prints_once(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top"]) == 0
    assert "\x1b" not in capsys.readouterr().out
    assert asked == ["GET /health", "GET /requests?limit=20"]


def test_health_for_agents(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    one = {"service": "shop", "instance": "i", "silent": "", "running": True, "ready": False, "requests_per_s": None,
           "p99_ms": 9.96, "overhead_us": 50, "rss_mb": 40.5}  # fmt: skip
    store = {"bytes": 1234, "limit_bytes": 5000, "kind": "memory"}
    said = {"sentence": "Well.", "console": {"store": store, "refused": {"spans": 3}}, "sidecars": [one]}
    monkeypatch.setitem(ANSWERS, "/health", said)
    assert answers.health(Console("x")).splitlines() == [
        "Well.", "store: 1,234 of 5,000 bytes, memory", "refused 3: spans",
        "sidecar shop i: p99 ≤ 10 ms, 50 µs CPU each, 40.5 MB, not ready", "Page: http://x/#/settings",
    ]  # fmt: skip


def test_explanations_for_agents(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    header = {"name": "b3", "parts": [{"text": "1"}, {"text": "-2"}]}
    said = {
        "error": "Oh.", "sentence": "B3 wins.", "groups": [{"title": "B3", "why": ["So.", "Thus."]}],
        "says": [{"format": "b3", "verdict": "valid"}, {"format": "jaeger", "verdict": "none", "absent": True}],
        "to": [{"sidecar": "shop", "name": "app", "headers": [header], "lost": ["debug", "state"]},
               {"sidecar": "shop", "name": "bill", "headers": [], "lost": []}],
    }  # fmt: skip
    monkeypatch.setitem(ANSWERS, "/explain", said)
    assert answers.explain(Console("x"), "b3: 1").splitlines() == [
        "Oh.", "B3 wins.", "b3: valid", "B3. So. Thus.", "shop to app:", "  b3: 1-2", "  cannot be said: debug; state",
        "shop to bill:", "Page: http://x/#/explain",
    ]  # fmt: skip


def test_migration_and_sessions_for_agents(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert answers.migration(Console("x")).splitlines() == [
        "1 format can go.", "One is silent.", "Yes. Nobody came. Setting: ",
        "Soon. A day. Would be lost: debug; tracestate. Setting: a: [b]", "No. bank. Setting: c: [d]",
        "? ? Setting: ", "Shadow: 2 differ.", "Page: http://x/#/migration",
    ]  # fmt: skip
    rows = [TRACE | {"start": 1_800_000_001_000, "notes": ["gap"]}, TRACE]
    monkeypatch.setitem(ANSWERS, "/sessions/a%2Fb", {"sentence": "2 traces.", "traces": rows})
    told = f"{'1' * 32} 1.2 s, 0 errors, shop GET /orders"
    assert answers.session(Console("x"), "a/b").splitlines() == [
        "2 traces.", f"08:00:00 {told}", f"08:00:01 {told} (gap)", "Page: http://x/#/sessions/a%2Fb",
    ]  # fmt: skip
