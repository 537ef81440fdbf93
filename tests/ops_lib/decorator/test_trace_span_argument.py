"""A traced function that asks for its span receives it, and the caller does not see that argument."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest
from lab.traced import add, later

import ops_lib as ops
from ops_lib.testing import SpanCapture

pytestmark = pytest.mark.usefixtures("no_detach_errors")


def test_the_wrapper_tells_whether_the_function_receives_its_span() -> None:
    @ops.trace
    def receives(trace_ctx: ops.Span, n: int) -> int:
        return n

    @ops.trace
    async def coroutine_receives(trace_ctx: ops.Span, n: int) -> int:
        return n

    assert isinstance(receives, ops.TracedSpanFunction)
    assert isinstance(coroutine_receives, ops.AsyncTracedSpanFunction)
    assert isinstance(receives, ops.TracedFunction)
    assert isinstance(coroutine_receives, ops.AsyncTracedFunction)
    assert not isinstance(add, ops.TracedSpanFunction)
    assert not isinstance(later, ops.AsyncTracedSpanFunction)


def test_receives_its_span(ops_spans: SpanCapture) -> None:
    @ops.trace
    def work(trace_ctx: ops.Span, value: int) -> int:
        trace_ctx.info("working").set(value=value)
        return value

    class Worker:
        @ops.trace
        async def work(self, trace_ctx: ops.Span, value: int) -> str | None:
            return trace_ctx.span_id

    assert work(5) == 5
    assert work.wrapped(value=6).result == 6
    assert list(inspect.signature(work).parameters) == ["value"]
    assert str(inspect.signature(Worker().work)) == "(value: 'int') -> 'str | None'"
    calling: Any = Worker().work
    assert asyncio.run(calling(1)) == f"{3:016x}"
    first = ops_spans.named(work.__qualname__.rpartition("<locals>.")[2])[0]
    assert first.attributes is not None
    assert first.attributes["ops.arguments"] == '{"value": 5}'
    assert first.events[0].name == "info"


async def test_a_span_finished_within_is_out_of_force(ops_spans: SpanCapture) -> None:
    """As Span.finish promises; the rest of the call is not its child, and it is ended once."""

    def rest(trace_ctx: ops.Span, outer: ops.Span) -> None:
        trace_ctx.finish()
        assert ops.current_span().span_id == outer.span_id
        with ops.span("after"):
            pass

    async def rest_async(trace_ctx: ops.Span, outer: ops.Span) -> None:
        rest(trace_ctx, outer)

    with ops.span("outer") as outer:
        ops.trace(name="sync")(rest)(outer)
        await ops.trace(name="async")(rest_async)(outer)
        assert ops.current_span().span_id == outer.span_id
    assert ops_spans.tree() == "outer\n├─ sync\n├─ after\n├─ async\n└─ after"


def test_receives_its_span_only_when_asked_for_by_name_and_type(ops_spans: SpanCapture) -> None:
    @ops.trace
    def untyped(trace_ctx):  # type: ignore[no-untyped-def]  # this is the test
        return trace_ctx

    @ops.trace
    def other(ctx: ops.Span) -> ops.Span:
        return ctx

    assert untyped(1) == 1
    with ops.span("mine") as mine:
        assert other(mine) is mine
    assert list(inspect.signature(untyped).parameters) == ["trace_ctx"]


async def test_what_it_returns_and_raises_is_on_its_span(ops_spans: SpanCapture) -> None:
    @ops.trace(name="call")
    def call(trace_ctx: ops.Span, value: int) -> float:
        return 6 / value

    @ops.trace(name="coroutine")
    async def coroutine(trace_ctx: ops.Span, value: int) -> float:
        return 6 / value

    call(2)
    await coroutine(2)
    for run in (call, call.wrapped):
        with pytest.raises(ZeroDivisionError):
            run(0)
    for again in (coroutine, coroutine.wrapped):
        with pytest.raises(ZeroDivisionError):
            await again(0)
    done, failed = "ops.result=3.0", "✗ ZeroDivisionError: division by zero"
    assert ops_spans.tree(attributes=["ops.result"]).splitlines() == [
        *(f"call {done}", f"coroutine {done}"),
        *(f"call {failed}", f"call {failed}", f"coroutine {failed}", f"coroutine {failed}"),
    ]
