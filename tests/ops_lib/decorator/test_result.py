"""What `.wrapped` gives: result, span, and what is said of the call afterwards."""

from __future__ import annotations

import pytest

import ops_lib as ops
from ops_lib.testing import SpanCapture, capture_spans


@ops.trace(name="answer")
def answer(n: int) -> int:
    return n


@ops.trace(name="later")
async def later(n: int) -> int:
    return n


def test_result_and_ids(ops_spans: SpanCapture) -> None:
    traced = answer.wrapped(42)
    assert isinstance(traced, ops.Trace)
    assert traced.result == 42
    assert isinstance(traced.span, ops.Span)
    assert (traced.trace_id, traced.span_id) == ("0000000000000001" * 2, "0000000000000001")
    with pytest.raises(AttributeError):
        traced.result = 1  # type: ignore[misc]  # this is the test


def test_tags_and_annotations_are_spans_under_the_calls(ops_spans: SpanCapture) -> None:
    traced = answer.wrapped(42)
    traced.tag("good", "fast", "good")
    traced.tag()
    traced.annotate(label="pass", reasoning="right", metadata={"score": 0.9, "api_key": "k"})
    assert ops_spans.tree() == "answer\n├─ ops.tag\n└─ ops.annotation"
    tag, annotation = ops_spans.one("ops.tag"), ops_spans.one("ops.annotation")
    assert tag.attributes == {"ops.tags": ("good", "fast")}
    assert annotation.attributes == {
        "ops.annotation.label": "pass",
        "ops.annotation.reasoning": "right",
        "ops.annotation.metadata.score": 0.9,
        "ops.annotation.metadata.api_key": "[scrubbed]",
    }
    assert tag.links[0].context.span_id == 1


def test_tags_that_are_none_raise_nothing(ops_spans: SpanCapture) -> None:
    answer.wrapped(42).tag(["good"], "fast")  # type: ignore[arg-type]  # this is the test
    assert ops_spans.one("ops.tag").attributes == {"ops.tags": ('["good"]', "fast")}


async def test_asynchronous_with_and_without_await(ops_spans: SpanCapture) -> None:
    traced = await later.wrapped(1)
    assert isinstance(traced, ops.AsyncTrace)
    assert traced.result == 1
    await traced.tag("a")
    traced.annotate(label="fail")
    assert await traced.annotate(label="pass") is None  # type: ignore[func-returns-value]  # this is the test
    assert [span.name for span in ops_spans.spans] == ["later", "ops.tag", "ops.annotation", "ops.annotation"]


def test_unconfigured_has_ids_and_keeps_nothing() -> None:
    traced = answer.wrapped(1)
    traced.tag("x")
    traced.annotate(label="pass")
    assert traced.span.is_noop
    assert traced.trace_id != "0" * 32


def test_failure(ops_spans: SpanCapture) -> None:
    with pytest.raises(ZeroDivisionError):
        ops.trace(name="f")(lambda: 1 // 0).wrapped()
    assert ops_spans.tree().startswith("f ✗ ZeroDivisionError")


def test_nothing_is_said_later_of_a_call_that_was_not_recorded() -> None:
    made = answer.wrapped(42)
    with capture_spans() as captured:
        made.tag("late")
        made.annotate(label="pass")
    assert captured.spans == []
