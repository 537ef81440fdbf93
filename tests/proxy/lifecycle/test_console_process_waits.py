"""When a sidecar starts its console again, and how it ends one: with stand-ins for processes and the clock."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import proxy
from proxy.lifecycle.console_process import ConsoleProcess
from proxy.plan.console import ConsolePlan, to_json

STOP_S = 15.0
PLAN, OTHER = ConsolePlan(listen="127.0.0.1:1"), ConsolePlan(listen="127.0.0.1:2")


class Process:
    """A console that ends with code 3 by itself, or else with its input, or else when it is killed."""

    def __init__(self, bench: Bench, how: tuple[str, ...], more: dict[str, Any]) -> None:
        self.how, self.more = how, more
        self.stdin = self
        self.said = b""
        self.notes: list[str] = []
        self.returncode: int | None = None
        self._bench = bench
        self._over = asyncio.Event()
        if bench.lasts_s:
            bench.now += bench.lasts_s.pop(0)
            self._end(3)

    def _end(self, code: int) -> None:
        self.returncode = code
        self._over.set()

    def write(self, line: bytes) -> None:
        self.said += line

    async def drain(self) -> None:
        if self._bench.is_deaf:
            raise BrokenPipeError

    def close(self) -> None:
        self.notes.append("input closed")
        if self._bench.is_slow:
            self._dying = asyncio.ensure_future(self._die(0))
        elif not self._bench.hangs:
            self._end(0)

    def kill(self) -> None:
        self.notes.append("killed")
        self._dying = asyncio.ensure_future(self._die(-9))
        raise ProcessLookupError  # as where it has ended just now

    async def _die(self, code: int) -> None:
        for _ in range(20):
            await asyncio.sleep(0)
        self._end(code)

    async def wait(self) -> int:
        await self._over.wait()
        assert self.returncode is not None
        return self.returncode


class Bench:
    """The event loop's clock, its timeouts and its processes, as a `ConsoleProcess` sees them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.lasts_s: list[float] = []  # of the next consoles, which end by themselves
        self.hangs = self.is_deaf = self.is_slow = False
        self.is_patient = False  # a pause lasts
        self.pauses: list[float] = []
        self.made: list[Process] = []
        self.console = ConsoleProcess()
        monkeypatch.setattr(asyncio, "create_subprocess_exec", self.start)
        monkeypatch.setattr(asyncio, "timeout", self.timeout)
        monkeypatch.setattr(asyncio, "get_running_loop", lambda: self)

    def time(self) -> float:
        return self.now

    async def start(self, *how: str, **more: Any) -> Process:
        self.made.append(Process(self, how, more))
        return self.made[-1]

    @contextlib.asynccontextmanager
    async def timeout(self, seconds: float) -> AsyncIterator[None]:
        """It passes at once, unless it is for a console that ends, or a pause that lasts."""
        if seconds != STOP_S:
            self.pauses.append(seconds)
        if self.is_patient if seconds != STOP_S else not self.hangs:
            yield
            return
        raise TimeoutError

    async def use(self, plan: ConsolePlan | None) -> None:
        """Until nothing more happens."""
        self.console.use(plan)
        await turns(200)


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


