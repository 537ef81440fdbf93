"""@trace on generators: the span lasts until they are done, and only their own steps run in it.

What only asynchronous ones have is in test_generators_async.py.
"""

from __future__ import annotations

import contextlib
import contextvars
import gc
import inspect
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import pytest
from lab.traced import anumbers, here, numbers
from opentelemetry import trace as otel_trace

import ops_lib as ops
from ops_lib.context.current import current
from ops_lib.testing import SpanCapture

pytestmark = pytest.mark.usefixtures("no_detach_errors")


def test_is_a_generator_function() -> None:
    assert inspect.isgeneratorfunction(numbers)
    assert inspect.isasyncgenfunction(anumbers)
    assert inspect.isgenerator(numbers(1))
    assert inspect.isasyncgen(anumbers(1))


def test_steps_run_in_the_span_and_the_consumer_does_not(ops_spans: SpanCapture) -> None:
    with ops.span("consumer") as consumer:
        for seen in numbers(2):
            assert seen not in (None, consumer.span_id)
            assert here() == consumer.span_id
            with ops.span("between"):
                pass
    assert ops_spans.tree() == "consumer\n├─ numbers\n├─ between\n└─ between"


async def test_the_same_for_asynchronous_ones(ops_spans: SpanCapture) -> None:
    with ops.span("consumer") as consumer:
        async for seen in anumbers(2):
            assert seen not in (None, consumer.span_id)
            assert here() == consumer.span_id
    assert ops_spans.tree(attributes=["ops.arguments"]) == 'consumer\n└─ anumbers ops.arguments={"n": 2}'


def test_return_value_send_and_throw(ops_spans: SpanCapture) -> None:
    @ops.trace
    def talk() -> Generator[str, str, str]:
        heard = []
        while True:
            try:
                heard.append((yield f"{len(heard)}"))
            except KeyError:
                return ",".join(heard)

    generator = talk()
    assert next(generator) == "0"
    assert generator.send("a") == "1"
    with pytest.raises(StopIteration) as stop:
        generator.throw(KeyError())
    assert stop.value.value == "a"

    def outer() -> Generator[str | None, str, None]:
        assert (yield from numbers(1)) == 1

    list(outer())
    assert [span.name for span in ops_spans.spans] == ["talk", "numbers"]
    assert all(span.status.is_unset for span in ops_spans.spans)


def test_an_exception_thrown_in_and_not_handled_is_recorded(ops_spans: SpanCapture) -> None:
    generator = numbers(3)
    next(generator)
    with pytest.raises(LookupError):
        generator.throw(LookupError("no"))
    assert ops_spans.tree() == "numbers ✗ LookupError: no"


def test_stop_iteration_thrown_in_is_an_error_as_always(ops_spans: SpanCapture) -> None:
    generator = numbers(3)
    next(generator)
    with pytest.raises(RuntimeError, match="generator raised StopIteration"):
        generator.throw(StopIteration())


def test_closed_early_is_no_failure(ops_spans: SpanCapture) -> None:
    cleaned: list[str | None] = []

    @ops.trace
    def careful() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            cleaned.append(here())

    generator = careful()
    next(generator)
    assert ops_spans.spans == []
    generator.close()  # type: ignore[attr-defined]  # a generator
    span = ops_spans.one("careful")
    assert span.status.is_unset
    assert span.events == ()
    assert cleaned == [f"{span.context.span_id:016x}"]  # the body was closed within its span
    assert current() == {}


def test_closing_gives_what_the_generator_returns(ops_spans: SpanCapture) -> None:
    def polite() -> Generator[int, None, str]:
        try:
            yield 1
        except GeneratorExit:
            return "bye"
        return "done"

    plain, traced = polite(), ops.trace(polite)()
    next(plain), next(traced)
    assert traced.close() == plain.close()  # type: ignore[func-returns-value]  # "bye" from Python 3.13 on, else None
    assert ops_spans.tree() == polite.__qualname__.rpartition(".")[2]


@pytest.mark.slow
def test_collected_ends_the_span(ops_spans: SpanCapture) -> None:
    generator = numbers(3)
    next(generator)
    del generator
    gc.collect()
    assert len(ops_spans.spans) == 1


@pytest.mark.slow
def test_collected_in_a_cycle_leaves_no_context_behind(ops_spans: SpanCapture) -> None:
    """The collector may close the body before the generator that drives it."""

    @ops.trace
    def pieces() -> Iterator[int]:
        with ops.span("inside"), ops.session(id="s"):
            yield 1

    generator = pieces()
    next(generator)
    cycle: list[object] = [generator]
    cycle.append(cycle)
    del generator, cycle
    gc.collect()
    assert current() == {}
    assert ops_spans.tree() == "pieces\n└─ inside"


def test_never_begun_makes_no_span(ops_spans: SpanCapture) -> None:
    numbers(3).close()
    assert ops_spans.spans == []


def test_wrong_arguments_fail_at_the_call() -> None:
    with pytest.raises(TypeError):
        numbers()  # type: ignore[call-arg]  # this is the test


