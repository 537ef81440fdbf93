"""The way to a console: bounded in exchanges a second, with room of its own for what is of note."""

from __future__ import annotations

import asyncio

from lab.collectors import collecting

from proxy.plan import Endpoint
from proxy.plan.report import ReportPlan
from proxy.telemetry.report.channel import Channel


def plan(port: int, **more: float) -> ReportPlan:
    return ReportPlan(
        logs=Endpoint("127.0.0.1", port, "/v1/logs"), exchanges_per_second=more.pop("rate", 1.0), flush_s=0.1
    )


async def test_trouble_is_not_crowded_out() -> None:
    channel = Channel("1")
    with collecting() as console:
        channel.use(plan(console.port))
        assert [channel.has_room(False) for _ in range(3)] == [True, True, False]
        assert [channel.has_room(True) for _ in range(3)] == [True, True, False]
        assert channel.sent().dropped == {"rate": 2}
        channel.on_tick(asyncio.get_running_loop().time())
        assert channel.has_room(False)  # a tick brings new room
        await channel.stop()


async def test_another_life_begins_when_nobody_was_told_for_a_while() -> None:
    """Its counters start again, and so does the time that they speak of."""
    times = iter((1.0, 2.0, 3.0, 4.0))
    channel = Channel("1", lambda: next(times))
    with collecting() as console:
        channel.use(plan(console.port))
        first = channel.instance, channel.started
        channel.formats.add(("in", "", "", "app", "", "b3", ""), 1.0)
        channel.use(ReportPlan())
        channel.use(plan(console.port))
        assert channel.formats.listed() == []
        assert channel.instance != first[0]
        assert channel.started > first[1]
        await channel.stop()


async def test_a_reload_to_another_console_is_the_same_life() -> None:
    channel = Channel("1")
    with collecting() as one, collecting() as other:
        channel.use(plan(one.port))
        before = channel.instance, channel.formats
        channel.use(plan(other.port))
        assert (channel.instance, channel.formats) == before
        await channel.stop()
