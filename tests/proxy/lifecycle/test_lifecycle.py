"""The life of a sidecar, with stand-ins for what it owns: the order of things, and what a failure leaves behind."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator

import pytest
from lab.lives import ADMIN, Bench, started

from proxy.errors import SettingsError, SettingsProblem, StartError
from proxy.plan import Address
from proxy.telemetry.state import Phase


@pytest.fixture
async def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize(
    ("number", "drain"),
    [(signal.SIGTERM, "drain"), (signal.SIGINT, "drain without lingering")],  # at Ctrl-C a person waits for the end
)
async def test_from_start_to_end(
    bench: Bench, number: signal.Signals, drain: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    running = await started(bench)
    assert bench.state.phase is Phase.READY
    assert bench.state.generation == 1
    assert bench.state.started_time_s == 1000.0
    os.kill(os.getpid(), number)
    await bench.until(lambda: drain in bench.calls)
    assert bench.state.phase is Phase.DRAINING  # at once, before anything else ends
    assert ("admin closed", 1) not in bench.calls  # it answers until the end
    assert await bench.end(running) is True
    assert bench.calls == ["start", ("admin", 1), drain, "stop", ("admin closed", 1)]
    assert bench.state.phase is Phase.STOPPED
    assert any(record.getMessage().startswith("draining") for record in caplog.records)


async def test_the_admin_listener_passes_on_to_the_next_process() -> None:
    """At once, so that probes hear of the one that is ready. Only if another may listen there."""
    bench = Bench(reuse_port=True, next_public=(Address("0.0.0.0", 2),))
    assert await bench.end(await started(bench)) is True
    passed = ["admin passes on"] * 2  # the public one as well
    closed = [("admin closed", 1), ("admin closed", 2)]
    assert bench.calls == ["start", ("admin", 1), ("admin", 2), *passed, "drain", "stop", *closed]


async def test_a_cut_drain_is_told(bench: Bench) -> None:
    bench.data_plane.drained_whole = False
    assert await bench.end(await started(bench)) is False


@pytest.mark.parametrize(("flying", "whole"), [(0, True), (1, False)])
async def test_a_second_interrupt_stops_now(bench: Bench, flying: int, whole: bool) -> None:
    running = await started(bench)
    bench.data_plane.flying = flying
    os.kill(os.getpid(), signal.SIGINT)
    await bench.until(lambda: "drain without lingering" in bench.calls)
    os.kill(os.getpid(), signal.SIGINT)
    async with asyncio.timeout(5):
        assert await running is whole
    assert bench.calls[-2:] == ["stop", ("admin closed", 1)]


async def test_a_second_term_does_not_cut_the_drain(bench: Bench) -> None:
    running = await started(bench)
    os.kill(os.getpid(), signal.SIGTERM)
    await bench.until(lambda: "drain" in bench.calls)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0)
    assert not running.done()
    assert await bench.end(running) is True


async def test_what_cannot_start_is_cleaned_up(bench: Bench) -> None:
    bench.data_plane.refuse = StartError("taken")
    with pytest.raises(StartError, match="taken"):
        await bench.life.run()
    assert bench.calls == ["start", "stop"]


async def test_an_admin_that_cannot_start_stops_the_data_plane(bench: Bench) -> None:
    bench.refuse_admin.append(ADMIN)
    with pytest.raises(StartError, match="admin"):
        await bench.life.run()
    assert bench.calls[:2] == ["start", "stop"]


@pytest.mark.parametrize("by_signal", [True, False])
async def test_a_reload_makes_a_new_plan(bench: Bench, by_signal: bool) -> None:
    running = await started(bench)
    if by_signal:
        os.kill(os.getpid(), signal.SIGHUP)
    else:
        bench.watch.change = True
    await bench.until(lambda: bench.state.reloads_ok)
    assert bench.calls[2:] == [2, "apply 2"]
    assert (bench.state.generation, bench.state.reloads_failed) == (2, 0)
    assert bench.state.reload_success_time_s == 1000.0 + 1
    await bench.end(running)


@pytest.mark.parametrize(
    "error",
    [
        SettingsError((SettingsProblem("a", "b", "c", "d"), SettingsProblem("e", "f", "g", "h"))),
        OSError("certificate gone"),
        RuntimeError("a bug"),
    ],
)
async def test_bad_settings_keep_the_old_plan_and_say_why(
    bench: Bench, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    running = await started(bench)
    bench.read_error = error
    os.kill(os.getpid(), signal.SIGHUP)
    await bench.until(lambda: bench.state.reloads_failed)
    assert (bench.state.generation, bench.state.reload_success_time_s) == (1, 1000.0)
    assert bench.state.phase is Phase.READY
    assert "settings not reloaded, the old ones stay" in caplog.text
    assert len(caplog.records) == (2 if isinstance(error, SettingsError) else 1)
    bench.read_error = None
    os.kill(os.getpid(), signal.SIGHUP)
    await bench.until(lambda: bench.state.reloads_ok)
    assert bench.state.generation == 2
    await bench.end(running)


async def test_a_plan_that_cannot_be_bound_keeps_the_old_one(bench: Bench) -> None:
    running = await started(bench)
    bench.data_plane.refuse = StartError("taken")
    bench.next_admin = Address("127.0.0.1", 2)
    os.kill(os.getpid(), signal.SIGHUP)
    await bench.until(lambda: bench.state.reloads_failed)
    assert bench.calls[2:] == [("admin", 2), ("admin closed", 2)]  # the new one goes again, the old one stays
    bench.data_plane.refuse = None
    await bench.end(running)
    assert bench.calls[-1] == ("admin closed", 1)


async def test_an_admin_that_cannot_move_keeps_the_old_plan(bench: Bench) -> None:
    running = await started(bench)
    bench.next_admin = Address("127.0.0.1", 2)
    bench.refuse_admin.append(bench.next_admin)
    os.kill(os.getpid(), signal.SIGHUP)
    await bench.until(lambda: bench.state.reloads_failed)
    assert bench.calls[2:] == []
    await bench.end(running)


@pytest.mark.parametrize("there", [Address("127.0.0.1", 2), None])
async def test_the_admin_listener_moves_or_goes(bench: Bench, there: Address | None) -> None:
    running = await started(bench)
    bench.next_admin = there
    os.kill(os.getpid(), signal.SIGHUP)
    await bench.until(lambda: bench.state.reloads_ok)
    moved: list[object] = [("admin", 2)] if there else []
    assert bench.calls[2:] == [*moved, 2, "apply 2", ("admin closed", 1)]
    assert bench.data_plane.admin == there, "nobody is to reach it by way of the data plane"
    await bench.end(running)


async def test_an_unchanged_file_is_not_read(bench: Bench) -> None:
    running = await started(bench)
    await bench.until(lambda: bench.watch.looks > 2)
    assert bench.calls == ["start", ("admin", 1)]
    await bench.end(running)


async def test_a_failed_reload_leaves_the_admin_listener_where_it_is(bench: Bench) -> None:
    """It has not moved, and so there is nothing to take back."""
    running = await started(bench)
    bench.data_plane.refuse = StartError("taken")
    os.kill(os.getpid(), signal.SIGHUP)
    await bench.until(lambda: bench.state.reloads_failed)
    assert bench.calls[2:] == []
    bench.data_plane.refuse = None
    await bench.end(running)


async def test_a_reload_says_which_keys_have_changed(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "proxy")
    running = await started(bench)
    bench.level = "debug"
    os.kill(os.getpid(), signal.SIGHUP)
    await bench.until(lambda: bench.state.reloads_ok == 1)
    os.kill(os.getpid(), signal.SIGHUP)
    await bench.until(lambda: bench.state.reloads_ok == 2)
    told = [record.fields["changed"] for record in caplog.records if record.msg == "settings reloaded"]  # type: ignore[attr-defined] - ours
    assert told == ["log.level: info -> debug", "nothing"]
    await bench.end(running)


async def test_too_many_problems_are_counted(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    running = await started(bench)
    bench.read_error = SettingsError((SettingsProblem("a", "b", "c", "d"),), 7)
    os.kill(os.getpid(), signal.SIGHUP)
    await bench.until(lambda: bench.state.reloads_failed)
    told = [str(record.fields["problem"]) for record in caplog.records]  # type: ignore[attr-defined] - ours
    assert told == ["a = b (from c): d", "and 7 more"]
    await bench.end(running)


@pytest.fixture
def hanging(bench: Bench) -> Iterator[Bench]:
    """Its next readings hang until the test is over."""
    bench.hang = threading.Event()
    yield bench
    bench.hang.set()


async def test_a_reading_that_hangs_does_not_hold_up_the_end(hanging: Bench) -> None:
    running = await started(hanging)
    os.kill(os.getpid(), signal.SIGHUP)
    await hanging.until(lambda: threading.active_count() > 1)
    assert await hanging.end(running) is True
    assert hanging.calls[-2:] == ["stop", ("admin closed", 1)]


async def test_a_reading_that_hangs_is_given_up_and_told(hanging: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """And no second one is started beside it: they would pile up."""
    running = await started(hanging)
    threads = set(threading.enumerate())
    for times in (1, 2):
        os.kill(os.getpid(), signal.SIGHUP)
        await hanging.until(lambda times=times: hanging.state.reloads_failed == times)
    assert "reading them has taken more than 0.2 s" in str(caplog.records[0].fields["problem"])  # type: ignore[attr-defined] - ours
    assert "has not finished yet" in str(caplog.records[1].fields["problem"])  # type: ignore[attr-defined] - ours
    assert len([one for one in threading.enumerate() if one not in threads and one.name == "settings"]) <= 1
    assert hanging.hang is not None
    hanging.hang.set()
    await hanging.until(lambda: not any(one.name == "settings" for one in threading.enumerate()))
    os.kill(os.getpid(), signal.SIGHUP)
    await hanging.until(lambda: hanging.state.reloads_ok)
    assert await hanging.end(running) is True


@pytest.mark.slow
async def test_a_sidecar_ends_when_its_app_has_been_gone_for_long(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """By a drain that waits for no app, and with a failure, so that every restart policy brings it back."""
    running = await started(bench)
    bench.exit_with_app_s = 0.05
    os.kill(os.getpid(), signal.SIGHUP)  # the setting takes effect by a reload too
    await bench.until(lambda: bench.state.reloads_ok)
    await bench.until(lambda: bench.data_plane.asked)
    bench.data_plane.app_is_up = False
    await bench.until(lambda: "drain without lingering" in bench.calls)
    assert bench.state.phase is Phase.DRAINING
    assert await bench.end(running) is False
    assert "the sidecar has outlived its app and ends" in caplog.text
