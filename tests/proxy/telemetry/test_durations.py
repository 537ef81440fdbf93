"""Durations: which bucket they belong to, and how many series there may be."""

from __future__ import annotations

import pytest

from proxy.telemetry.durations import BOUNDS_S, MOST_SERIES, OTHERS, Durations, Exemplar, Key, Series, total, within


def key(method: bytes = b"GET", status: int = 200, host: bytes = b"") -> Key:
    return method, status, "", b"1.1", b"", host, False


def test_a_duration_on_a_bound_belongs_to_the_bucket_that_it_closes() -> None:
    """What is above all bounds belongs to the last one."""
    series = Series()
    for duration_s in (0.0, 0.001, 0.0011, 60.0, 61.0):
        series.observe(duration_s)
    assert series.counts[0] == 2
    assert series.counts[1] == 1
    assert series.counts[len(BOUNDS_S) - 1] == 1
    assert series.counts[-1] == 1
    assert series.count == 5
    assert series.sum_s == pytest.approx(121.0021)


def test_senders_cannot_make_up_methods() -> None:
    durations = Durations()
    durations.of(key(b"BREW")).observe(1.0)
    durations.of(key(b"PURGE")).observe(1.0)
    assert list(durations.series) == [key(b"_OTHER")]
    assert durations.series[key(b"_OTHER")].count == 2


def test_the_first_request_may_be_one_of_those_that_have_no_series() -> None:
    durations = Durations()
    durations.of(OTHERS).observe(1.0)
    durations.of(OTHERS).observe(1.0)
    assert {key: series.count for key, series in durations.series.items()} == {(b"_OTHER", *OTHERS[1:]): 2}


def test_what_no_series_has_room_for_is_counted_in_one() -> None:
    durations = Durations()
    for number in range(MOST_SERIES + 50):
        durations.of(key(host=b"host-%d" % number)).observe(1.0)
    assert len(durations.series) == MOST_SERIES + 1
    assert durations.series[OTHERS].count == 50
    durations.of(key(host=b"host-0")).observe(1.0)
    assert durations.series[key(host=b"host-0")].count == 2


def test_fewer_bounds_hold_the_same_durations() -> None:
    series = Series()
    for time_ns, duration_s in enumerate((0.0005, 0.004, 0.005, 0.2, 70.0)):
        bucket = series.observe(duration_s)
        series.exemplars[bucket] = Exemplar(duration_s, b"1" * 32, b"2" * 16, time_ns)
    buckets = within(series, (0.005, 0.5))
    assert [(bound, number, exemplar and exemplar.value_s) for bound, number, exemplar in buckets] == [
        (0.005, 3, 0.005),
        (0.5, 1, 0.2),
        (float("inf"), 1, 70.0),
    ]


def test_the_newest_example_of_all_stays() -> None:
    old, new = Series(), Series()
    for series, time_ns in ((new, 2), (old, 1)):
        series.exemplars[series.observe(1.0)] = Exemplar(1.0, b"1" * 32, b"2" * 16, time_ns)
    both = total([new, old])
    assert (both.count, both.sum_s) == (2, 2.0)
    assert [exemplar[3] for exemplar in both.exemplars.values()] == [2]


def test_of_two_examples_of_one_moment_ours_stays() -> None:
    ours, theirs = Series(), Series()
    for series, trace_id in ((ours, b"1" * 32), (theirs, b"3" * 32)):
        series.exemplars[series.observe(1.0)] = Exemplar(1.0, trace_id, b"2" * 16, 1)
    ours.add(theirs)
    assert [exemplar.trace_id for exemplar in ours.exemplars.values()] == [b"1" * 32]
