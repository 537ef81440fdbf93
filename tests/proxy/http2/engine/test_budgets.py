"""A budget is a rate, with room for a burst."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.http2.engine.budgets import Bucket, budgets


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


def test_a_clock_that_goes_back_a_little_takes_nothing_away() -> None:
    bucket = Bucket(2, 30)
    assert [bucket.spend(1.0), bucket.spend(0.99), bucket.spend(0.98)] == [True, True, False]


def test_what_came_while_there_was_too_little_is_kept() -> None:
    bucket = Bucket(1, 10)
    assert [bucket.spend(at) for at in (8.0, 8.0625, 8.125)] == [True, False, True]


def test_a_cost_of_several_is_paid_at_once() -> None:
    bucket = Bucket(10, 0)
    assert [bucket.spend(0, 4.0), bucket.spend(0, 7.0), bucket.spend(0, 6.0), bucket.spend(0)] == [
        True, False, True, False,
    ]  # fmt: skip


def test_what_was_earned_counts_once() -> None:
    bucket = Bucket(3, 0)
    bucket.spend(0, 3.0)
    bucket.earned += 2
    assert [bucket.spend(0) for _ in range(3)] == [True, True, False]


def test_the_connections_of_1024_clients_share_theirs() -> None:
    of = budgets()
    first = of(b"a", 2, 1)
    assert of(b"a", 2, 1) is first
    assert len({id(one) for one in (first, of(b"b", 2, 1), of(b"a", 3, 1), of(b"a", 2, 2))}) == 4
    assert [of(b"a", 2, 1).spend(5.0) for _ in range(3)] == [True, True, False]
    for number in range(1020):
        of(b"%d" % number, 2, 1)
    assert of(b"a", 2, 1) is first
    for number in range(1024):
        of(b"%d" % number, 2, 1)
    assert of(b"a", 2, 1) is not first
