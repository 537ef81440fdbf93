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
    assert throttle.has_moved(), "judged anew"
    transport.left = 0
    assert not throttle.has_moved()
