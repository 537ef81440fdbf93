"""Pausing for several reasons at once; progress of a slow reader."""

from __future__ import annotations

from typing import Any

from proxy.transport.flow import BEHIND, OTHER_SIDE_FULL, Flow


class Transport:
    def __init__(self) -> None:
        self.calls: list[str] = []
        self.left = 0
        self.closing = False

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return self.left


def flow() -> tuple[Flow, Any]:
    transport: Any = Transport()
    return Flow(transport), transport


def test_reading_goes_on_when_the_last_reason_is_gone() -> None:
    throttle, transport = flow()
    throttle.pause(OTHER_SIDE_FULL, True)
    throttle.pause(BEHIND, True)
    throttle.pause(OTHER_SIDE_FULL, False)
    assert throttle.paused
    throttle.pause(BEHIND, False)
    assert transport.calls == ["pause", "resume"]


def test_all_reasons_at_once() -> None:
    throttle, transport = flow()
    throttle.resume()
    assert transport.calls == []
    throttle.pause(OTHER_SIDE_FULL, True)
    throttle.pause(BEHIND, True)
    throttle.resume()
    assert not throttle.paused
    assert transport.calls == ["pause", "resume"]


def test_a_closing_transport_is_left_alone() -> None:
    throttle, transport = flow()
    transport.closing = True
    throttle.pause(BEHIND, True)
    assert transport.calls == []


def test_progress() -> None:
    """Less than before is progress; the same, or nothing left to read, is not."""
    throttle, transport = flow()
    assert not throttle.is_stalled
    transport.left = 100
    throttle.stall()
    assert throttle.is_stalled
    assert not throttle.has_moved()
    transport.left = 99
    assert throttle.has_moved()
    assert not throttle.has_moved()
    throttle.unstall()
    assert not throttle.is_stalled
    transport.left = 1
    assert throttle.has_moved(), "judged anew"
    transport.left = 0
    assert not throttle.has_moved()


def test_what_is_written_to_a_stalled_peer_does_not_count_against_it() -> None:
    throttle, transport = flow()
    transport.left = 100
    throttle.owe(7)  # it keeps up
    assert throttle.has_moved()
    throttle.stall()
    throttle.owe(50)
    transport.left = 140
    assert throttle.has_moved(10)
    transport.left = 131
    assert not throttle.has_moved(10)
    assert not throttle.has_moved(0), "a byte is the least"
    transport.left = 130
    assert throttle.has_moved(0)


def test_who_pauses_is_told_when_reading_pauses_and_goes_on() -> None:
    """Once for all reasons."""
    transport: Any = Transport()
    told: list[bool] = []
    throttle = Flow(transport, told.append)
    for reason, on in ((BEHIND, True), (OTHER_SIDE_FULL, True), (BEHIND, False), (BEHIND, False)):
        throttle.pause(reason, on)
        assert told == [True]
    assert repr(throttle) == "<Flow paused (1), writing>"
    throttle.pause(OTHER_SIDE_FULL, False)
    assert told == [True, False]
    throttle.stall()
    assert repr(throttle) == "<Flow reading, stalled>"
