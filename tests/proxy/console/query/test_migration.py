"""What may be switched off: said of a time that was reported whole, and of no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from gates.fleet import DAY_S, HOUR_S, Console, Replica, Time, fleet
from gates.migration import run

from proxy.console.store.report_counts import make_room

BOTH = "tracecontext,b3"


@pytest.fixture
def story() -> Iterator[tuple[Time, Console]]:
    with fleet() as made:
        yield made


def live(time: Time, console: Console, days: float, *replicas: Replica, peer: str = "web", read: str = BOTH) -> None:
    """So many days, with one request and one report an hour."""
    for _ in range(round(days * 24)):
        time.now_s += HOUR_S
        for replica in replicas:
            replica.request(peer, read)
            console.take(replica.report())


@pytest.mark.slow
def test_the_gate_in_small(tmp_path: Path) -> None:
    """`make migration`, with fewer requests."""
    assert run(requests=6_000, one_in=500, lives_days=3, ask_every=6, path=tmp_path / "console.db") == []


def test_safe_is_what_nobody_needed_for_two_weeks(story: tuple[Time, Console]) -> None:
    time, console = story
    orders = Replica(time, "orders", "node-1")
    live(time, console, 13.9, orders)
    said = console.verdict("orders", "b3")
    assert (said["safe"], said["sentence"]) == ("soon", "Wait: B3 to orders is not known for 14 days yet.")
    live(time, console, 0.3, orders)
    said = console.verdict("orders", "b3")
    assert said["safe"] is True
    told = r"Safe to stop sending B3 to orders: none of (\d+) requests in 14 days, no sidecar silent meanwhile\."
    found = re.fullmatch(told, said["sentence"])
    assert found is not None, said["sentence"]
    assert 13 * 24 <= int(found[1]) <= 14 * 24
    assert said["change"] == "upstreams[orders].propagation.inject: [tracecontext]"
    assert said["lost"] == ["the parent span id"]
    assert console.ask()["gap"] is None
    assert console.ask()["sentence"] == "1 format can be stopped today without losing a trace."


def test_who_needs_it_is_named(story: tuple[Time, Console]) -> None:
    time, console = story
    orders = Replica(time, "orders", "node-1")
    live(time, console, 15, orders)
    live(time, console, 1 / 24, orders, peer="cron", read="b3")
    said = console.verdict("orders", "b3")
    assert said["safe"] is False
    assert said["sentence"] == "Not yet: orders gets B3 alone from cron."
    assert " requests in 14 days had no other format; the last came less than a minute ago, from cron." in said["why"]
    live(time, console, 3, orders)
    said = console.verdict("orders", "b3")
    assert said["safe"] == "soon"
    assert said["sentence"] == "Wait: the last request that needed B3 came 3 days ago, from cron."
    assert "Safe in 11 days if none comes." in said["why"]


def test_a_silent_sidecar_takes_it_back(story: tuple[Time, Console]) -> None:
    time, console = story
    one, other = Replica(time, "orders", "node-1"), Replica(time, "orders", "node-2")
    live(time, console, 15, one, other)
    assert console.verdict("orders", "b3")["safe"] is True
    live(time, console, 0.25, one)
    said = console.verdict("orders", "b3")
    assert (said["safe"], said["sentence"]) == ("soon", "Wait: a sidecar of orders is silent.")
    assert "node-2" in console.ask()["gap"]
    console.take(other.report())  # it was only late: this report holds what the missing ones held
    assert console.verdict("orders", "b3")["safe"] is True


def test_a_sidecar_that_never_said_farewell_leaves_a_gap(story: tuple[Time, Console]) -> None:
    time, console = story
    orders = Replica(time, "orders", "node-1")
    live(time, console, 15, orders)
    live(time, console, 13, Replica(time, "orders", "node-1"))
    said = console.verdict("orders", "b3")
    assert said["safe"] == "soon"
    assert "before that a sidecar of orders ended without a farewell" in said["why"]


def test_farewell_and_successor_are_no_gap(story: tuple[Time, Console]) -> None:
    time, console = story
    orders = Replica(time, "orders", "node-1")
    live(time, console, 10, orders)
    console.take(orders.report(is_final=True))
    live(time, console, 5, Replica(time, "orders", "node-1"))
    assert console.verdict("orders", "b3")["safe"] is True


def test_a_service_that_is_renamed_by_a_reload_is_known_from_then_on(story: tuple[Time, Console]) -> None:
    """And nothing is known any more of the name that it had."""
    time, console = story
    renamed, other = Replica(time, "orders", "node-1"), Replica(time, "billing", "node-2")
    live(time, console, 15, renamed, other)
    renamed.service = "shop"
    live(time, console, 1, renamed, other)
    said = console.verdict("orders", "b3")
    assert said["safe"] == "soon"
    assert "before that orders had no sidecar that reported" in said["why"]
    said = console.verdict("shop", "b3")
    assert said["safe"] == "soon"
    assert "None of 24 requests since " in said["why"]
    live(time, console, 13.1, renamed, other)
    assert console.verdict("shop", "b3")["safe"] is True


def test_time_in_which_the_console_heard_nothing_is_a_gap(story: tuple[Time, Console]) -> None:
    time, console = story
    orders = Replica(time, "orders", "node-1")
    live(time, console, 15, orders)
    time.now_s += DAY_S
    live(time, console, 1, orders)
    said = console.verdict("orders", "b3")
    assert said["safe"] == "soon"
    assert "before that the console heard nothing" in said["why"]


def test_counts_add_up_over_replicas_restarts_and_reports_that_come_twice(tmp_path: Path) -> None:
    with fleet(tmp_path / "console.db") as (time, console):
        one, other = Replica(time, "orders", "node-1"), Replica(time, "orders", "node-2")
        live(time, console, 1, one, other)
        body = one.report()
        console.take(body)
        console.take(body)
        console.restart()
        console.take(one.report(is_final=True))
        live(time, console, 1, Replica(time, "orders", "node-1"), other)
        (cell,) = [one for one in console.ask()["cells"] if (one["role"], one["format"]) == ("sends", "b3")]
        assert (cell["peer"], cell["count"], sum(cell["days"])) == ("web", 96, 96)


def test_an_app_that_calls_in_one_format_alone_needs_it(story: tuple[Time, Console]) -> None:
    time, console = story
    orders = Replica(time, "orders", "node-1")
    for _ in range(15 * 24):
        time.now_s += HOUR_S
        orders.request("web", "tracecontext", "tracecontext,b3")
        orders.request("", "tracecontext", "tracecontext,b3", leg="call")
        console.take(orders.report())
    assert console.verdict("orders’s app", "b3")["safe"] is True
    orders.request("", "b3", "tracecontext,b3", leg="call")
    console.take(orders.report())
    said = console.verdict("orders’s app", "b3")
    assert (said["safe"], said["sentence"]) == (False, "Not yet: orders’s app makes calls in B3 alone.")


def test_of_an_upstream_without_a_sidecar_nobody_knows(story: tuple[Time, Console]) -> None:
    time, console = story
    shop = Replica(time, "shop", "node-1")
    shop.request("partner", "tracecontext", "b3", leg="out")
    console.take(shop.report())
    said = console.verdict("partner", "b3")
    assert said["safe"] is False
    assert said["sentence"] == "Not yet: nobody knows whether partner needs B3."


def test_before_any_report_it_says_what_to_set(story: tuple[Time, Console]) -> None:
    _, console = story
    said = console.ask()
    assert said["sentence"] == "No sidecar reports yet: set console.report.endpoint there."
    assert said["verdicts"] == []


def test_counts_that_had_to_leave_are_a_gap(story: tuple[Time, Console]) -> None:
    time, console = story
    orders = Replica(time, "orders", "node-1")
    live(time, console, 20, orders)
    assert console.verdict("orders", "b3")["safe"] is True
    make_room(console.connection, most=10)
    said = console.verdict("orders", "b3")
    assert said["safe"] == "soon"
    assert "the console had no room" in said["why"]


def test_what_goes_to_a_stranger_instead_is_said(story: tuple[Time, Console]) -> None:
    """The formats that already go there beside it; else tracecontext."""
    time, console = story
    orders = Replica(time, "orders", "node-1")
    for _ in range(3):
        time.now_s += HOUR_S
        orders.request("bank", "tracecontext", "b3,jaeger", leg="out")
        orders.request("mail", "tracecontext", "b3", leg="out")
        console.take(orders.report())
    found = {(one["peer"], one["format"]): one["change"] for one in console.ask()["verdicts"]}
    assert found["bank", "b3"] == "upstreams[bank].propagation.inject: [jaeger]"
    assert found["mail", "b3"] == "upstreams[mail].propagation.inject: [tracecontext]"


@pytest.mark.parametrize(
    ("replicas", "named", "rest"),
    [(1, 1, " is silent. "), (2, 2, " are silent. "), (3, 3, " are silent. "), (4, 3, " and 1 more are silent. ")],
)
def test_at_most_three_silent_sidecars_are_named(
    story: tuple[Time, Console], replicas: int, named: int, rest: str
) -> None:
    time, console = story
    silent = [Replica(time, "orders", f"node-{number}") for number in range(replicas)]
    heard = Replica(time, "orders", "node-9")
    live(time, console, 1, heard, *silent)
    live(time, console, 0.25, heard)
    gap, why = console.ask()["gap"], console.verdict("orders", "b3")["why"]
    assert gap.endswith(f"{rest}Nothing is safe there until they report again.")
    assert " said nothing for " in why
    assert gap.count("node-") == why.count("node-") == named


@pytest.mark.parametrize(("count", "told"), [(1, "s0"), (3, "s0, s1, s2"), (4, "s0, s1, s2 and 1 more")])
def test_at_most_three_services_are_named_whose_reports_are_too_young(
    story: tuple[Time, Console], count: int, told: str
) -> None:
    time, console = story
    live(time, console, 1, *(Replica(time, f"s{number}", "node-1") for number in range(count)))
    assert console.ask()["gap"] == f"Reports do not reach back far enough yet at {told}."