@pytest.mark.parametrize(
    ("lasts_s", "pauses"),
    [([29.9] * 8, [1, 2, 4, 8, 16, 32, 60, 60]), ([0.0, 0.0, 30.0, 0.0], [1, 2, 1, 2])],
)
async def test_a_console_that_ends_is_started_ever_more_rarely(
    bench: Bench, lasts_s: list[float], pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """Up to once a minute. One that has run for half a minute begins anew."""
    bench.lasts_s = lasts_s
    await bench.use(PLAN)
    assert bench.pauses == pauses
    assert bench.console.restarts == len(pauses)
    assert len(bench.made) == len(pauses) + 1
    told = [record.fields for record in caplog.records]  # type: ignore[attr-defined] - ours
    assert told == [{"code": 3, "wait_s": pause_s} for pause_s in pauses]
    assert {record.msg for record in caplog.records} == {"the console has ended and is started again"}
    await bench.console.stop()
    assert bench.made[-1].notes == ["input closed"]


async def test_another_plan_ends_a_pause(bench: Bench) -> None:
    bench.lasts_s, bench.is_patient = [0.0], True
    await bench.use(PLAN)
    assert (len(bench.made), bench.pauses) == (1, [1])
    await bench.use(OTHER)
    assert (len(bench.made), bench.pauses) == (2, [1])
    assert bench.made[1].said == to_json(OTHER).encode() + b"\n"
    await bench.console.stop()


async def test_a_stop_waits_while_a_console_ends(bench: Bench) -> None:
    await bench.use(PLAN)
    bench.is_slow = True
    await bench.console.stop()
    assert (bench.made[0].returncode, bench.made[0].notes) == (0, ["input closed"])


async def test_another_plan_ends_one_and_starts_the_next(bench: Bench) -> None:
    """At once; that is no restart. The same plan changes nothing, and none ends it."""
    for plan, count in ((PLAN, 1), (PLAN, 1), (OTHER, 2), (None, 2), (PLAN, 3), (None, 3)):
        await bench.use(plan)
        assert len(bench.made) == count
        assert [one.notes for one in bench.made[:-1]] == [["input closed"]] * (count - 1)
        assert bench.made[-1].notes == ([] if plan else ["input closed"])
    assert [one.said for one in bench.made] == [to_json(plan).encode() + b"\n" for plan in (PLAN, OTHER, PLAN)]
    assert (bench.console.restarts, bench.pauses) == (0, [])
    keeps = 1  # the task that waits for another plan
    assert len(asyncio.all_tasks()) == 1 + keeps
    await bench.console.stop()


async def test_a_sidecar_without_a_console_starts_none(bench: Bench) -> None:
    await bench.use(None)
    await bench.console.stop()
    assert bench.made == []


async def test_a_console_that_does_not_end_is_killed(bench: Bench) -> None:
    """Fifteen seconds after its input has ended."""
    await bench.use(PLAN)
    bench.hangs = True
    await bench.console.stop()
    assert bench.made[0].notes == ["input closed", "killed"]
    assert bench.made[0].returncode == -9


async def test_a_stop_waits_for_every_console_that_ends(bench: Bench) -> None:
    """Also for that of the plan before."""
    await bench.use(PLAN)
    bench.hangs = True
    bench.console.use(OTHER)
    await turns(10)
    assert bench.made[0].notes == ["input closed", "killed"]
    await bench.console.stop()
    assert [one.returncode for one in bench.made] == [-9]


async def test_a_console_that_reads_nothing_is_waited_for_all_the_same(bench: Bench) -> None:
    bench.is_deaf = True
    await bench.use(PLAN)
    assert bench.made[0].notes == []
    await bench.console.stop()
    assert bench.made[0].notes == ["input closed"]


@pytest.mark.parametrize("path", [None, "/a:/b"])
async def test_how_a_console_is_started(bench: Bench, path: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the same code, in a session of its own. Variables that are settings of the sidecar do not count again."""
    for name in ("OPS_SIDECAR_LOG_LEVEL", "OTEL_TRACES_SAMPLER", "OTHER"):
        monkeypatch.setenv(name, "x")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    if path is not None:
        monkeypatch.setenv("PYTHONPATH", path)
    await bench.use(PLAN)
    [made] = bench.made
    assert made.how == (sys.executable, "-P", "-m", "proxy", "console", "--beside-sidecar")
    root = str(Path(proxy.__file__).parents[1])
    expected = {name: value for name, value in os.environ.items() if not name.startswith(("OPS_SIDECAR_", "OTEL_"))}
    assert made.more == {
        "stdin": asyncio.subprocess.PIPE,
        "stdout": asyncio.subprocess.DEVNULL,
        "env": {**expected, "PYTHONPATH": root if path is None else f"{root}:{path}"},
        "start_new_session": True,
    }
    assert expected["OTHER"] == "x"
    await bench.console.stop()
