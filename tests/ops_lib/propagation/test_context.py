"""The record and how a new one is made."""

import pytest

from ops_lib.propagation import Sampling, TraceContext, child, new_context, new_span_id, new_trace_id
from ops_lib.propagation.context import stand_in

CONTEXT = TraceContext(
    "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", Sampling.DEBUG, True, True, "b" * 16, "a=1", True
)


@pytest.mark.parametrize(("sampling", "want"), [("DEFER", False), ("DENY", False), ("ACCEPT", True), ("DEBUG", True)])
def test_is_sampled(sampling: str, want: bool) -> None:
    assert Sampling[sampling].is_sampled is want


def test_child_is_another_span_of_the_same_trace() -> None:
    assert child(CONTEXT, "c" * 16) == CONTEXT._replace(span_id="c" * 16, parent_id=None, made_up=False)


def test_ids_are_never_zero() -> None:
    draws = iter([0, 5])
    assert new_span_id(lambda _: next(draws)) == "0" * 15 + "5"
    draws = iter([0, 1 << 64, 1, (1 << 63) | 1, (1 << 64) | 1])
    assert new_trace_id(lambda _: next(draws)) == "0" * 15 + "1" + "0" * 15 + "1"


def test_every_bit_of_an_id_is_asked_for() -> None:
    asked: list[int] = []
    new_context(random_bits=lambda bits: asked.append(bits) or (1 << bits) - 1)  # type: ignore[func-returns-value]
    assert asked == [128, 64]


def test_new_context_is_a_random_root() -> None:
    first, second = new_context(), new_context(Sampling.DENY)
    assert first.trace_id != second.trace_id
    assert first.sampling is Sampling.ACCEPT
    assert first.random
    assert first.parent_id is None
    assert second.sampling is Sampling.DENY


def test_stand_in_can_be_told_from_a_real_span() -> None:
    ids = stand_in(Sampling.ACCEPT)
    assert ids.made_up
    assert ids.trace_id.endswith(ids.span_id)
