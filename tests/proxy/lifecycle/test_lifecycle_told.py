"""What a sidecar tells of its life: its log, the history of its reloads, who ordered them, and the service manager."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import Any

import pytest
from lab.lives import ADMIN, Bench, started

from proxy.errors import SettingsError, SettingsProblem, StartError
from proxy.plan import Address
from proxy.telemetry.state import Phase

HERE, THERE, NEW = (Address("127.0.0.1", port) for port in (7, 8, 9))
PROBLEM = SettingsProblem("a", "b", "c", "d")
Lines = list[tuple[str, dict[str, Any]]]


@pytest.fixture
async def bench() -> Bench:
    return Bench()


def lines(caplog: pytest.LogCaptureFixture) -> Lines:
    """Of the log: message and fields."""
    return [(record.getMessage(), record.fields) for record in caplog.records]  # type: ignore[attr-defined] - ours


async def reloaded(bench: Bench) -> None:
    """By a signal."""
    count = len(bench.state.reloads)
    os.kill(os.getpid(), signal.SIGHUP)
    await bench.until(lambda: len(bench.state.reloads) > count)


async def drained(bench: Bench, running: asyncio.Task[bool], order: signal.Signals | None) -> bool:
    """By a signal, or over the admin listener."""
    if order is None:
        bench.life.drain()
        bench.life.drain()  # once is enough
    else:
        os.kill(os.getpid(), order)
    await bench.until(lambda: bench.state.phase is Phase.DRAINING)
    return await bench.end(running)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    ("order", "name", "hint", "linger"),
    [
        (signal.SIGTERM, "SIGTERM", "", True),
        (signal.SIGINT, "SIGINT", "; press Ctrl-C again to stop now", False),
        (None, "POST /drain", "", True),
    ],
)
async def test_an_end_is_told(
    bench: Bench,
    order: signal.Signals | None,
    name: str,
    hint: str,
    linger: bool,
    whole: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Who ordered it, what was in flight, and what was cut."""
    caplog.set_level("INFO", "proxy")
    bench.data_plane.flying = 2
    bench.data_plane.drained_whole = whole
    assert await drained(bench, await started(bench), order) is whole
    stopped = "stopped" if whole else "stopped with exchanges cut"
    assert lines(caplog) == [(f"draining{hint}", {"signal": name, "in_flight": 2}), (stopped, {"cut": 2})]
    assert [record.levelname for record in caplog.records] == ["INFO", "INFO" if whole else "WARNING"]
    assert ("drain" if linger else "drain without lingering") in bench.calls
    assert bench.manager.told == ["ready", "stopping, 2 in flight"]


async def test_a_start_is_announced_with_every_address() -> None:
    bench = Bench(next_public=(NEW,))
    bench.data_plane.bound = {"inbound": (HERE,), "outbound": (THERE,)}
    running = await started(bench)
    addresses = {"inbound": (HERE,), "outbound": (THERE,), "admin, public": (NEW,)}
    assert bench.announced == [(1, addresses, ADMIN)]
    assert bench.data_plane.admin == ADMIN
    assert list(bench.state.reloads) == [(1000.0, 1, "started")]
    assert await bench.end(running)


