"""What the log says of an upstream that fails: that it does, and when it is back, never for each request."""

from __future__ import annotations

import pytest

from proxy.listener.upstream_health import TELL_EVERY_S, UpstreamHealth, UpstreamHealths
from proxy.semantics.faults import Fault, Refusal

REFUSED = Refusal(Fault.CONNECTION_REFUSED, "127.0.0.1:1 refused")


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, object]]]:
    return [(record.msg, record.fields) for record in caplog.records]  # type: ignore[attr-defined]  # ours


def test_a_failure_and_the_end_of_it_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    health = UpstreamHealth("billing", is_one=True)
    for second in range(30):
        health.failed(REFUSED, 100.0 + second)
    assert health.is_failing
    health.succeeded(130.04)
    assert not health.is_failing
    assert told(caplog) == [
        (
            "an upstream fails",
            {"upstream": "billing", "fault": "connection-refused", "detail": "127.0.0.1:1 refused", "failures": 1},
        ),
        ("an upstream is back", {"upstream": "billing", "after_s": 30.0, "further_failures": 29}),
    ]


def test_a_long_failure_is_told_again_each_minute_with_its_number(caplog: pytest.LogCaptureFixture) -> None:
    health = UpstreamHealth("billing", is_one=True)
    for second in range(int(2 * TELL_EVERY_S) + 1):
        health.failed(REFUSED, float(second))
    assert [fields["failures"] for _, fields in told(caplog)] == [1, 60, 60]
    health.succeeded(2 * TELL_EVERY_S + 1)
    assert told(caplog)[-1][1]["after_s"] == 2 * TELL_EVERY_S + 1


def test_an_upstream_that_comes_and_goes_is_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    health = UpstreamHealth("billing", is_one=True)
    for second in range(int(TELL_EVERY_S)):
        health.failed(REFUSED, float(second))
        if health.is_failing:
            health.succeeded(second + 0.5)
    assert [message for message, _ in told(caplog)] == ["an upstream fails", "an upstream is back"]


@pytest.mark.parametrize("fault", [Fault.CLIENT_GONE, Fault.BODY_TOO_LARGE, Fault.REQUEST_TIMEOUT, Fault.STOPPED])
def test_what_is_not_the_upstreams_fault_is_not_told(fault: Fault, caplog: pytest.LogCaptureFixture) -> None:
    health = UpstreamHealth("billing", is_one=True)
    health.failed(Refusal(fault, ""), 0.0)
    assert not told(caplog)
    assert not health.is_failing


def test_of_many_targets_none_is_said_to_be_back(caplog: pytest.LogCaptureFixture) -> None:
    """A success of one says nothing about another."""
    health = UpstreamHealth("other", is_one=False)
    health.failed(REFUSED, 0.0)
    assert [message for message, _ in told(caplog)] == ["an upstream fails"]
    assert not health.is_failing


def test_an_upstream_is_the_same_on_every_listener() -> None:
    healths = UpstreamHealths()
    assert healths.of("a", is_one=True) is healths.of("a", is_one=True)
    assert healths.of("a", is_one=True) is not healths.of("b", is_one=True)
