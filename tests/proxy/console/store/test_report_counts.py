"""Counters as sidecars report them: how they grow, what is left out, and how long they are kept."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from proxy.console.intake.reports import Report, Sender
from proxy.console.store import report_counts as module
from proxy.console.store import senders
from proxy.console.store.open import Place, open_store
from proxy.console.store.report_counts import make_room
from proxy.console.store.reports import write_reports

DAY, HOUR, MS = 86_400_000, 3_600_000, 1_000_000
DAY_NUMBER = 20_000
NOW = DAY_NUMBER * DAY + 5 * HOUR + 1000  # ms
ROW = ["in", "rule", "web", "app", "", "b3", "tracecontext"]
ALL = "service, day, leg, kind, peer, upstream, host, read, written, count, first, last"


class Store:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._number = 0

    def report(self, *, instance: str = "i", service: str = "shop", now: int = NOW, **said: Any) -> None:
        self._number += 1
        body = {"seq": self._number, "since": 0, "interval": 10} | said
        self._write(Report("ops.counts", Sender(instance, service, instance, "h", "1", False), 0, 0, body), now)

    def proofs(self, **said: Any) -> None:
        found = {name.replace("_", "-"): one for name, one in said.items()}
        self._write(Report("ops.proofs", Sender("i", "shop", "i", "h", "1", False), 0, 0, found), NOW)

    def _write(self, report: Report, now: int) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        write_reports(self.connection, [report], now * MS)
        self.connection.execute("COMMIT")

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()

    @property
    def formats(self) -> list[tuple[Any, ...]]:
        return self.ask(f"SELECT {ALL} FROM format_days ORDER BY day, peer, read")

    @property
    def calls(self) -> list[tuple[Any, ...]]:
        return self.ask("SELECT service, hour, name, count, first, last FROM call_hours ORDER BY hour, name")


def test_a_report_that_cannot_be_read_is_told_at_debug_and_costs_no_other(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    sender = Sender("i-7", "shop", "i-7", "h", "1", False)
    bad = Report("ops.counts", sender, 0, 0, {"seq": 1 << 70, "since": 0, "interval": 10})
    good = Report("ops.counts", sender, 0, 0, {"seq": 1, "since": 0, "interval": 10, "formats": [[*ROW, 1, NOW, NOW]]})
    write_reports(store.connection, [bad, good], NOW * MS)
    assert len(store.formats) == 1
    assert [one.getMessage() for one in caplog.records] == ["a report of i-7 cannot be read: ValueError"]


@pytest.fixture
def store() -> Iterator[Store]:
    connection = open_store(Place(None, 1 << 30))
    yield Store(connection)
    connection.close()


def row(*numbers: Any, **more: str) -> list[Any]:
    names = ("leg", "kind", "peer", "upstream", "host", "read", "written")
    return [more.get(name, usual) for name, usual in zip(names, ROW, strict=True)] + list(numbers)


def kept(count: int, first: int, last: int, day: int = DAY_NUMBER, **more: str) -> tuple[Any, ...]:
    return ("shop", day, *row(**more), count, first, last)


def test_what_grew_since_the_report_before_is_added(store: Store) -> None:
    store.report(formats=[row(5, NOW - 9, NOW - 5)])
    store.report(formats=[row(5, NOW - 9, NOW - 5)])
    assert store.formats == [kept(5, NOW - 9, NOW - 5)]
    store.report(formats=[row(7, NOW - 9, NOW - 2)])
    assert store.formats == [kept(7, NOW - 9, NOW - 2)]
    store.report(formats=[row(3, NOW - 99, NOW - 1)])  # less than before: no growth
    store.report(instance="j", formats=[row(1, NOW - 20, NOW - 3)])
    assert store.formats == [kept(8, NOW - 20, NOW - 2)]


def test_each_text_of_a_row_tells_rows_apart(store: Store) -> None:
    for number, name in enumerate(("leg", "kind", "peer", "upstream", "host", "read", "written"), 1):
        store.report(formats=[row(number, NOW, NOW, **{name: "other"})])
        assert kept(number, NOW, NOW, **{name: "other"}) in store.formats
    assert len(store.formats) == 7


def test_times_are_of_the_day_of_the_last_and_not_of_tomorrow(store: Store) -> None:
    store.report(formats=[row(1, NOW - 2 * DAY, NOW)])
    assert store.formats == [kept(1, DAY_NUMBER * DAY, NOW)]
    store.report(formats=[row(2, NOW + 5, NOW + 9, peer="later")])
    assert store.formats[0] == kept(2, NOW, NOW, peer="later")
    store.report(formats=[row(3, NOW - DAY, NOW - DAY, peer="a")])
    assert store.formats[0] == kept(3, NOW - DAY, NOW - DAY, DAY_NUMBER - 1, peer="a")


@pytest.mark.parametrize(
    "wrong",
    [
        row(1, NOW), row(True, NOW, NOW, peer="w"), row(-1, NOW, NOW, peer="w"), row(1 << 53, NOW, NOW, peer="w"),
        row(1.0, NOW, NOW, peer="w"), row(0, NOW, NOW, peer="w"), row(1, NOW, 1 << 53, peer="w"),
        row(1, None, NOW, peer="w"), row(1, NOW, "1", peer="w"), [5, *row(1, NOW, NOW)[1:]], "text", None, {},
    ],
)  # fmt: skip
def test_what_is_not_a_row_is_left_out(store: Store, wrong: Any) -> None:
    store.report(formats=[wrong, row(1, NOW, NOW)])
    assert store.formats == [kept(1, NOW, NOW)]


@pytest.mark.parametrize("rows", [None, "text", {"a": 1}, 5])
def test_what_is_not_a_list_of_rows_is_none(store: Store, rows: Any) -> None:
    store.report(formats=rows, calls=rows if isinstance(rows, str) else None)
    assert (store.formats, store.calls) == ([], [])


def test_numbers_are_whole_and_texts_are_cut(store: Store) -> None:
    largest = (1 << 53) - 1
    store.report(formats=[row(largest, NOW, NOW, peer="p" * 301), [*row(1, NOW, NOW, peer="q"), "of tomorrow"]])
    assert store.formats == [kept(largest, NOW, NOW, peer="p" * 300), kept(1, NOW, NOW, peer="q")]


def test_4000_rows_of_a_report_are_taken(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert module._MOST_ROWS == 4000
    monkeypatch.setattr(module, "_MOST_ROWS", 3)
    store.report(formats=[row(1, NOW, NOW, peer=f"p{number}") for number in range(4)])
    assert [one[4] for one in store.formats] == ["p0", "p1", "p2"]


def test_beyond_4000_rows_a_day_peers_are_others(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert module._MOST_OF_DAY == 4000
    monkeypatch.setattr(module, "_MOST_OF_DAY", 2)
    known = {"kind": "others", "peer": "", "host": ""}
    store.report(formats=[row(1, NOW, NOW, peer=peer, host="h") for peer in ("a", "b", "c", "d")])
    assert store.formats == [
        kept(2, NOW, NOW, **known), kept(1, NOW, NOW, peer="a", host="h"), kept(1, NOW, NOW, peer="b", host="h"),
    ]  # fmt: skip
    store.report(formats=[row(5, NOW, NOW, peer="a", host="h")])  # it is there already
    assert store.formats[1] == kept(5, NOW, NOW, peer="a", host="h")
    store.report(instance="j", service="bank", formats=[row(1, NOW, NOW)])
    assert ("bank", DAY_NUMBER, *row(1, NOW, NOW)) in store.formats
    store.report(formats=[row(1, NOW - DAY, NOW - DAY, peer="c")])
    assert store.formats[0][1] == DAY_NUMBER - 1  # counted already: it did not grow


def test_calls_and_what_was_expected_of_them(store: Store) -> None:
    hour = NOW // HOUR
    store.report(calls={"dropped": 2}, expected={"state": 3}, seen={"dropped": [NOW - 9, NOW - 5]})
    assert store.calls == [
        ("shop", hour, "dropped", 2, NOW - 9, NOW - 5), ("shop", hour, "expected:state", 3, NOW, NOW),
    ]  # fmt: skip
    store.report(calls={"dropped": 5}, expected={"state": 3}, seen={"dropped": [NOW - 99, NOW - 2]})
    assert store.calls[0] == ("shop", hour, "dropped", 5, NOW - 99, NOW - 2)
    store.report(calls={"dropped": 6}, seen={"dropped": [NOW - 9, NOW - 7]})
    assert store.calls[0] == ("shop", hour, "dropped", 6, NOW - 99, NOW - 2)


@pytest.mark.parametrize(
    ("seen", "first", "last"),
    [
        (None, NOW, NOW),
        ([1, 2], NOW, NOW),
        ({}, NOW, NOW),
        ({"stale": 5}, NOW, NOW),
        ({"stale": [NOW - 9]}, NOW, NOW),
        ({"stale": [NOW - 9, True]}, NOW, NOW),
        ({"stale": [NOW - 9, NOW, NOW]}, NOW, NOW),
        ({"stale": [NOW + 5, NOW + 9]}, NOW, NOW),
        ({"stale": [NOW - 9, NOW + 9]}, NOW - 9, NOW),
        ({"stale": [NOW - 2 * HOUR, NOW]}, NOW // HOUR * HOUR, NOW),
    ],
)
def test_when_a_call_was_seen(store: Store, seen: Any, first: int, last: int) -> None:
    store.report(calls={"stale": 1}, seen=seen)
    assert store.calls == [("shop", last // HOUR, "stale", 1, first, last)]


def test_names_of_calls_are_bounded(store: Store) -> None:
    store.report(calls={f"n{number:03}": 1 for number in range(201)}, expected={"e" * 301: 1, "bad": "1", "no": -1})
    names = [name for _, _, name, *_ in store.calls]
    assert names == [f"expected:{'e' * 300}", *(f"n{number:03}" for number in range(200))]


def test_a_farewell_ends_the_count(store: Store) -> None:
    store.report(formats=[row(5, NOW, NOW)], final=1)
    assert len(store.ask("SELECT * FROM count_totals")) == 1
    store.report(formats=[row(6, NOW, NOW)], final=True)
    assert store.ask("SELECT * FROM count_totals") == []
    assert store.formats == [kept(6, NOW, NOW)]


def test_totals_are_kept_by_instance_and_key(store: Store) -> None:
    store.report(formats=[row(5, NOW, NOW)], calls={"stale": 2})
    totals = store.ask("SELECT instance, key, value FROM count_totals ORDER BY value")
    assert totals == [("i", "stale", 2), ("i", json.dumps(ROW), 5)]


@pytest.mark.parametrize(("later", "is_kept"), [(60, True), (61, False)])
def test_days_are_kept_for_60_days(store: Store, later: int, is_kept: bool) -> None:
    store.report(formats=[row(1, NOW, NOW)])
    store.report(now=NOW + later * DAY)
    assert bool(store.formats) is is_kept


@pytest.mark.parametrize(("later", "is_kept"), [(360, True), (361, False)])
def test_hours_are_kept_for_15_days(store: Store, later: int, is_kept: bool) -> None:
    store.report(calls={"stale": 1})
    store.report(now=NOW + later * HOUR)
    assert bool(store.calls) is is_kept


def test_the_oldest_days_leave_and_are_a_gap(store: Store) -> None:
    for back in (0, 1, 1, 2):
        store.report(formats=[row(back + 1, NOW - back * DAY, NOW - back * DAY, peer=f"p{len(store.formats)}")])
    make_room(store.connection, 4)
    assert len(store.formats) == 4
    make_room(store.connection, 3)
    begun = (DAY_NUMBER - 2) * DAY * MS
    gaps = "SELECT service, instance, started, ended, why FROM gaps ORDER BY started"
    why = "the console had no room for what was counted"
    assert store.ask(gaps) == [("*", "", begun, begun + DAY * MS, why)]
    make_room(store.connection, 1)
    assert [one[1] for one in store.formats] == [DAY_NUMBER]
    assert len(store.ask(gaps)) == 2


def test_room_is_looked_for_each_32_reports(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    monkeypatch.setattr(module, "make_room", lambda connection: looked.append(store._number))
    for _ in range(65):
        store.report()
    assert looked == [32, 64]
    assert make_room.__defaults__ == (300_000,)


def test_a_service_that_has_no_place_is_not_counted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(senders, "_MOST_SERVICES", 0)
    store.report(formats=[row(1, NOW, NOW)], calls={"stale": 1})
    assert (store.formats, store.calls, store.ask("SELECT * FROM count_totals")) == ([], [], [])


def test_the_last_proof_of_each_finding_is_kept(store: Store) -> None:
    store.proofs(lost_state={"at": 5, "a": 1})
    store.proofs(text="x", lost_state={"at": 4, "a": 2}, stale={"at": 0}, late={"at": -1}, none={})
    found = store.ask("SELECT service, finding, at, body FROM proofs ORDER BY finding")
    assert found == [("shop", "lost-state", 5, '{"at": 5, "a": 1}'), ("shop", "stale", 0, '{"at": 0}')]
    store.proofs(lost_state={"at": 5, "a": 3}, **{"f" * 301: {"at": 1, "b": "x" * 70_000}})
    (long, same, _) = store.ask("SELECT finding, body FROM proofs ORDER BY finding")
    assert same == ("lost-state", '{"at": 5, "a": 3}')
    assert (long[0], len(long[1])) == ("f" * 300, 65_536)


def test_200_proofs_of_a_report_are_kept(store: Store) -> None:
    store.proofs(**{f"n{number}": {"at": 1} for number in range(201)})
    assert store.ask("SELECT count(*) FROM proofs") == [(200,)]