async def test_an_end_that_is_ordered_during_the_start_is_kept(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has started so is not ready for a moment."""

    async def start() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await bench.until(lambda: bench.state.phase is Phase.DRAINING)

    monkeypatch.setattr(bench.data_plane, "start", start)
    running = await started(bench)
    assert bench.state.phase is Phase.DRAINING
    assert await bench.end(running)


async def test_a_reload_is_told(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """What has changed, and which listeners are new."""
    caplog.set_level("INFO", "proxy")
    bench.data_plane.bound = {"inbound": (HERE,)}
    running = await started(bench)
    bench.level, bench.next_admin = "debug", THERE
    bench.data_plane.next_bound = {"inbound": (HERE, NEW)}
    await reloaded(bench)
    changed = "log.level: info -> debug"
    assert lines(caplog) == [
        ("listener opened", {"listener": "inbound", "address": NEW}),
        ("listener opened", {"listener": "admin", "address": THERE}),
        ("settings reloaded", {"generation": 2, "changed": changed}),
    ]
    assert bench.state.reloads[-1] == (1001.0, 2, changed)
    await bench.until(lambda: len(bench.manager.told) == 3)
    assert bench.manager.told == ["ready", "reloading", "ready"]
    await bench.end(running)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SettingsError((PROBLEM, PROBLEM)), ("a = b (from c): d", "a = b (from c): d")),
        (StartError("taken"), ("taken",)),
        (OSError("certificate gone"), ("certificate gone",)),
        (RuntimeError("x"), ("a bug of the sidecar: RuntimeError",)),
    ],
)
async def test_who_orders_a_reload_hears_its_problems(bench: Bench, error: Exception, told: tuple[str, ...]) -> None:
    """So does the history. Without problems it is done."""
    running = await started(bench)
    bench.read_error = error
    assert await asyncio.wait_for(bench.life.reload(), 5) == told
    assert bench.state.reloads[-1] == (1000.0, 0, "; ".join(told))
    bench.read_error = None
    assert await asyncio.wait_for(bench.life.reload(), 5) == ()
    assert await asyncio.wait_for(bench.life.reload(lambda number: bench.generation(number + 7)), 5) == ()
    assert bench.state.generation == 3 + 7
    await bench.end(running)
    assert await bench.life.reload() == ("the sidecar is ending",)


async def test_nobody_waits_for_a_reload_beyond_the_end() -> None:
    """Neither for one that is under way, nor for one that is to follow it."""
    bench = Bench(patience_s=5.0)
    running = await started(bench)
    begun, release = threading.Event(), threading.Event()

    def read(_: int) -> Any:
        begun.set()
        release.wait(5)

    orders = [asyncio.create_task(bench.life.reload(read))]
    await bench.until(begun.is_set)
    orders.append(asyncio.create_task(bench.life.reload()))
    await asyncio.sleep(0)
    ending = asyncio.create_task(bench.end(running))
    try:
        assert await asyncio.wait_for(asyncio.gather(*orders), 5) == [("the sidecar is ending",)] * 2
    finally:
        release.set()
        await ending


async def test_a_public_listener_opens_with_its_plan_or_not_at_all(bench: Bench) -> None:
    running = await started(bench)
    bench.next_public = (NEW,)
    bench.data_plane.refuse = StartError("taken")
    await reloaded(bench)
    bench.data_plane.refuse = None
    await reloaded(bench)
    bench.next_public = ()
    await reloaded(bench)
    opened, closed = ("admin", NEW.port), ("admin closed", NEW.port)
    assert bench.calls[2:] == [opened, closed, opened, 2, "apply 2", 3, closed, "apply 3"]
    await bench.end(running)


async def test_without_files_to_watch_only_orders_reload() -> None:
    bench = Bench(watches=False)
    running = await started(bench)
    await reloaded(bench)
    assert (bench.state.generation, bench.watch.looks) == (2, 0)
    await bench.end(running)


async def test_files_that_cannot_be_looked_at_have_not_changed() -> None:
    """As on a disk that is lost. Meanwhile the old plan stays."""
    bench = Bench(patience_s=0.01)
    bench.watch.hang = threading.Event()
    running = await started(bench)
    await bench.until(lambda: bench.watch.looks)
    await asyncio.sleep(0.04)  # longer than its patience
    assert (bench.state.generation, bench.state.reloads_failed) == (1, 0)
    bench.watch.hang.set()
    await bench.end(running)


async def test_who_outlives_its_app_says_so(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(exit_with_app_s=0.001)
    running = await started(bench)
    await bench.until(lambda: bench.data_plane.asked)
    bench.data_plane.app_is_up = False
    bench.data_plane.finish.set()
    assert await asyncio.wait_for(running, 5) is False
    assert lines(caplog)[0] == (
        "the sidecar has outlived its app and ends",
        {"lost": "its app", "after_s": 0.001},
    )
    assert "drain without lingering" in bench.calls
