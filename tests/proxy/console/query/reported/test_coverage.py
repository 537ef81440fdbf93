"""Since when all is known of a service: each kind of gap, at both sides of each edge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from gates.fleet import Console, fleet

from proxy.console.query.reported.coverage import Coverage, Known
from proxy.console.query.reported.peers import Peers

MS = 1_000_000
DAY = 86_400_000  # ms
NOW = 1_000_000  # ms
SIDECAR = (
    "INSERT INTO sidecars (instance, service, name, host, version, newer, seen, ended, number, interval_ms, via) "
    "VALUES (?, ?, ?, ?, '', 0, ?, ?, ?, ?, ?)"
)


class Store:
    """Times in ms."""

    def __init__(self, console: Console) -> None:
        self.connection = console.connection
        self.reader = console.reader

    def clock(self, created: int) -> None:
        self.connection.execute("INSERT INTO report_clock VALUES (1, ?, ?)", (created * MS, NOW * MS))

    def since(self, service: str, since: int, *, runs: bool = True) -> None:
        """`runs`: it has a sidecar that was heard just now."""
        self.connection.execute("INSERT INTO reporting VALUES (?, ?)", (service, since * MS))
        if runs:
            self.sidecar(f"of {service}", NOW, service=service)

    def gap(self, service: str, started: int, ended: int, why: str) -> None:
        self.connection.execute(
            "INSERT INTO gaps (service, instance, started, ended, why) VALUES (?, '', ?, ?, ?)",
            (service, started * MS, ended * MS, why),
        )

    def sidecar(self, instance: str, seen: int, *, name: str = "", host: str = "", ended: int = 0, number: int = 1,
                interval_ms: int = 10_000, service: str = "shop", via: str = "") -> None:  # fmt: skip
        self.connection.execute(
            SIDECAR,
            (instance, service, name or instance, host, seen * MS, ended, number, interval_ms, via),
        )

    @property
    def known(self) -> Known:
        return Known(self.reader, NOW * MS)


@pytest.fixture
def store() -> Iterator[Store]:
    with fleet() as (_, console):
        yield Store(console)


def test_it_begins_with_the_first_report_or_with_the_console(store: Store) -> None:
    store.clock(500)
    store.since("late", 600)
    store.since("early", 400)
    assert store.known.services == ["early", "late"]
    assert store.known.of("late") == Coverage(600, "", (), 0)
    assert store.known.of("early") == Coverage(500, "", (), 0)


def test_before_the_first_report_it_begins_now(store: Store) -> None:
    store.since("shop", 400)
    assert store.known.of("shop").since == NOW


@pytest.mark.parametrize(
    ("who", "started", "ended", "why", "since", "said"),
    [
        ("shop", 600, 700, "ended without a farewell", 700, "a sidecar of shop ended without a farewell"),
        ("shop", 600, 700, "had no sidecar that reported", 700, "shop had no sidecar that reported"),
        ("*", 600, 700, "the console heard nothing", 700, "the console heard nothing"),
        ("bank", 600, 700, "ended without a farewell", 500, ""),
        ("shop", 300, 500, "ended without a farewell", 500, ""),
        ("shop", 300, 501, "ended without a farewell", 501, "a sidecar of shop ended without a farewell"),
        ("shop", 700, 700, "ended without a farewell", 500, ""),
        ("shop", 701, 700, "ended without a farewell", 500, ""),
    ],
)
def test_a_gap_ends_it(store: Store, who: str, started: int, ended: int, why: str, since: int, said: str) -> None:
    store.clock(1)
    store.since("shop", 500)
    store.gap(who, started, ended, why)
    assert store.known.of("shop") == Coverage(since, said, (), 0)


def test_the_last_gap_counts(store: Store) -> None:
    store.clock(1)
    store.since("shop", 500)
    for ended, why in ((700, "a"), (900, "b"), (800, "c")):
        store.gap("*", 600, ended, why)
    assert store.known.of("shop")[:2] == (900, "b")


@pytest.mark.parametrize(
    ("seen", "more", "silent"),
    [
        (NOW - 60_000, {}, ()),
        (NOW - 60_001, {}, ("h-i-1234",)),
        (NOW - 90_000, {"interval_ms": 30_000}, ()),
        (NOW - 90_001, {"interval_ms": 30_000}, ("h-i-1234",)),
        (NOW - 90_001, {"ended": 1}, ()),
        (NOW - 90_001, {"number": 0}, ()),
        (NOW - 90_001, {"name": "pod-7"}, ("pod-7",)),
        (NOW - 90_001, {"host": ""}, ("shop-i-1234",)),
    ],
)
def test_a_sidecar_is_silent_after_three_intervals(
    store: Store, seen: int, more: dict[str, int], silent: object
) -> None:
    store.clock(1)
    store.since("shop", 500)
    store.sidecar("i-123456", seen, **{"host": "h", **more})  # type: ignore[arg-type]  # by name
    assert store.known.of("shop")[2:] == (silent, seen if silent else 0, ())
    assert store.known.silent == list(silent)  # type: ignore[call-overload]


def test_the_longest_silence_is_told(store: Store) -> None:
    store.clock(1)
    store.since("shop", 500)
    for number, seen in enumerate((300, 200, 400)):
        store.sidecar(f"i{number}", seen, name=f"pod-{number}")
    assert store.known.of("shop")[2:] == (("pod-1", "pod-0", "pod-2"), 200, ())


@pytest.mark.parametrize(
    ("silent_ms", "interval_ms", "gone"),
    [
        (DAY, 10_000, False),
        (DAY + 1, 10_000, True),
        (DAY + 1, DAY // 3 + 1, False),
        (DAY + 4, DAY // 3 + 1, True),
    ],
)
def test_after_a_day_of_silence_it_is_gone_and_the_day_is_a_gap(
    store: Store, silent_ms: int, interval_ms: int, gone: bool
) -> None:
    """Or after three intervals, where those take longer. It has no place where another could succeed it."""
    store.clock(-9 * DAY)
    store.since("shop", -8 * DAY, runs=False)
    store.sidecar("heard", NOW - 5)
    store.sidecar("lost", NOW - silent_ms, interval_ms=interval_ms)
    known = store.known.of("shop")
    if gone:
        assert known == Coverage(NOW - 1, "a sidecar of shop ended without a farewell", (), 0, ("shop-lost",))
    else:
        assert known.gone == ()
        assert known.since == -8 * DAY
    assert store.known.gap(-8 * DAY) == (
        "Reports do not reach back far enough yet at shop."
        if gone
        else "shop-lost is silent. Nothing is safe there until they report again."
        if interval_ms == 10_000
        else None
    )


@pytest.mark.parametrize(
    ("heard", "more", "nobody"),
    [
        (NOW - 300_000, {"ended": 1}, False),
        (NOW - 300_001, {"ended": 1}, True),
        (NOW - 300_001, {"ended": 2}, True),
        (NOW - 300_001, {"interval_ms": 300_000}, False),
        (NOW - 2 * DAY, {}, True),
    ],
)
def test_a_service_without_a_sidecar_is_not_known_until_now(
    store: Store, heard: int, more: dict[str, Any], nobody: bool
) -> None:
    """All said farewell or are gone, and no other has come."""
    store.clock(-9 * DAY)
    store.since("shop", -8 * DAY, runs=False)
    store.sidecar("ended before", heard - 9, ended=1)
    store.sidecar("of another", NOW, service="bank")
    store.sidecar("last", heard, **more)
    known = store.known.of("shop")
    assert known[:2] == ((NOW, "shop had no sidecar that reported") if nobody else (-8 * DAY, ""))


@pytest.mark.parametrize(("seen", "gap"), [(0, True), (-1, False)])
def test_a_service_that_left_long_ago_is_not_told_as_a_gap(store: Store, seen: int, gap: bool) -> None:
    store.clock(-9 * DAY)
    store.since("shop", -8 * DAY, runs=False)
    store.sidecar("last", seen, ended=1)
    told = "Reports do not reach back far enough yet at shop."
    assert store.known.gap(0) == (told if gap else None)


@pytest.mark.parametrize("number", [0, None])
def test_a_service_of_which_no_sidecar_is_known_is_not_known(store: Store, number: int | None) -> None:
    """One that never told its counters was never there."""
    store.clock(1)
    store.since("shop", 500, runs=False)
    if number is not None:
        store.sidecar("i", NOW, number=number)
    assert store.known.of("shop")[:2] == (NOW, "shop had no sidecar that reported")
    assert store.known.gap(499) is None


def test_while_one_reports_a_service_is_known(store: Store) -> None:
    store.clock(1)
    store.since("shop", 500)
    store.sidecar("ended", NOW - 400_000, ended=1)
    store.sidecar("other", NOW, service="bank")
    store.sidecar("runs", NOW - 500_000, interval_ms=200_000)
    assert store.known.of("shop") == Coverage(500, "", (), 0)


@pytest.mark.parametrize(("since", "gap"), [(600, None), (601, "Reports do not reach back far enough yet at shop.")])
def test_what_keeps_verdicts_from_reaching_back(store: Store, since: int, gap: str | None) -> None:
    store.clock(1)
    store.since("shop", since)
    store.since("bank", 100)
    assert store.known.gap(600) == gap


@pytest.mark.parametrize(
    ("count", "named"), [(1, "s1"), (3, "s1, s2, s3"), (4, "s1, s2, s3 and 1 more"), (5, "s1, s2, s3 and 2 more")]
)
def test_three_are_named(store: Store, count: int, named: str) -> None:
    store.clock(1)
    for number in range(1, count + 1):
        store.since(f"s{number}", 100)
    assert store.known.gap(99) == f"Reports do not reach back far enough yet at {named}."
    for number in range(1, count + 1):
        store.sidecar(f"i{number}", number, name=f"s{number}")
    verb = "is" if count == 1 else "are"
    assert store.known.gap(99) == f"{named} {verb} silent. Nothing is safe there until they report again."


def test_2000_services_and_gaps_and_5000_sidecars_are_looked_at(store: Store) -> None:
    store.clock(1)
    for number in range(5001):
        store.sidecar(f"i{number}", number)
    for number in range(2001):
        store.since(f"s{number:04}", 1)
        store.gap("*" if number == 0 else "other", 1 + number, 2 + number, "x")
    assert (len(store.known.services), len(store.known.silent)) == (2000, 5000)
    assert store.known.of("s0000").why == ""  # its gap ended first
    store.connection.execute("DELETE FROM gaps WHERE started = ?", (2 * MS,))
    assert store.known.of("s0000").why == "x"


@pytest.mark.parametrize(
    ("kind", "peer", "name", "is_silent"),
    [
        ("sidecar", "abc", "billing", False),
        ("sidecar", "xyz", "a sidecar (xyz)", True),
        ("others", "abc", "others", False),
        ("others", "", "others", False),
        ("rule", "abc", "abc", False),
        ("rule", "", "unknown", False),
    ],
)
def test_who_a_peer_is(store: Store, kind: str, peer: str, name: str, is_silent: bool) -> None:
    store.sidecar("i", 1, service="billing", via="abc")
    store.sidecar("j", 1, service="without")
    peers = Peers(store.reader)
    assert (peers.name(kind, peer), peers.is_silent(kind, peer)) == (name, is_silent)
