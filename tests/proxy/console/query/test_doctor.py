"""What the doctor says of counts alone; and `make doctor` in small: one framework, all faults."""

from __future__ import annotations

import pytest
from gates.doctor import FAULTS, examine
from gates.fleet import HOUR_S, Replica, fleet
from lab.answers import check_named

from proxy.console.query.doctor import doctor
from proxy.telemetry.report.documents import AppCalls


@pytest.mark.slow
async def test_each_fault_is_named_alone_and_clean_calls_raise_no_alarm() -> None:
    wrong, sentences = await examine("aiohttp", faults=tuple(FAULTS), requests=8, clean=60)
    assert wrong == []
    assert "aiohttp-drops drops the context on every call." in sentences


def test_callers_are_told_what_of_theirs_is_not_read() -> None:
    with fleet() as (time, console):
        orders = Replica(time, "orders", "node-1")
        for peer, read in (("web", "b3?"), ("web", "b3"), ("cron", "b3!"), ("cron", "b3"), ("cron", "jaeger")):
            time.now_s += HOUR_S
            for _ in range(30):
                orders.request(peer, read)
            console.take(orders.report())
        said = doctor(console.reader, time.ns)
    check_named("Doctor", said)
    assert [one["sentence"] for one in said["findings"]] == [
        "cron sends B3 that cannot be read: 30 requests.",
        "web speaks B3 to orders, which does not read it: 30 requests.",
    ]
    assert said["findings"][1]["fix"] == "inbound.propagation.extract of orders's sidecar: add b3."
    assert said["sentence"] == "cron and web break traces: 2 findings, 0 calls of 1 service in 24 hours."


@pytest.mark.parametrize(("given", "is_told"), [("jaeger", True), ("b3multi,jaeger", False)])
def test_an_app_that_is_given_no_format_that_it_speaks_is_told_what_to_set(given: str, is_told: bool) -> None:
    """It reads nothing of what it is given, so each of its calls begins a trace."""
    with fleet() as (time, console):
        orders = Replica(time, "orders", "node-1")
        orders.calls = AppCalls({"examined": 30, "another-trace": 30}, {}, {})
        orders.request("web", "tracecontext", given)
        orders.request("bank", "b3multi", leg="out")
        console.take(orders.report())
        (finding,) = doctor(console.reader, time.ns)["findings"]
    assert finding["sentence"] == "orders makes new trace ids on every call."
    assert is_told == (
        finding["fix"] == "orders is given Jaeger and speaks B3 multi: perhaps it reads nothing else. "
        "Try inbound.propagation.inject: [b3multi]."
    )


@pytest.mark.parametrize(("bad", "severity"), [(1, "warn"), (29, "warn"), (30, "fail"), (60, "fail")])
def test_half_of_the_calls_make_a_failure(bad: int, severity: str) -> None:
    with fleet() as (time, console):
        orders = Replica(time, "orders", "node-1")
        orders.calls = AppCalls({"examined": 60, "another-trace": bad}, {}, {})
        orders.request("web", "tracecontext")
        console.take(orders.report())
        (finding,) = doctor(console.reader, time.ns)["findings"]
    assert (finding["severity"], finding["bad"]) == (severity, bad)


def test_one_that_breaks_traces_is_told_in_the_singular() -> None:
    with fleet() as (time, console):
        orders = Replica(time, "orders", "node-1")
        for _ in range(30):
            orders.request("web", "b3!")
        console.take(orders.report())
        said = doctor(console.reader, time.ns)
    assert said["sentence"].startswith("web breaks traces: 1 finding, ")


def test_nothing_is_found_where_nobody_reports() -> None:
    with fleet() as (time, console):
        said = doctor(console.reader, time.ns)
    check_named("Doctor", said)
    assert said["sentence"] == "No sidecar reports yet. Set console.report.endpoint at one."
