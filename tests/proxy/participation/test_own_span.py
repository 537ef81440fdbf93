"""Our own place in a trace: whose child we are, who decided, what is recorded."""

from __future__ import annotations

import random

import pytest

from ops_lib.propagation import Extraction, Propagator, Sampling
from proxy.participation.own_span import RANDOM, SAMPLED, Joined, OwnSpan, SpanIds, join
from proxy.participation.sampling import Sampler
from proxy.plan.participation import SamplingPlan

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
BITS = random.Random(7).getrandbits


def said(name: str, value: str) -> Extraction:
    return Propagator().extract({name: [value]})


def joined(extraction: Extraction, ratio: float = 1.0, *, heeds: bool = True) -> Joined:
    return join(extraction, Sampler(SamplingPlan(ratio, is_parent_based=heeds), lambda: 0.0), BITS)


def test_a_callers_child() -> None:
    context, span = joined(said("b3", f"{TRACE}-{SPAN}-1-{'3' * 16}"))
    assert (context.trace_id, context.parent_id, context.sampling) == (TRACE, None, Sampling.ACCEPT)
    assert span == OwnSpan(TRACE.encode(), context.span_id.encode(), SPAN.encode(), SAMPLED)


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_a_decision_that_came_is_heeded(ratio: float) -> None:
    assert joined(said("b3", f"{TRACE}-{SPAN}-1"), ratio).span is not None
    refused = joined(said("b3", f"{TRACE}-{SPAN}-0"), ratio)
    assert refused.span is None
    assert refused.context.sampling is Sampling.DENY
    assert refused.context.span_id != SPAN  # W3C asks it of whoever takes part


def test_a_decision_is_ours_where_nobody_is_heeded() -> None:
    assert joined(said("b3", f"{TRACE}-{SPAN}-1"), 0.0, heeds=False).span is None
    assert joined(said("b3", f"{TRACE}-{SPAN}-0"), 1.0, heeds=False).span is not None


def test_debug_is_always_recorded_and_stays_debug() -> None:
    context, span = joined(said("b3", f"{TRACE}-{SPAN}-d"), 0.0, heeds=False)
    assert context.sampling is Sampling.DEBUG
    assert span is not None


@pytest.mark.parametrize(("ratio", "sampling"), [(0.0, Sampling.DENY), (1.0, Sampling.ACCEPT)])
def test_who_has_not_decided_is_decided_for(ratio: float, sampling: Sampling) -> None:
    context, span = joined(said("b3", f"{TRACE}-{SPAN}"), ratio)
    assert context.sampling is sampling
    assert (span is not None) is sampling.is_sampled


def test_a_trace_that_begins_here() -> None:
    context, span = joined(Extraction())
    assert span == OwnSpan(context.trace_id.encode(), context.span_id.encode(), b"", SAMPLED | RANDOM)
    assert joined(Extraction(), 0.0).span is None


def test_a_ratio_is_said_in_the_tracestate_of_a_trace_that_begins_here() -> None:
    context = next(one.context for one in (joined(Extraction(), 0.5) for _ in range(100)) if one.span is not None)
    assert context.tracestate == "ot=th:8"


@pytest.mark.parametrize(("decision", "recorded"), [("0", False), ("1", True), ("d", True)])
def test_a_bare_decision_is_heeded(decision: str, recorded: bool) -> None:
    context, span = joined(said("b3", decision), 1.0 - recorded)
    assert (span is not None) is recorded
    assert context.sampling is {"0": Sampling.DENY, "1": Sampling.ACCEPT, "d": Sampling.DEBUG}[decision]


def test_ids_that_stand_for_a_bare_decision_are_nobodys_span() -> None:
    """They came from a sidecar that had to make them up; the trace stays, the parent is none."""
    made_up = Propagator().inject(said("b3", "1"))
    extraction = Propagator().extract({name.lower(): [value] for name, value in made_up.headers})
    assert extraction.context is not None
    assert extraction.context.made_up
    context, span = joined(extraction)
    assert span is not None
    assert (span.trace_id.decode(), span.parent_id) == (extraction.context.trace_id, b"")
    assert not context.made_up


def test_span_ids_are_random_and_whole() -> None:
    """More of them than are made at once."""
    ids = SpanIds()
    taken = [ids.take() for _ in range(1000)]
    assert len(set(taken)) == 1000
    assert all(len(span_id) == 16 and int(span_id, 16) for span_id in taken)
    assert all(span_id == span_id.lower() for span_id in taken)


def test_a_span_of_ours_equals_no_other_thing() -> None:
    ids = OwnSpan(TRACE.encode(), SPAN.encode(), b"", SAMPLED)
    assert ids == OwnSpan(TRACE.encode(), SPAN.encode(), b"", SAMPLED)
    assert ids != (TRACE.encode(), SPAN.encode(), b"", SAMPLED, b"")
