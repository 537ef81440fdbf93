"""Failures of tracing in the log: each kind once a minute, with how often it came in between."""

from __future__ import annotations

import logging

import pytest

import ops_lib as ops
from ops_lib.spans.failures import INTERVAL_S, MAX_KINDS, Failures


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_once_a_minute_with_how_often_it_came_since(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    failures = Failures(clock)
    for second in (0, 1, INTERVAL_S - 0.1, INTERVAL_S, INTERVAL_S + 1, 5 * INTERVAL_S, 9 * INTERVAL_S):
        clock.now_s = second
        failures.tell("broken: %s", second, traceback=False)
    since = "times more since the last such message"
    assert [record.getMessage() for record in caplog.records] == [
        "broken: 0",
        f"broken: 60.0 (and 2 {since})",
        f"broken: 300.0 (and 1 {since})",
        "broken: 540.0",
    ]


def test_each_kind_for_itself_with_its_level_and_traceback(caplog: pytest.LogCaptureFixture) -> None:
    failures = Failures(Clock())
    try:
        raise ValueError("bad")
    except ValueError:
        for _ in range(2):
            failures.tell("one")
            failures.tell("other", level=logging.WARNING, traceback=False)
    one, other = caplog.records
    assert (one.levelno, one.exc_info is not None) == (logging.ERROR, True)
    assert (other.levelno, bool(other.exc_info)) == (logging.WARNING, False)


def test_no_more_kinds_are_remembered_than_its_bound() -> None:
    failures = Failures(Clock())
    for number in range(10 * MAX_KINDS):
        failures.untold(f"kind {number}")
        assert len(failures._told) <= MAX_KINDS


def test_a_carrier_that_fails_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(dict[str, str]):
        def items(self) -> object:  # type: ignore[override]  # this is the test
            raise RuntimeError("broken")

        def keys(self) -> object:  # type: ignore[override]  # the same
            raise RuntimeError("broken")

    for _ in range(5):
        ops.extract_context(Broken(a="b"))
        with ops.span("s"):
            ops.inject_context(Broken(a="b"))
    read, written = (record.getMessage() for record in caplog.records)
    assert read.startswith("could not read headers from")
    assert written.startswith("could not write headers into")
