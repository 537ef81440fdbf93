"""Our only sampling rule: what headers said bare is obeyed, and nothing else changes."""

from __future__ import annotations

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import sampling as sdk
from opentelemetry.trace import NonRecordingSpan, SpanContext, set_span_in_context

import ops_lib as ops
from ops_lib.export.sampling import BY_NAME, Obedient, sampler_of
from ops_lib.testing import SpanCapture


def decide(sampler: sdk.Sampler, context: Context | None) -> sdk.Decision:
    return Obedient(sampler).should_sample(context, 1, "s").decision


@pytest.mark.parametrize("value", ["1", "d"])
def test_a_bare_decision_to_record(value: str) -> None:
    context = ops.extract_context({"b3": value})
    assert decide(sdk.DEFAULT_OFF, context) is sdk.Decision.RECORD_AND_SAMPLE
    assert decide(sdk.ALWAYS_OFF, context) is sdk.Decision.DROP


@pytest.mark.parametrize("name", ["parentbased_always_off", "parentbased_always_on"])
@pytest.mark.parametrize(("value", "is_recorded"), [("1", True), ("d", True), ("0", False)])
def test_a_bare_decision_goes_before_the_sampler_that_was_named(name: str, value: str, is_recorded: bool) -> None:
    captured = SpanCapture()
    ops.configure("shop", exporter=captured, sampler=name)
    with ops.propagated_context(extract_from={"b3": value}), ops.span("s"):
        pass
    ops.shutdown()
    assert [span.name for span in captured.spans] == ["s"] * is_recorded


def test_only_of_new_traces() -> None:
    parent = NonRecordingSpan(SpanContext(1, 2, False))
    context = set_span_in_context(parent, ops.extract_context({"b3": "1"}))
    assert decide(sdk.DEFAULT_ON, context) is sdk.Decision.DROP


@pytest.mark.parametrize("context", [None, Context(), ops.extract_context({"X-Mirascope-Session-Id": "s"})])
def test_else_the_other_sampler_decides(context: Context | None) -> None:
    assert decide(sdk.DEFAULT_OFF, context) is sdk.Decision.DROP
    assert decide(sdk.DEFAULT_ON, context) is sdk.Decision.RECORD_AND_SAMPLE
    assert Obedient(sdk.DEFAULT_ON).get_description() == sdk.DEFAULT_ON.get_description()


def test_sampler_of() -> None:
    assert sampler_of(None, sdk.ALWAYS_ON) is sdk.ALWAYS_ON
    assert sampler_of(sdk.ALWAYS_OFF, sdk.ALWAYS_ON) is sdk.ALWAYS_OFF
    assert "TraceIdRatioBased{0.25}" in sampler_of(0.25, sdk.ALWAYS_ON).get_description()
    for name, sampler in BY_NAME.items():
        assert sampler_of(f" {name.upper()} ", sdk.ALWAYS_ON) is sampler


@pytest.mark.parametrize("ratio", [0, 0.0, 1, 1.0])
def test_a_ratio_may_be_none_or_all(ratio: float) -> None:
    assert f"TraceIdRatioBased{{{float(ratio)}}}" in sampler_of(ratio, sdk.ALWAYS_ON).get_description()


@pytest.mark.parametrize("ratio", [-0.001, 1.001, -1, 2, float("nan")])
def test_a_ratio_beyond_is_refused(ratio: float) -> None:
    with pytest.raises(ops.ConfigurationError, match="a ratio from 0 to 1"):
        sampler_of(ratio, sdk.ALWAYS_ON)
