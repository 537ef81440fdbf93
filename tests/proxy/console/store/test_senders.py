"""The sidecars that report: what is kept of each, its rates, its gaps, and when it is forgotten."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from gates.fleet import Replica, fleet

from proxy.console.intake.reports import Report, Sender
from proxy.console.store import senders as module
from proxy.console.store.open import Place, open_store
from proxy.console.store.reports import write_reports
from proxy.console.store.senders import note_gap, patience_ns, services_by_name

MS, SECOND, DAY = 1_000_000, 1000, 86_400_000
NOW = 20_000 * DAY  # ms
SILENT, NOBODY, DEAF = "ended without a farewell", "had no sidecar that reported", "the console heard nothing"


@pytest.mark.parametrize(
    ("said_s", "kept_ms"), [(10.0, 10_000), (0.0, 1), (0.0001, 1), (86_400.0, 86_400_000), (90_000.0, 86_400_000)]
)
def test_the_time_between_reports_is_believed_within_bounds(said_s: float, kept_ms: int) -> None:
    """From a millisecond to a day."""
    with fleet() as (time, console):
        replica = Replica(time, "orders", "node-1", interval_s=said_s)
        console.take(replica.report())
        assert console.connection.execute("SELECT interval_ms FROM sidecars").fetchone() == (kept_ms,)


class Store:
    """Reports of sidecars, at times in ms."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._numbers: dict[str, int] = {}

    def tell(
        self, kind: str, said: Any, *, instance: str = "i", service: str = "shop", now: int = NOW, **more: Any
    ) -> None:
        sender = Sender(instance, service, *(more.get(key, usual) for key, usual in (
            ("name", "pod"), ("host", "h"), ("version", "1"), ("is_newer", False))))  # fmt: skip
        self.connection.execute("BEGIN IMMEDIATE")
        write_reports(self.connection, [Report(kind, sender, 0, 0, said)], now * MS)
        self.connection.execute("COMMIT")

    def count(self, *, instance: str = "i", service: str = "shop", now: int = NOW, **said: Any) -> None:
        self._numbers[instance] = self._numbers.get(instance, 0) + 1
        body = {"seq": self._numbers[instance], "since": now, "interval": 10} | said
        self.tell("ops.counts", body, instance=instance, service=service, now=now)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()

    @property
    def gaps(self) -> list[tuple[Any, ...]]:
        """Times from `NOW`."""
        found = self.ask("SELECT service, instance, started, ended, why FROM gaps ORDER BY id")
        return [(*who, start // MS - NOW, end // MS - NOW, why) for *who, start, end, why in found]


@pytest.fixture
def store() -> Iterator[Store]:
    connection = open_store(Place(None, 1 << 30))
    yield Store(connection)
    connection.close()


def test_who_reports(store: Store) -> None:
    store.count(seq=7, since=NOW - 5, place="here", final=False, exchanges={"seen": 1})
    (found,) = store.ask(
        "SELECT instance, service, name, host, version, newer, place, since, seen, number, interval_ms, ended, "
        "exchanges FROM sidecars"
    )
    assert found == (
        "i", "shop", "pod", "h", "1", 0, "here", (NOW - 5) * MS, NOW * MS, 7, 10_000, 0, '{"seen": 1}',
    )  # fmt: skip
    store.tell("ops.plan", {"via": "v"}, service="bank", name="pod-2", version="2", is_newer=True, now=NOW + 9)
    found = store.ask("SELECT service, name, version, newer, seen FROM sidecars")
    assert found == [("bank", "pod-2", "2", 1, NOW * MS)]


@pytest.mark.parametrize(
    ("said", "column", "kept"),
    [
        ({"since": NOW + 5}, "since", NOW * MS),
        ({"place": "p" * 501}, "place", "p" * 500),
        ({"place": 5}, "place", "5"),
        ({"final": True}, "ended", 1),
        ({"final": 1}, "ended", 0),
        ({"exchanges": [1]}, "exchanges", "{}"),
        ({"exchanges": {"a": "x" * 5000}}, "exchanges", '{"a": "' + "x" * 4089),
        ({"interval": "7"}, "interval_ms", 7000),
    ],
)
def test_what_is_said_is_kept_within_bounds(store: Store, said: dict[str, Any], column: str, kept: object) -> None:
    store.count(**said)
    assert store.ask(f"SELECT {column} FROM sidecars") == [(kept,)]


@pytest.mark.parametrize("seq", [0, 1, 2, True, -1, "9", 1 << 53, None])
def test_a_report_that_is_older_or_has_no_number_changes_nothing(store: Store, seq: Any) -> None:
    store.count(seq=2, place="a")
    store.count(seq=seq, place="b", now=NOW + 9)
    assert store.ask("SELECT number, place, seen FROM sidecars") == [(2, "a", NOW * MS)]
    store.count(seq=(1 << 53) - 1, place="c")
    assert store.ask("SELECT place FROM sidecars") == [("c",)]


def test_documents_are_kept_as_they_came_last(store: Store) -> None:
    for kind in ("plan", "settings", "shadow"):
        store.tell(f"ops.{kind}", {"a": 1})
        store.tell(f"ops.{kind}", {"a": [2, 3]})
        assert store.ask(f"SELECT {kind} FROM sidecars") == [('{"a":[2,3]}',)]
    store.tell("ops.health", {"a": 1}, now=NOW - 7)
    store.tell("ops.health", {"a": 2})
    found = store.ask("SELECT health, health_at, earlier, earlier_at FROM sidecars")
    assert found == [('{"a":2}', NOW * MS, '{"a":1}', (NOW - 7) * MS)]


def test_names_in_via(store: Store) -> None:
    store.tell("ops.plan", {"via": "v" * 101}, instance="a", service="one")
    store.tell("ops.plan", {"via": None}, instance="b", service="two")
    store.tell("ops.plan", {}, instance="c", service="three")
    store.tell("ops.settings", {"via": "w"}, instance="d", service="four")
    assert services_by_name(store.connection) == {"v" * 100: "one"}


def health(*counts: int, started: int = 1) -> dict[str, Any]:
    return {"started": started, "exchanges": [{"counts": [one, 1]} for one in counts] + [{}]}


def test_rates_are_those_between_two_reports(store: Store) -> None:
    """Of one process, and to one place."""
    told = []
    for now, said in (
        (0, health(5)),
        (2, health(9)),
        (5, health(9, 0)),
        (5, health(99)),
        (7, health(50)),
        (9, health(99, started=2)),
        (12, health(119, started=2)),
    ):
        store.tell("ops.health", said, now=NOW + now * SECOND)
        ((rates,),) = store.ask("SELECT rates FROM sidecars")
        told.append(json.loads(rates))
    assert told == [[], [2.0], [2.0, 0.3], [2.0, 0.3], [2.0, 0.3, 0.0], [2.0, 0.3, 0.0], [2.0, 0.3, 0.0, 6.7]]


def test_60_rates_are_kept(store: Store) -> None:
    for number in range(63):
        store.tell("ops.health", health(number * number), now=NOW + number * SECOND)
    ((rates,),) = store.ask("SELECT rates FROM sidecars")
    assert json.loads(rates) == [float(2 * number + 1) for number in range(2, 62)]


@pytest.mark.parametrize(
    ("interval_ms", "patience_s"), [(1, 60), (10_000, 60), (20_000, 60), (20_001, 60.003), (60_000, 180)]
)
def test_three_reports_may_be_missed_and_a_minute(interval_ms: int, patience_s: float) -> None:
    assert patience_ns(interval_ms) == round(patience_s * 1e9)


@pytest.mark.parametrize(("later", "gaps"), [(60_000, []), (60_001, [("*", "", 0, 60_001, DEAF)])])
def test_a_console_that_heard_nothing_is_a_gap(store: Store, later: int, gaps: list[Any]) -> None:
    store.count()
    store.count(now=NOW + later)
    assert store.gaps == gaps
    assert store.ask("SELECT created, heard FROM report_clock") == [(NOW * MS, (NOW + later) * MS)]


def test_the_longest_interval_of_those_that_run_is_waited_for(store: Store) -> None:
    store.count(instance="slow", interval=60)
    store.count(instance="gone", interval=600, final=True)
    store.count(now=NOW + 180_000)
    assert store.gaps == []
    store.count(now=NOW + 360_001)
    assert store.gaps == [("*", "", 180_000, 360_001, DEAF)]
    store.count(interval=600, now=NOW + 360_001 + 1_800_000)  # its own interval counts, too
    assert len(store.gaps) == 1


def test_time_does_not_go_backwards(store: Store) -> None:
    store.count()
    store.count(now=NOW - 5)
    assert store.ask("SELECT heard FROM report_clock") == [(NOW * MS,)]


def test_one_that_is_replaced_in_its_place_without_a_farewell_is_a_gap(store: Store) -> None:
    store.count(instance="a", place="p")
    store.count(instance="other", place="q")
    store.count(instance="elsewhere", service="bank", place="p")
    store.count(instance="b", place="p", now=NOW + 7)
    assert store.gaps == [("shop", "a", 0, 7, SILENT)]
    assert dict(store.ask("SELECT instance, ended FROM sidecars")) == {"a": 2, "other": 0, "elsewhere": 0, "b": 0}
    store.count(instance="a", place="p", now=NOW + 9)  # both serve there for a while
    assert store.gaps == []
    assert dict(store.ask("SELECT instance, ended FROM sidecars"))["a"] == 0
    store.count(instance="b", place="p", now=NOW + 10)  # it has arrived already
    assert store.gaps == []


@pytest.mark.parametrize("since", [-1, True, "0", 1 << 53, 0.5, None])
def test_a_report_without_a_beginning_changes_nothing(store: Store, since: Any) -> None:
    store.count(since=since)
    assert store.ask("SELECT number FROM sidecars") == [(0,)]
    assert store.ask("SELECT * FROM reporting") == []


@pytest.mark.parametrize(("place", "final"), [("", False), ("p", True)])
def test_without_a_place_or_after_a_farewell_nobody_is_replaced(store: Store, place: str, final: bool) -> None:
    store.count(instance="a", place=place, final=final)
    store.count(instance="b", place=place, now=NOW + 7)
    assert store.gaps == []


@pytest.mark.parametrize(("since", "gaps"), [(300_000, []), (300_001, [("shop", "", 0, 300_001, NOBODY)])])
def test_a_service_may_be_without_a_sidecar_for_five_minutes(store: Store, since: int, gaps: list[Any]) -> None:
    later = NOW + 310_000
    store.count(instance="old", final=True, now=NOW - 5)
    store.count(instance="a", final=True)
    store.count(instance="bank", service="bank", interval=600, now=later - 1)
    store.count(instance="b", since=NOW + since, now=later)
    assert [one for one in store.gaps if one[4] != DEAF] == gaps


def test_while_another_runs_a_service_is_not_without(store: Store) -> None:
    store.count(instance="a", final=True, interval=600)
    store.count(instance="b", interval=600, now=NOW - 5)
    store.count(instance="c", now=NOW + 400_000)
    assert store.gaps == []


@pytest.mark.parametrize(
    ("later", "interval", "gaps"),
    [
        (DAY, 10, []),
        (DAY + 1, 10, [("shop", "", 0, DAY + 1, NOBODY)]),
        (DAY + 1, 50_000, []),
        (150_000_001, 50_000, [("shop", "", 0, 150_000_001, NOBODY)]),
    ],
)
def test_where_all_others_are_given_up_a_service_was_without(
    store: Store, later: int, interval: int, gaps: list[Any]
) -> None:
    """After a day, or three intervals. It was not at the same place."""
    store.count(instance="a", place="p", interval=interval)
    store.count(instance="ended", final=True, now=NOW - 5)
    store.count(instance="bank", service="bank", interval=80_000)
    store.count(instance="b", place="q", now=NOW + later)
    assert store.gaps == gaps


def test_2000_services_report(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_SERVICES", 2)
    for service in ("a", "b", "b", "c"):
        store.count(instance=f"{service}{len(store.gaps)}", service=service, now=NOW)
    assert store.ask("SELECT service, since FROM reporting ORDER BY service") == [("a", NOW * MS), ("b", NOW * MS)]


def test_those_not_heard_for_60_days_are_forgotten(store: Store) -> None:
    """One that never said farewell leaves the gap that it was: until it was given up."""
    store.count(instance="a", final=True)
    store.count(instance="b")
    store.tell("ops.counts", {"seq": 99, "since": 0, "calls": {"stale": 1}}, instance="b")
    edge = NOW + 60 * DAY
    store.count(instance="c", now=edge)
    assert store.ask("SELECT instance FROM sidecars ORDER BY instance") == [("a",), ("b",), ("c",)]
    assert store.ask("SELECT instance FROM count_totals") == [("b",)]
    store.connection.execute("DELETE FROM gaps")
    store.count(instance="d", now=edge + 1)
    assert store.ask("SELECT instance FROM sidecars ORDER BY instance") == [("c",), ("d",)]
    assert store.ask("SELECT * FROM count_totals") == []
    assert store.gaps == [("shop", "b", 0, DAY, SILENT)]


def test_of_too_many_the_oldest_are_forgotten_those_that_ended_first(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_SIDECARS", 2)
    store.count(instance="old", now=NOW - 9, calls={"stale": 1})
    store.count(instance="ended", final=True)
    store.count(instance="new", now=NOW + 1)
    assert store.ask("SELECT instance FROM sidecars ORDER BY instance") == [("new",), ("old",)]
    assert store.gaps == []
    store.count(instance="newer", now=NOW + 2)
    assert store.ask("SELECT instance FROM sidecars ORDER BY instance") == [("new",), ("newer",)]
    assert store.gaps == [("shop", "old", -9, 2, SILENT)]
    assert store.ask("SELECT * FROM count_totals") == []


def test_gaps_are_bounded_in_number_and_age(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_GAPS", 2)
    for number in range(4):
        note_gap(store.connection, f"s{number}", "", NOW * MS, (NOW + number) * MS, "x")
    assert [one[0] for one in store.gaps] == ["s2", "s3"]
    note_gap(store.connection, "edge", "", NOW * MS, (NOW + 2 + 60 * DAY) * MS, "x")
    assert [one[0] for one in store.gaps] == ["s3", "edge"]
    note_gap(store.connection, "later", "", NOW * MS, (NOW + 4 + 60 * DAY) * MS, "x")
    assert [one[0] for one in store.gaps] == ["edge", "later"]


def test_gaps_leave_after_60_days(store: Store) -> None:
    for days, there in ((0, ["s0"]), (60, ["s0", "s60"]), (60.0001, ["s60", "s60.0001"])):
        note_gap(store.connection, f"s{days}", "", 0, int((NOW + days * DAY) * MS), "x")
        assert [one for (one,) in store.ask("SELECT service FROM gaps ORDER BY id")] == there


def test_the_bounds() -> None:
    assert (module._MOST_SIDECARS, module._MOST_GAPS, module._MOST_SERVICES) == (5000, 2000, 2000)


def test_a_report_that_names_no_interval_comes_each_ten_seconds(store: Store) -> None:
    store.tell("ops.counts", {"seq": 1, "since": NOW})
    assert store.ask("SELECT interval_ms FROM sidecars") == [(10_000,)]
