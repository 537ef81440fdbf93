"""What the migration report makes of counters: cells, windows, what may be stopped, and what would be lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from gates.fleet import Console, fleet
from lab.answers import check_named

from proxy.console.query import migration as module
from proxy.console.query.migration import migration

DAY, MS = 86_400_000, 1_000_000
TODAY = 20_000
NOW = TODAY * DAY + 3_600_000  # ms
FROM = NOW - 14 * DAY


class Store:
    """Counters, a row at a time. `back`: days before today."""

    def __init__(self, console: Console) -> None:
        self.reader = console.reader
        self._connection = console.connection

    def service(self, *names: str, since: int = 1) -> None:
        """Each has a sidecar that was heard just now."""
        for name in names:
            self._connection.execute("INSERT INTO reporting VALUES (?, ?)", (name, since * MS))
            self._connection.execute(
                "INSERT INTO sidecars (instance, service, name, host, version, newer, seen, number) "
                "VALUES (?1 || ' runs', ?1, '', '', '', 0, ?2, 1)",
                (name, NOW * MS),
            )
        self._connection.execute("INSERT OR IGNORE INTO report_clock VALUES (1, 1, ?)", (NOW * MS,))

    def sidecar(self, service: str, via: str) -> None:
        self._connection.execute(
            "INSERT INTO sidecars (instance, service, name, host, version, newer, seen, via) "
            "VALUES (?1, ?1, '', '', '', 0, ?2, ?3)",
            (service, NOW * MS, via),
        )

    def row(
        self, read: str, written: str = "", *, service: str = "shop", leg: str = "in", kind: str = "rule",
        peer: str = "web", upstream: str = "app", host: str = "", back: int = 0, count: int = 1,
        last: int | None = None,
    ) -> None:  # fmt: skip
        at = NOW - back * DAY if last is None else last
        self._connection.execute(
            "INSERT INTO format_days VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)",
            (service, TODAY - back, leg, kind, peer, upstream, host, read, written, count, at),
        )

    def ask(self) -> dict[str, Any]:
        said = migration(self.reader, NOW * MS)
        check_named("Migration", said)
        return said

    def cells(self) -> dict[tuple[str, str, str], int]:
        return {(one["role"], one["peer"], one["format"]): one["count"] for one in self.ask()["cells"]}

    def verdict(self, peer: str, format: str) -> dict[str, Any]:
        (one,) = [each for each in self.ask()["verdicts"] if (each["peer"], each["format"]) == (peer, format)]
        return dict(one)


@pytest.fixture
def store() -> Iterator[Store]:
    with fleet() as (_, console):
        yield Store(console)


def test_nobody_reports(store: Store) -> None:
    assert store.ask() == {
        "window_days": 14,
        "requests": 0,
        "formats": [],
        "cells": [],
        "verdicts": [],
        "sentence": "No sidecar reports yet: set console.report.endpoint there.",
        "shadow": [],
        "gap": "No sidecar reports yet.",
    }


def test_who_sends_and_who_gets_what(store: Store) -> None:
    store.service("shop", "bank")
    store.sidecar("bank", "via-bank")
    store.row("b3,jaeger!shape,tracecontext~", "b3,jaeger", count=5)
    store.row("", "", peer="", count=2)
    store.row("b3", "b3", kind="sidecar", peer="unknown", count=3)
    store.row("b3", "b3", kind="sidecar", peer="via-bank", count=4)  # what it gets is what the bank says it sends
    store.row("b3", leg="call", count=99)
    store.row("jaeger", "jaeger", leg="out", upstream="other", host="mail", count=7)
    store.row("", "tracecontext", leg="out", upstream="bank", count=8)
    assert store.cells() == {
        ("gets", "bank", "tracecontext"): 8,
        ("gets", "mail", "jaeger"): 7,
        ("gets", "shop’s app", "b3"): 5 + 3 + 4,
        ("gets", "shop’s app", "jaeger"): 5,
        ("gets", "shop’s app", "none"): 2,
        ("sends", "a sidecar (unknown)", "b3"): 3,
        ("sends", "shop", "jaeger"): 7,
        ("sends", "shop", "none"): 8,
        ("sends", "unknown", "none"): 2,
        ("sends", "web", "b3"): 5,
        ("sends", "web", "tracecontext"): 5,
    }
    said = store.ask()
    assert said["formats"] == ["tracecontext", "b3", "jaeger", "none"]
    assert said["requests"] == 5 + 2 + 3 + 4
    assert [(one["role"], one["peer"]) for one in said["cells"]] == sorted(
        (one["role"], one["peer"]) for one in said["cells"]
    )


def test_a_cell_has_28_days_and_counts_14(store: Store) -> None:
    store.service("shop")
    for back, count in ((0, 1), (13, 2), (14, 4), (27, 8), (28, 16)):
        store.row("b3", "b3", back=back, count=count)
    cell = next(one for one in store.ask()["cells"] if one["role"] == "sends")
    days = [0] * 28
    days[27], days[14], days[13], days[0] = 1, 2, 4, 8
    assert cell == {"peer": "web", "role": "sends", "format": "b3", "count": 3, "days": days, "last": NOW}
    assert store.ask()["requests"] == 3


def test_cells_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_CELLS", 2)
    for number in range(3):
        store.row("b3", "b3", peer=f"p{number}")
    assert len(store.ask()["cells"]) == 2


def test_the_newest_rows_are_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_ROWS", 2)
    for back in (2, 0, 1):
        store.row("b3", "b3", peer=f"p{back}", back=back)
    assert [peer for role, peer, _ in store.cells() if role == "sends"] == ["p0", "p1"]


def test_safe_ones_come_first_then_those_to_wait_for(store: Store) -> None:
    store.service("shop", "young", "bank")
    store.service("late", since=NOW - DAY)
    store.row("b3,tracecontext", "tracecontext", count=10)
    store.row("b3", "tracecontext", service="bank", count=3)
    store.row("b3,tracecontext", "tracecontext", service="late")
    found = [(one["peer"], one["format"], one["safe"]) for one in store.ask()["verdicts"]]
    assert found == [("shop", "b3", True), ("late", "b3", "soon"), ("bank", "b3", False)]
    said = store.ask()
    assert said["sentence"] == "1 format can be stopped today without losing a trace; 2 more may still be needed."
    assert said["gap"] == "Reports do not reach back far enough yet at late."


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ((), "Everything that was reported speaks W3C: there is nothing to switch off."),
        (("tracecontext",), "Everything that was reported speaks W3C: there is nothing to switch off."),
        (("b3",), "Nothing can be stopped today: 1 format may still be needed."),
        (("b3", "jaeger"), "Nothing can be stopped today: 2 formats may still be needed."),
        (("b3,tracecontext",), "1 format can be stopped today without losing a trace."),
        (("b3,jaeger,tracecontext",), "2 formats can be stopped today without losing a trace."),
    ],
)
def test_all_in_a_sentence(store: Store, rows: tuple[str, ...], sentence: str) -> None:
    store.service("shop")
    for read in rows:
        store.row(read, "tracecontext")
    assert store.ask()["sentence"] == sentence
    assert store.ask()["gap"] is None


def test_what_reaches_a_service(store: Store) -> None:
    store.service("shop")
    store.row("b3,jaeger", "tracecontext", peer="web", count=6)
    store.row("b3", "tracecontext", peer="cron", count=2, last=NOW - 60_000)
    store.row("b3", "tracecontext", peer="job", count=3, last=NOW - 120_000)
    found = store.verdict("shop", "b3")
    assert found == {
        "peer": "shop",
        "role": "gets",
        "format": "b3",
        "safe": False,
        "sentence": "Not yet: shop gets B3 alone from job and cron.",
        "why": "5 of 11 requests in 14 days had no other format; the last came 1 minute ago, from cron.",
        "lost": [],
        "change": "upstreams[shop].propagation.inject: [jaeger]",
    }
    jaeger = store.verdict("shop", "jaeger")
    assert (jaeger["safe"], jaeger["change"]) == (True, "upstreams[shop].propagation.inject: [b3]")
    assert jaeger["lost"] == []


def test_where_nothing_else_is_spoken_w3c_takes_its_place(store: Store) -> None:
    store.service("shop")
    store.row("b3", "tracecontext", last=FROM - 1)
    store.row("", "tracecontext")
    found = store.verdict("shop", "b3")
    assert (found["safe"], found["lost"]) == (True, ["the parent span id"])
    assert found["change"] == "upstreams[shop].propagation.inject: [tracecontext]"


@pytest.mark.parametrize(("last", "safe"), [(FROM, "soon"), (FROM - 1, True)])
def test_a_need_counts_for_14_days(store: Store, last: int, safe: object) -> None:
    store.service("shop")
    store.row("b3", "tracecontext", last=last)
    store.row("", "tracecontext")
    assert store.verdict("shop", "b3")["safe"] == safe


UNKNOWN = "Nothing that is reported shows which format it reads: no sidecar of its own, or no calls to tell by."
ALONE = "It is the only format that goes there. Write another one beside it first, and see which one is used."


def test_what_reaches_an_app_is_told_by_its_calls(store: Store) -> None:
    store.service("shop")
    store.row("tracecontext", "b3,tracecontext", count=5)
    app = "shop’s app"
    assert store.verdict(app, "b3") == {
        "peer": app,
        "role": "gets",
        "format": "b3",
        "safe": False,
        "sentence": f"Not yet: nobody knows whether {app} needs B3.",
        "why": UNKNOWN,
        "lost": ["the parent span id"],
        "change": "inbound.propagation.inject: [tracecontext]",
    }
    store.row("tracecontext", "b3", leg="call", count=50)  # it got one format alone: that tells nothing
    assert store.verdict(app, "b3")["why"] == UNKNOWN
    store.row("tracecontext", "b3,tracecontext", leg="call", count=3)
    assert store.verdict(app, "b3")["sentence"] == (
        f"Safe to stop sending B3 to {app}: none of 3 calls in 14 days, no sidecar silent meanwhile."
    )
    store.row("b3", "b3,tracecontext", leg="call", count=4)
    found = store.verdict(app, "b3")
    assert (found["safe"], found["sentence"]) == (False, f"Not yet: {app} makes calls in B3 alone.")
    assert found["why"].startswith("4 of 7 calls in 14 days had no other format; ")


@pytest.mark.parametrize(("last", "why"), [(FROM, ALONE), (FROM - 1, UNKNOWN)])
def test_an_app_that_is_given_one_format_alone(store: Store, last: int, why: str) -> None:
    store.service("shop")
    store.row("tracecontext", "b3", last=last)
    found = store.verdict("shop’s app", "b3")
    assert (found["safe"], found["why"]) == (False, why)
    assert found["change"] == "inbound.propagation.inject: [tracecontext]"


@pytest.mark.parametrize(
    ("rows", "why", "change"),
    [
        ((("b3", FROM),), ALONE, "tracecontext"),
        ((("b3", FROM - 1),), UNKNOWN, "tracecontext"),
        ((("b3,jaeger", NOW),), UNKNOWN, "jaeger"),
        ((("b3,jaeger", NOW), ("b3", NOW)), ALONE, "jaeger"),
        ((("b3,jaeger,b3multi", NOW),), UNKNOWN, "b3multi, jaeger"),
    ],
)
def test_of_a_stranger_nobody_knows(store: Store, rows: tuple[tuple[str, int], ...], why: str, change: str) -> None:
    store.service("shop")
    for written, last in rows:
        store.row("", written, leg="out", upstream="partner", last=last)
    found = store.verdict("partner", "b3")
    assert (found["safe"], found["why"], found["role"]) == (False, why, "gets")
    assert found["sentence"] == "Not yet: nobody knows whether partner needs B3."
    assert found["change"] == f"upstreams[partner].propagation.inject: [{change}]"


def test_a_service_that_reports_is_no_stranger(store: Store) -> None:
    store.service("shop", "bank")
    store.row("", "b3", leg="out", upstream="bank")
    store.row("", "b3", leg="out", upstream="a", host="z")
    assert [one["peer"] for one in store.ask()["verdicts"]] == ["z"]


def test_only_formats_that_one_may_leave_behind_have_a_verdict(store: Store) -> None:
    store.service("shop")
    store.row("tracecontext,datadog,b3!shape,jaeger?", "tracecontext")
    assert store.ask()["verdicts"] == []
