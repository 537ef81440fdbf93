"""What each command asks a console for, and prints of its answer: the console is a table of answers."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from proxy.cli.commands import main
from proxy.cli.views import answers, client, tables
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
