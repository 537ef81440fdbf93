"""A budget is a rate, with room for a burst."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.http2.engine.budgets import Bucket


def test_a_burst_and_then_the_rate() -> None:
    bucket = Bucket(100, 30)
    assert all(bucket.spend(5.0) for _ in range(100))
    assert not bucket.spend(5.0)
    assert all(bucket.spend(6.0) for _ in range(30))
    assert not bucket.spend(6.0)


def test_a_long_pause_gives_no_more_than_the_burst() -> None:
    bucket = Bucket(2, 30)
    assert [bucket.spend(1e9) for _ in range(3)] == [True, True, False]


def test_useful_frames_earn_tokens() -> None:
    bucket = Bucket(1, 0)
    assert bucket.spend(0)
    assert not bucket.spend(0)
    bucket.earned += 1
    assert bucket.spend(0)


@given(st.lists(st.floats(0, 0.1), max_size=200))
def test_never_more_than_burst_and_rate_allow(pauses: list[float]) -> None:
    bucket, now, spent = Bucket(10, 20), 0.0, 0
    for pause in pauses:
        now += pause
        spent += bucket.spend(now)
        assert spent <= 10 + 20 * now + 1e-6


def test_a_clock_that_goes_back_takes_nothing_away() -> None:
    bucket = Bucket(2, 30)
    assert bucket.spend(100.0)
    assert bucket.spend(50.0)
