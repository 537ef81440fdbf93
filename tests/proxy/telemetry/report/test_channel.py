"""The way to a console: bounded in exchanges a second, with room of its own for what is of note."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from lab.collectors import answer, collecting
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from proxy.plan import Endpoint
from proxy.plan.report import ReportPlan
from proxy.telemetry.exposition import Family, Sample
from proxy.telemetry.otlp.metric import metrics
from proxy.telemetry.report.channel import Channel, Source
from proxy.telemetry.report.record import document


def plan(port: int, **more: float) -> ReportPlan:
    logs = Endpoint("127.0.0.1", port, "/v1/logs")
    return ReportPlan(logs=logs, exchanges_per_second=more.pop("rate", 1.0), flush_s=0.1, **more)  # type: ignore[arg-type]


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


def test_it_has_a_name_before_anybody_is_told() -> None:
    assert [len(Channel("1").instance) for _ in range(2)] == [16, 16]
    assert Channel("1").instance != Channel("1").instance


async def test_another_life_begins_when_nobody_was_told_for_a_while() -> None:
    """Its counters start again, and so does the time that they speak of."""
    times = iter((1.0, 2.0, 3.0, 4.0))
    channel = Channel("1", lambda: next(times))
    with collecting() as console:
        channel.use(plan(console.port))
        first = channel.instance, channel.started
        channel.formats.add(("in", "", "", "app", "", "b3", ""), 1.0)
        channel.has_room(False)
        channel.add(document("ops.exchange", 1, "{}"))
        assert (channel.seen, channel.reported) == (1, 1)
        channel.use(ReportPlan())
        channel.use(plan(console.port))
        assert (channel.seen, channel.reported) == (0, 0)
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


class Told(Source):
    """Writes down for what it is asked, and gives one document each time."""

    def __init__(self) -> None:
        self.asked: list[tuple[bool, bool]] = []

    def documents(self, *, is_new: bool, is_final: bool) -> Sequence[bytes]:
        self.asked.append((is_new, is_final))
        return [document("ops.told", 1, "{}")]


def test_who_has_nothing_to_tell_tells_nothing() -> None:
    assert (*Source().documents(is_new=True, is_final=False), *Source().metrics()) == ()


async def test_what_was_sent_and_what_waits_is_counted() -> None:
    """Over reloads to other consoles, too."""
    channel = Channel("1")
    channel.tell_from(Told())
    with collecting() as one, collecting() as other:
        for number, console in enumerate((one, other)):
            channel.use(plan(console.port))
            channel.on_tick(asyncio.get_running_loop().time())
            channel.add(document("ops.exchange", 1, "{}"))
            assert channel.sent().waiting_bytes > 0
            channel.use(plan(console.port))
            channel.on_tick(asyncio.get_running_loop().time() + 99)
            async with asyncio.timeout(5):
                while channel.sent().waiting_bytes:  # noqa: ASYNC110 - the sending thread has no event for it
                    await asyncio.sleep(0.001)
            assert channel.sent().sent == number * 4 + 3
        await channel.stop()
        assert channel.sent() == (8, {}, 0)


async def test_everything_is_told_anew_each_minute_and_what_has_changed_each_interval() -> None:
    """At a reload, too. The last report is the final one."""
    channel, told = Channel("1"), Told()
    channel.tell_from(told)
    with collecting() as console:
        channel.use(plan(console.port, interval_s=10.0))
        for now in (1000.0, 1009.9, 1010.0, 1059.9, 1060.0, 1060.1, 1069.9):
            channel.on_tick(now)
        assert told.asked == [(True, False), (False, False), (False, False), (True, False)]
        told.asked.clear()
        channel.use(plan(console.port, interval_s=10.0))
        channel.on_tick(1071.0)
        assert told.asked == [(True, False)]
        told.asked.clear()
        await channel.stop()
        assert told.asked == [(False, True)]


@pytest.mark.parametrize(("interval_s", "anew_s"), [(1.0, 60.0), (59.0, 60.0), (61.0, 61.0), (90.0, 90.0)])
async def test_all_is_told_anew_after_a_minute_or_a_longer_interval(interval_s: float, anew_s: float) -> None:
    channel, told = Channel("1"), Told()
    channel.tell_from(told)
    with collecting() as console:
        channel.use(plan(console.port, interval_s=interval_s))
        for now in (1000.0, 1000.0 + anew_s - interval_s, 1000.0 + anew_s):
            channel.on_tick(now)
        is_between = anew_s > interval_s and anew_s - interval_s >= interval_s
        assert told.asked == [(True, False), *[(False, False)] * is_between, (True, False)]
        await channel.stop()


async def test_a_console_that_drips_its_answer_is_left_by_the_tick() -> None:
    """That of records, and that of metrics."""
    for kind in ("logs", "metrics"):
        channel, source, left = Channel("1"), Counting(), threading.Event()
        channel.tell_from(source)

        def drip(connection: socket.socket, left: threading.Event = left) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            connection.settimeout(0.05)
            with contextlib.suppress(ConnectionError):
                while not left.is_set():
                    with contextlib.suppress(TimeoutError):
                        if not connection.recv(1):
                            break
                    connection.sendall(b"x")
            left.set()

        with collecting(drip) as slow, collecting() as other:
            ends = Endpoint("127.0.0.1", slow.port, "/", timeout_s=0.2), Endpoint("127.0.0.1", other.port, "/")
            logs, metrics_to = ends if kind == "logs" else reversed(ends)
            channel.use(ReportPlan(logs=logs, metrics=metrics_to, flush_s=0.1, interval_s=1000.0))
            channel.add(document("ops.exchange", 1, "{}"))
            channel.on_tick(1000.0)
            await asyncio.to_thread(slow.next)
            async with asyncio.timeout(5):
                while not left.is_set():
                    channel.on_tick(1000.1)
                    await asyncio.sleep(0.01)
            await channel.stop()


async def test_a_rate_is_of_a_second_and_two_seconds_worth_may_come_at_once() -> None:
    channel = Channel("1")
    with collecting() as console:
        channel.use(plan(console.port, rate=3.0))
        channel.on_tick(1000.0)
        assert sum(channel.has_room(False) for _ in range(99)) == 6
        channel.on_tick(1001.0)
        assert sum(channel.has_room(False) for _ in range(99)) == 3
        channel.on_tick(1099.0)
        assert sum(channel.has_room(False) for _ in range(99)) == 6
        assert sum(channel.has_room(True) for _ in range(99)) == 6
        assert channel.seen == 4 * 99
        await channel.stop()


async def test_exchanges_leave_a_quarter_of_the_room_to_periodic_reports() -> None:
    channel, told = Channel("1"), Told()
    channel.tell_from(told)
    with collecting() as console:
        channel.use(plan(console.port, queue_bytes=4000))
        entry = document("ops.exchange", 1, "x" * 100)
        while not channel.dropped:
            channel.add(entry)
        assert channel.dropped == {"queue-full": 1}
        held = channel.sent().waiting_bytes
        assert 3000 < held <= 3000 + held // channel.reported
        channel.on_tick(1000.0)
        assert channel.sent().dropped == {"queue-full": 1}
        await channel.stop()


async def test_where_no_console_is_told_an_exchange_is_nothing() -> None:
    channel = Channel("1")
    channel.add(document("ops.exchange", 1, "{}"))
    assert (channel.is_on, channel.reported, channel.sent()) == (False, 0, (0, {}, 0))


def records(body: bytes) -> int:
    """How many log records a request has."""
    (resource,) = ExportLogsServiceRequest.FromString(gzip.decompress(body)).resource_logs
    return sum(len(scope.log_records) for scope in resource.scope_logs)


async def test_exchanges_are_sent_each_half_a_second() -> None:
    """Those of the time between together."""
    channel = Channel("1")
    with collecting() as console:
        logs = Endpoint("127.0.0.1", console.port, "/v1/logs", gzip=True)
        channel.use(ReportPlan(logs=logs, flush_s=1.0))
        channel.on_tick(1000.0)
        entry = document("ops.exchange", 1, "{}")
        channel.add(entry)
        channel.on_tick(1000.4)
        channel.add(entry)
        channel.on_tick(1000.5)
        channel.add(entry)
        channel.on_tick(1000.9)
        channel.on_tick(1001.0)
        assert [records(console.next()[1]) for _ in range(2)] == [2, 1]
        await channel.stop()


async def test_our_own_faults_are_counted_with_what_was_dropped() -> None:
    channel = Channel("1")
    channel.failed("KeyError")
    channel.failed("KeyError")
    channel.failed("ValueError")
    assert channel.sent() == (0, {"KeyError": 2, "ValueError": 1}, 0)
    assert channel.interval_s == 10.0


async def test_the_end_holds_up_nobody_while_a_console_says_nothing() -> None:
    channel, leave = Channel("1"), threading.Event()
    with collecting(*[lambda _: (leave.wait(20), None)[1]] * 4) as console:
        channel.use(plan(console.port))
        channel.on_tick(asyncio.get_running_loop().time())
        channel.add(document("ops.exchange", 1, "{}"))
        stopping = asyncio.create_task(channel.stop())
        turns = 0
        while not stopping.done():
            await asyncio.sleep(0.005)
            turns += 1
        leave.set()
        assert turns > 5
        assert channel.sent().dropped == {"stopped": 1}
        assert channel.sent().waiting_bytes == 0


async def test_who_reports_is_told_beside_what_the_settings_say() -> None:
    channel = Channel("1")
    with collecting() as console:
        logs = Endpoint("127.0.0.1", console.port, "/v1/logs", gzip=True)
        resource = (("service.name", "shop"), ("host.name", "own"))
        channel.use(ReportPlan(logs=logs, resource=resource, flush_s=1.0))
        channel.add(document("ops.exchange", 1, "{}"))
        channel.on_tick(1000.0)
        (told,) = ExportLogsServiceRequest.FromString(gzip.decompress(console.next()[1])).resource_logs
        said = {each.key: each.value.string_value for each in told.resource.attributes}
        assert (said["service.name"], said["host.name"], said["ops.report.version"]) == ("shop", "own", "1")
        assert said["ops.instance"] == said["service.instance.id"] == channel.instance
        assert len(channel.instance) == 16
        assert told.scope_logs[0].scope.name == "ops-sidecar.report"
        await channel.stop()


async def test_what_former_consoles_refused_adds_up() -> None:
    channel = Channel("1")
    with collecting(answer(400)) as one, collecting(answer(400)) as other, collecting() as last:
        for console in (one, other, last):
            channel.use(plan(console.port))
            channel.add(document("ops.exchange", 1, "{}"))
            channel.add(document("ops.exchange", 1, "{}"))
        async with asyncio.timeout(5):
            while channel.sent().dropped != {"refused-400": 4}:
                channel.on_tick(asyncio.get_running_loop().time())
                await asyncio.sleep(0.002)
        await channel.stop()
        assert channel.sent() == (2, {"refused-400": 4}, 0)


class Counting(Source):
    """Metrics that are numbered."""

    def __init__(self) -> None:
        self.number = 0

    def metrics(self) -> Sequence[bytes]:
        self.number += 1
        return metrics([Family("x", "gauge", "X.", [Sample((), self.number)])], 0, 1)


async def test_metrics_are_reported_each_interval_unless_the_last_still_wait() -> None:
    """Counters are cumulative: only a point in time is lost."""
    channel, source, leave = Channel("1"), Counting(), threading.Event()
    channel.tell_from(source)
    wait: list[Callable[[socket.socket], None]] = [lambda one: (leave.wait(20), one.sendall(answer(200)))[1]]
    with collecting() as console, collecting(*wait) as slow:
        endpoint = Endpoint("127.0.0.1", slow.port, "/v1/metrics")
        channel.use(replace(plan(console.port), metrics=endpoint, flush_s=1.0, interval_s=10.0))
        for now in (1000.0, 1009.9, 1010.0):
            channel.on_tick(now)
        assert source.number == 1
        head, body = await asyncio.to_thread(slow.next)
        assert head.startswith(b"POST /v1/metrics ")
        (told,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
        assert [one.gauge.data_points[0].as_int for one in told.scope_metrics[0].metrics] == [1]
        leave.set()
        async with asyncio.timeout(5):
            now = 1020.0
            while source.number == 1:
                channel.on_tick(now)
                now += 10.0
                await asyncio.sleep(0.001)
        await channel.stop()
