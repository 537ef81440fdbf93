"""The forwarder's queue, answers and log at their edges."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest
from lab.collectors import answer, collecting
from lab.consoles import WAIT_S

from proxy.console.forward import forwarder as module
from proxy.console.forward.forwarder import ForwardCounts, Forwarder
from proxy.errors import StartError
from proxy.plan.console import ForwardPlan

HEADERS = {"Content-Type": "application/x-protobuf"}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def forwarder(port: int = 1, clock: Any = None, path: str = "", **more: Any) -> Forwarder:
    plan = ForwardPlan(url=f"http://127.0.0.1:{port}{path}", **more)
    return Forwarder(plan, chance=lambda: 0.0, **({"clock": clock} if clock else {}))


def test_a_queue_is_full_to_the_byte_and_its_overhead() -> None:
    """500 bytes are counted for each beside its body."""
    sender = forwarder(queue_bytes=1100)
    assert (sender.counts, sender.waiting_bytes) == (ForwardCounts(0, 0, {}), 0)
    sender.add("traces", b"x" * 100, HEADERS)
    assert sender.waiting_bytes == 600
    sender.add("traces", b"x", HEADERS)
    assert (sender.waiting_bytes, sender.counts.dropped) == (600, {"queue-full": 1})
    sender.add("traces", b"", HEADERS)
    assert (sender.waiting_bytes, sender.counts.dropped) == (1100, {"queue-full": 1})
    sender.add("traces", b"", HEADERS)
    assert sender.counts.dropped == {"queue-full": 2}


@pytest.mark.parametrize(
    ("status", "counts"),
    [
        (200, ForwardCounts(sent=1)),
        (299, ForwardCounts(sent=1)),
        (300, ForwardCounts(dropped={"refused-300": 1})),
        (400, ForwardCounts(dropped={"refused-400": 1})),
        (404, ForwardCounts(dropped={"refused-404": 1})),
    ],
)
def test_what_an_answer_means(status: int, counts: ForwardCounts, caplog: pytest.LogCaptureFixture) -> None:
    with collecting(answer(status)) as collector, caplog.at_level(logging.WARNING):
        sender = forwarder(collector.port)
        sender.start()
        sender.add("traces", b"body", HEADERS)
        assert collector.next()[1] == b"body"
        sender.stop(WAIT_S)
        assert (sender.counts, sender.waiting_bytes) == (counts, 0)
        told = [f"what was received cannot be forwarded to {sender._plan.url}: it answered {status}"]
    assert [record.getMessage() for record in caplog.records] == (told if counts.dropped else [])


def test_each_signal_has_its_path_below_the_url() -> None:
    with collecting() as collector:
        sender = forwarder(collector.port, path="/base/")
        sender.start()
        for signal in ("traces", "metrics", "logs"):
            sender.add(signal, b"", HEADERS)
            assert collector.next()[0].startswith(f"POST /base/v1/{signal} HTTP/1.1\r\n".encode())
        sender.stop(WAIT_S)
        assert sender.counts == ForwardCounts(sent=3)


def test_troubles_are_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    sender = forwarder(clock=clock)
    with caplog.at_level(logging.WARNING):
        for later in (0.0, 59.9, 0.1, 60.0):
            clock.now += later
            sender._tell(f"at {clock.now:g}")
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == ["at 100", "at 160", "at 220"]


@pytest.mark.parametrize(
    ("after", "give_up_s", "counts"),
    [
        ("0", 0.0, ForwardCounts(dropped={"retries-exhausted": 1})),
        ("2", 2.0, ForwardCounts(dropped={"retries-exhausted": 1})),  # it asks for more than is left
    ],
)
def test_a_collector_is_given_up_when_its_next_turn_would_come_too_late(
    after: str, give_up_s: float, counts: ForwardCounts
) -> None:
    again = f"HTTP/1.1 503 No\r\nRetry-After: {after}\r\nContent-Length: 0\r\n\r\n".encode()
    with collecting(again) as collector:
        sender = forwarder(collector.port, clock=Clock(), give_up_s=give_up_s)
        sender.add("traces", b"", HEADERS)
        sender._deliver(sender._waiting.popleft())
        sender.start()
        sender.stop(0.0)  # which closes the connection
    assert sender.counts == counts


def test_what_waits_at_the_end_is_dropped_and_counted() -> None:
    with collecting(lambda connection: None) as collector:
        sender = forwarder(collector.port, timeout_s=30.0)
        for _ in range(3):
            sender.add("traces", b"", HEADERS)
        sender.start()
        sender.stop(0.0)
        assert (sender.counts.sent, sender.counts.dropped) == (0, {"stopped": 3})
        assert sender.waiting_bytes == 0


def test_a_stop_looks_at_the_clock_ten_times_a_second() -> None:
    """So it is over a tenth of a second after its time, and cuts a request that has no answer."""
    clock, waited, is_over = Clock(), [], threading.Event()

    def wait(seconds: float) -> None:
        waited.append(seconds)
        clock.now += seconds

    with collecting(lambda connection: is_over.wait(WAIT_S)) as collector:
        sender = forwarder(collector.port, clock=clock, timeout_s=30.0)
        sender.add("traces", b"", HEADERS)
        sender.start()
        collector.next()
        sender._wake.wait = wait  # type: ignore[method-assign,assignment]  # its own thread waits for an answer
        sender.stop(0.25)
        told = sender.counts.sent, dict(sender.counts.dropped), sender.waiting_bytes
        is_over.set()
    assert waited == [0.1, 0.1, 0.1]
    assert told == (0, {"stopped": 1}, 0)


def test_the_usual_port_is_that_of_otlp() -> None:
    plan = ForwardPlan(url="http://collector", headers={"a": "b"}, timeout_s=7.0)
    endpoint = module._endpoint(plan, "logs")
    assert (endpoint.host, endpoint.port, endpoint.path, endpoint.tls) == ("collector", 4318, "/v1/logs", None)
    assert (endpoint.headers, endpoint.timeout_s) == ((("a", "b"),), 7.0)


@pytest.mark.parametrize(("verify", "mode"), [(True, 2), (False, 0)])
def test_a_certificate_is_verified_unless_told_otherwise(verify: bool, mode: int) -> None:
    context = module._endpoint(ForwardPlan(url="https://collector", verify=verify), "logs").tls
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (mode, verify)


@pytest.mark.parametrize("files", [{"ca_file": "/gone"}, {"cert_file": "/gone"}, {"ca_file": "/dev/null"}])
def test_a_certificate_that_cannot_be_read_is_told(files: dict[str, str]) -> None:
    with pytest.raises(StartError, match=r"^console\.forward\.tls: "):
        Forwarder(ForwardPlan(url="https://collector", **files))  # type: ignore[arg-type]  # by name


def test_each_failure_makes_the_next_pause_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def backoff_s(failures: int, _: object) -> float:
        asked.append(failures)
        return 0.0

    monkeypatch.setattr(module, "backoff_s", backoff_s)
    with collecting(answer(503), answer(503), answer(503)) as collector:
        sender = forwarder(collector.port)
        sender.start()
        sender.add("traces", b"", HEADERS)
        sender.stop(WAIT_S)
    assert (sender.counts, asked) == (ForwardCounts(sent=1, retries=3), [1, 2, 3])


def test_a_collector_that_names_no_pause_is_asked_again_after_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "backoff_s", lambda *_: 0.0)
    with collecting(answer(503)) as collector:
        sender = forwarder(collector.port, clock=Clock(), give_up_s=0.9)
        sender.start()
        sender.add("traces", b"", HEADERS)
        sender.stop(WAIT_S)
    assert sender.counts == ForwardCounts(sent=1, retries=1)
