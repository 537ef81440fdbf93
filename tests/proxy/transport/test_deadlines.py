"""The tick."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from proxy.transport import deadlines as module
from proxy.transport.deadlines import NEVER, Ticker


class Timed:
    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.passed = asyncio.Event()
        self.times = 0

    def on_deadline(self) -> None:
        self.times += 1
        self.deadline = NEVER
        self.passed.set()


async def test_deadlines_pass_once_and_others_do_not() -> None:
    ticker = Ticker(asyncio.get_running_loop())
    ticks: list[float] = []
    soon, later, gone = Timed(ticker.now + 0.15), Timed(NEVER), Timed(ticker.now)
    for member in (soon, later, gone):
        ticker.add(member)
    ticker.discard(gone)
    turns: asyncio.Queue[float] = asyncio.Queue()

    def tick() -> None:
        ticks.append(ticker.now)
        turns.put_nowait(ticker.now)

    ticker.every_tick(tick)
    assert len(ticker) == 2
    ticker.start()
    await asyncio.wait_for(soon.passed.wait(), 5)
    while not turns.empty():
        turns.get_nowait()
    for _ in range(2):
        await asyncio.wait_for(turns.get(), 5)
    ticker.stop()
    assert (soon.times, later.times, gone.times) == (1, 0, 0)
    assert ticks == sorted(ticks)


async def test_a_member_may_leave_from_its_deadline() -> None:
    ticker = Ticker(asyncio.get_running_loop())

    class Leaving(Timed):
        def on_deadline(self) -> None:
            super().on_deadline()
            for member in members:
                ticker.discard(member)

    members: list[Any] = [Leaving(ticker.now - 1) for _ in range(3)]
    for member in members:
        ticker.add(member)
    ticker.start()
    ticker.stop()
    assert sum(member.times for member in members) >= 1


@pytest.mark.slow
async def test_a_deadline_never_comes_due_early() -> None:
    """Whenever between two ticks it was set by `now`."""
    loop = asyncio.get_running_loop()
    ticker = Ticker(loop)
    ticker.start()
    for _ in range(3):
        await asyncio.sleep(0.07)
        start, member = loop.time(), Timed(ticker.now + 0.05)
        ticker.add(member)
        await asyncio.wait_for(member.passed.wait(), 5)
        assert loop.time() - start >= 0.05
    ticker.stop()


class Clock:
    """A loop whose time the test sets."""

    def __init__(self) -> None:
        self.now = 100.0
        self.after_s: list[float] = []
        self.is_cancelled = False

    def time(self) -> float:
        return self.now

    def call_later(self, after_s: float, _: object) -> Clock:
        self.after_s.append(after_s)
        return self

    def cancel(self) -> None:
        self.is_cancelled = True


@pytest.mark.skipif(not cast(str, module.__file__).endswith(".py"), reason="what is compiled takes no stand-ins")
@pytest.mark.parametrize(("left_s", "times"), [(-9.0, 1), (-0.1, 1), (-0.09, 0), (0.0, 0)])
def test_a_deadline_is_met_by_the_tick_after_it(left_s: float, times: int) -> None:
    """Not by an earlier one: who set it may have looked at a clock that was one tick old."""
    clock = Clock()
    ticker = Ticker(cast(Any, clock))
    assert ticker.now == 100.0
    ticker.stop()
    assert not clock.is_cancelled, "it has not begun"
    clock.now = 200.0
    member = Timed(clock.now + left_s)
    ticker.add(member)
    ticker.start()
    assert (ticker.now, member.times, clock.after_s) == (200.0, times, [0.1])
    ticker.ends.watch(5, lambda lost: None)
    ticker.stop()
    assert (clock.is_cancelled, len(ticker.ends)) == (True, 0)
