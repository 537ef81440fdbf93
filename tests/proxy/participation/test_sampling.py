"""Decisions on traces: consistent with OpenTelemetry's thresholds, and never more than allowed."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_lib.propagation import Propagator
from proxy.participation import ot_member
from proxy.participation.ot_member import NEVER, read_threshold, threshold_of, with_threshold, write_threshold
from proxy.participation.sampling import Sampler
from proxy.plan.participation import SamplingPlan

LOW, HIGH = "a" * 18 + "0" * 14, "a" * 18 + "f" * 14
TRACE_IDS = st.integers(1, 2**128 - 1).map("{:032x}".format)


def sampler(
    ratio: float = 1.0, per_second: float = 0.0, *, parent_based: bool = True, now: list[float] | None = None
) -> Sampler:
    time = now or [0.0]
    return Sampler(SamplingPlan(ratio, per_second, parent_based), lambda: time[0])


@pytest.mark.parametrize(
    ("ratio", "written"),
    [(1.0, "0"), (0.5, "8"), (0.25, "c"), (0.75, "4"), (0.1, "e666"), (0.01, "fd70a"), (0.001, "ffbe77")],
)
def test_thresholds_as_opentelemetry_writes_them(ratio: float, written: str) -> None:
    """The values of the specification's and the collector's own examples."""
    assert write_threshold(threshold_of(ratio)) == written


def test_the_ends_of_the_ratio() -> None:
    assert not sampler(0.0).decide(HIGH, "").is_sampled
    assert sampler(1.0).decide(LOW, "").is_sampled
    assert threshold_of(1e-30) == NEVER - 1
    assert threshold_of(1 - 1e-30) == 0


@given(st.floats(0, 1), st.floats(0, 1), TRACE_IDS)
def test_a_larger_ratio_samples_whatever_a_smaller_one_does(one: float, other: float, trace_id: str) -> None:
    smaller, larger = sorted((one, other))
    if sampler(smaller).decide(trace_id, "").is_sampled:
        assert sampler(larger).decide(trace_id, "").is_sampled


def test_a_ratio_is_kept_over_many_traces() -> None:
    chance = random.Random(7)
    sampled = sum(sampler(0.1).decide(f"{chance.getrandbits(128):032x}", "").is_sampled for _ in range(20_000))
    assert 1800 < sampled < 2200


def test_the_probability_goes_with_the_trace() -> None:
    assert sampler(0.25).decide(HIGH, "acme=1").tracestate == "ot=th:c,acme=1"
    assert sampler(0.25).decide(HIGH, "").tracestate == "ot=th:c"
    assert sampler(0.25).decide(LOW, "ot=th:0;x:y,acme=1").tracestate == "ot=x:y,acme=1"
    assert sampler(1.0).decide(LOW, "").tracestate == ""
    assert sampler(1.0).decide(LOW, "acme=1").tracestate == "ot=th:0,acme=1"


def test_an_explicit_randomness_counts_instead_of_the_trace_id() -> None:
    assert sampler(0.5).decide(LOW, f"ot=rv:{'f' * 14}").tracestate == f"ot=th:8;rv:{'f' * 14}"
    assert not sampler(0.5).decide(HIGH, f"ot=rv:{'0' * 14}").is_sampled
    assert sampler(0.5).decide(HIGH, "ot=rv:00").is_sampled  # malformed: as if it were not there


def test_a_callers_decision_is_heeded() -> None:
    assert sampler(0.0).heed(True, LOW, "acme=1") == (True, "acme=1")
    assert sampler(1.0).heed(False, HIGH, "") == (False, "")
    assert sampler(0.0, parent_based=False).heed(True, HIGH, "") == (False, "")


@pytest.mark.parametrize(
    ("is_sampled", "trace_id", "state", "kept"),
    [
        (True, HIGH, "ot=th:8", "ot=th:8"),
        (True, LOW, "ot=th:8", ""),
        (True, LOW, "ot=th:8;rv:ffffffffffffff", "ot=th:8;rv:ffffffffffffff"),
        (False, LOW, "ot=th:8", "ot=th:8"),
        (False, HIGH, "a=b,ot=th:8;x:1", "ot=x:1,a=b"),
        (False, HIGH, "ot=th:xyz", "ot=th:xyz"),
        (True, LOW, "", ""),
    ],
)
def test_a_threshold_that_contradicts_the_decision_is_taken_out(
    is_sampled: bool, trace_id: str, state: str, kept: str
) -> None:
    assert sampler().heed(is_sampled, trace_id, state) == (is_sampled, kept)


def test_a_limit_per_second() -> None:
    now = [100.0]
    limited = sampler(per_second=10, now=now)
    assert sum(limited.decide(HIGH, "").is_sampled for _ in range(50)) == 10
    now[0] += 0.1
    assert [limited.decide(HIGH, "").is_sampled for _ in range(3)] == [True, False, False]
    now[0] += 3600
    assert sum(limited.decide(HIGH, "").is_sampled for _ in range(50)) == 10


def test_a_limit_below_one_a_second() -> None:
    now = [0.0]
    limited = sampler(per_second=0.1, now=now)
    taken = 0
    for _ in range(100):
        taken += limited.decide(HIGH, "").is_sampled
        now[0] += 1
    assert taken == 10


def test_who_is_within_a_limit_says_no_probability() -> None:
    assert sampler(per_second=1).decide(HIGH, "ot=th:8,a=b") == (True, "a=b")


@given(st.floats(0.001, 100), st.lists(st.floats(0, 5), min_size=1, max_size=200))
def test_a_limit_holds_over_any_course_of_time(per_second: float, steps: list[float]) -> None:
    now = [0.0]
    limited = sampler(per_second=per_second, now=now)
    taken = 0
    for step in steps:
        now[0] += step
        taken += limited.decide(HIGH, "").is_sampled
    assert taken <= now[0] * per_second + max(1.0, per_second) + 1


MEMBERS = st.lists(
    st.sampled_from(["ot=th:8", "ot=", "ot=x", "ot=rv:1;th:", "a=b", " c=d ", "", "got=th:1"]), max_size=6
)


@given(MEMBERS.map(",".join), st.none() | st.integers(0, NEVER - 1))
def test_writing_a_threshold_keeps_the_rest(state: str, threshold: int | None) -> None:
    made = with_threshold(state, threshold)
    assert read_threshold(made) == threshold
    others = [member for member in state.split(",") if member.strip() and not member.strip().startswith("ot=")]
    assert [member for member in made.split(",") if member.strip() and not member.strip().startswith("ot=")] == others


@given(st.integers(0, NEVER - 1))
def test_a_threshold_is_read_as_it_was_written(threshold: int) -> None:
    assert read_threshold(f"ot=th:{write_threshold(threshold)}") == threshold


def test_a_member_that_would_grow_too_long_stays() -> None:
    state = "ot=" + "x:" + "y" * 254
    assert with_threshold(state, 0) == state


def test_what_is_written_passes_the_hearts_own_grammar() -> None:
    extraction = Propagator().extract(
        {"traceparent": [f"00-{HIGH}-{'1' * 16}-01"], "tracestate": [sampler(0.3).decide(HIGH, "a=b").tracestate]}
    )
    assert extraction.context is not None
    assert extraction.context.tracestate == f"ot=th:{write_threshold(ot_member.threshold_of(0.3))},a=b"