def test_child_of_where_it_was_called_not_of_where_it_is_consumed(ops_spans: SpanCapture) -> None:
    with ops.session(id="maker"), ops.span("maker"):
        generator = numbers(1)
    with ops.span("consumer"):
        list(generator)
    assert ops_spans.tree(attributes=["session.id"]) == (
        "maker session.id=maker\n└─ numbers session.id=maker\nconsumer"
    )


def test_steps_on_different_threads(ops_spans: SpanCapture) -> None:
    generator = numbers(3)
    seen: list[str | None] = []
    for _ in range(2):
        thread = threading.Thread(target=lambda: seen.append(next(generator)))
        thread.start()
        thread.join()
    generator.close()
    assert len(set(seen)) == 1
    assert None not in seen
    assert len(ops_spans.spans) == 1


def test_blocks_within_the_body_keep_their_context_over_a_yield(ops_spans: SpanCapture) -> None:
    @ops.trace
    def body() -> Iterator[str]:
        with ops.session(id="inner"), ops.span("step"):
            yield "in"
            assert ops.current_session() == ops.SessionContext("inner")
            with ops.span("deep"):
                yield "in"
        assert ops.current_session() is None
        yield "out"

    for _ in body():
        assert ops.current_session() is None
        assert here() is None
    assert ops_spans.tree() == "body\n└─ step\n   └─ deep"


def test_generators_within_generators(ops_spans: SpanCapture) -> None:
    @ops.trace
    def outer() -> Iterator[str | None]:
        for item in numbers(2):
            yield item
            with ops.span("own"):
                pass

    interleaved = zip(outer(), outer(), strict=True)
    assert len(list(interleaved)) == 2
    tree = "outer\n├─ numbers\n├─ own\n└─ own"
    assert ops_spans.tree() == f"{tree}\n{tree}"
    assert current() == {}


async def test_as_context_managers(ops_spans: SpanCapture) -> None:
    @contextlib.contextmanager
    @ops.trace
    def block() -> Iterator[int]:
        yield 1

    @contextlib.asynccontextmanager
    @ops.trace
    async def ablock() -> AsyncIterator[int]:
        yield 2

    with block() as one, pytest.raises(KeyError):
        async with ablock() as two:
            assert (one, two) == (1, 2)
            assert here() is None
            raise KeyError("k")
    assert ops_spans.tree() == "block\nablock ✗ KeyError: 'k'"


def test_methods(ops_spans: SpanCapture) -> None:
    class Source:
        @ops.trace
        def items(self, n: int) -> Iterator[int]:
            yield from range(n)

    assert list(Source().items(2)) == [0, 1]
    assert inspect.isgeneratorfunction(Source().items)
    assert ops_spans.one("Source.items").attributes is not None


def test_wrapped(ops_spans: SpanCapture) -> None:
    @ops.trace
    def body(trace_ctx: ops.Span, n: int) -> Iterator[str | None]:
        trace_ctx.set(n=n)
        yield trace_ctx.span_id

    traced = body.wrapped(3)
    assert traced.span_id is None
    (seen,) = traced.result
    assert seen == traced.span_id
    span = ops_spans.spans[0]
    assert span.attributes is not None
    assert span.attributes["n"] == 3


def test_unconfigured(ops_spans: SpanCapture) -> None:
    with ops.tracer_context(otel_trace.NoOpTracer()):
        assert len(set(numbers(3))) == 1
    assert ops_spans.spans == []


def test_in_a_copied_contextvars_context(ops_spans: SpanCapture) -> None:
    generator = numbers(2)
    contextvars.copy_context().run(next, generator)
    contextvars.Context().run(next, generator)
    generator.close()
    assert len(ops_spans.spans) == 1


async def test_methods_that_generate(ops_spans: SpanCapture) -> None:
    class Tree:
        @ops.trace
        def numbers(self, until: int) -> Iterator[int]:
            for number in range(until):
                with ops.span("step"):
                    yield number

        @ops.trace
        async def letters(self) -> AsyncIterator[str]:
            with ops.span("step"):
                yield "a"

    tree = Tree()
    assert list(tree.numbers(2)) == [0, 1]
    assert list(tree.numbers.wrapped(1).result) == [0]
    assert [letter async for letter in tree.letters()] == ["a"]
    names = [span.name.rpartition(".")[2] for span in ops_spans.spans]
    assert names == ["step", "step", "numbers", "step", "numbers", "step", "letters"]
    assert all(span.parent is not None for span in ops_spans.named("step"))


def test_an_exit_that_is_thrown_in_comes_out(ops_spans: SpanCapture) -> None:
    """As from a generator that does not handle it."""

    @ops.trace(name="numbers")
    def numbers() -> Iterator[int]:
        yield 1

    running: Any = numbers()
    next(running)
    with pytest.raises(GeneratorExit):
        running.throw(GeneratorExit)
    assert ops_spans.tree() == "numbers"
