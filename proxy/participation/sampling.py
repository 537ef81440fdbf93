"""Decides whether a trace is recorded, if no caller has. PURE: the clock is an argument.

OpenTelemetry's parent-based samplers (specs/otel/trace/sdk/#parentbased)
over always_on, always_off, a ratio of traces, and a limit per second.
A ratio is consistent: every sampler with the same ratio, or a larger one, samples this trace as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, final

from proxy.participation.ot_member import (
    ALWAYS,
    NEVER,
    randomness_of,
    read_threshold,
    threshold_of,
    with_threshold,
)
from proxy.plan.participation import SamplingPlan


class Sampled(NamedTuple):
    """A decision, and the tracestate with its probability."""

    is_sampled: bool
    tracestate: str


@final
class Sampler:
    """Decides for one listener and upstream."""

    __slots__ = ("_clock", "_full_at", "_interval_s", "_threshold", "is_parent_based")

    def __init__(self, plan: SamplingPlan, clock: Callable[[], float]) -> None:
        """`clock`: seconds, of any origin, that never go back."""
        self.is_parent_based = plan.is_parent_based
        self._threshold = threshold_of(plan.ratio)
        self._interval_s = 1.0 / plan.per_second if plan.per_second > 0 else 0.0
        self._clock = clock
        self._full_at = clock()  # the time at which a second's worth of traces is allowed at once

    def decide(self, trace_id: str, tracestate: str) -> Sampled:
        """For a trace that nobody has decided on. `trace_id`: 32 hex digits; `tracestate`: what came, or empty."""
        threshold = self._threshold
        if threshold == NEVER or randomness_of(trace_id, tracestate) < threshold:
            return Sampled(False, self._unsampled(tracestate))
        if self._interval_s and not self._is_within_limit():
            return Sampled(False, self._unsampled(tracestate))
        if self._interval_s:  # nobody knows how many traces this one stands for
            return Sampled(True, self._unsampled(tracestate))
        if threshold == ALWAYS and not tracestate:
            return Sampled(True, "")  # means the same as `ot=th:0`, without a header
        return Sampled(True, with_threshold(tracestate, threshold))

    def heed(self, is_sampled: bool, trace_id: str, tracestate: str) -> Sampled:
        """For a trace that the caller has decided on: the caller's decision, or ours if the caller's does not count.

        Removes a `th` that contradicts the decision: it would distort every later count.
        """
        if not self.is_parent_based:
            return self.decide(trace_id, tracestate)
        threshold = read_threshold(tracestate)
        if threshold is not None and (randomness_of(trace_id, tracestate) >= threshold) is not is_sampled:
            tracestate = with_threshold(tracestate, None)
        return Sampled(is_sampled, tracestate)

    @staticmethod
    def _unsampled(tracestate: str) -> str:
        return with_threshold(tracestate, None) if tracestate else ""

    def _is_within_limit(self) -> bool:
        """A token bucket that holds one second's worth, and at least one: each trace takes its interval of time."""
        now = self._clock()
        full_at = max(self._full_at, now) + self._interval_s
        if full_at - now > max(1.0, self._interval_s) + 1e-9:
            return False
        self._full_at = full_at
        return True
