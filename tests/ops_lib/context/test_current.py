"""The Context is put in force and taken away quietly, wherever that is done."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Iterator

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace as otel_trace
from opentelemetry.context import Context

import ops_lib as ops
from ops_lib.context import current as context_module
from ops_lib.context.current import EMPTY, SPAN_KEY, Attached, attach, current, detach, with_value

pytestmark = pytest.mark.usefixtures("no_detach_errors")


def test_is_opentelemetrys_own_context() -> None:
    context = with_value(current(), "k", 1)
    token = attach(context)
    assert otel_context.get_current() is context
    detach(token, context)
    assert otel_context.get_value("k") is None


def test_span_key_is_the_one_that_opentelemetry_uses() -> None:
    span = otel_trace.NonRecordingSpan(otel_trace.SpanContext(1, 2, False))
    assert otel_trace.get_current_span(with_value(EMPTY, SPAN_KEY, span)) is span


def test_with_value_leaves_the_original_alone() -> None:
    original = Context({"a": 1})
    assert with_value(original, "b", 2) == {"a": 1, "b": 2}
    assert original == {"a": 1}
    with pytest.raises(ValueError):
        with_value(original, "b", 2)["c"] = 3


def test_attached_nests_and_detaches_on_exceptions() -> None:
    outer, inner = Context({"a": 1}), Context({"a": 2})
    with Attached(lambda: outer):
        with pytest.raises(KeyError), Attached(lambda: inner) as given:
            assert current() is given is inner
            raise KeyError
        assert current() is outer
    assert current() == {}


def test_left_once_too_often_does_nothing() -> None:
    """Flask calls teardown functions twice where a response streams with its context."""
    for block in (Attached(lambda: with_value(EMPTY, "k", 1)), ops.session(id="s")):
        with block:
            pass
        block.__exit__(None, None, None)
        assert current() == {}


async def test_attached_in_async_with() -> None:
    async with Attached(lambda: Context({"a": 1})):
        assert current() == {"a": 1}
    assert current() == {}


def test_detach_in_another_contextvars_context_changes_nothing_there() -> None:
    context = Context({"a": 1})
    token = attach(context)

    def elsewhere() -> Context:
        other = Context({"b": 1})
        attach(other)
        detach(token, context)
        return current()

    assert contextvars.Context().run(elsewhere) == {"b": 1}
    detach(token, context)
    assert current() == {}


def test_detach_in_a_copy_puts_back_what_was_before() -> None:
    """A task that inherited the Context and closes the block itself must not stay in it."""
    context = Context({"a": 1})
    token = attach(context)

    def elsewhere() -> Context:
        detach(token, context)
        return current()

    assert contextvars.copy_context().run(elsewhere) == {}
    assert current() is context
    detach(token, context)


def test_detach_twice_and_on_another_thread_is_quiet() -> None:
    context = Context({"a": 1})
    token = attach(context)
    detach(token, context)
    detach(token, context)
    thread = threading.Thread(target=detach, args=(token, context))
    thread.start()
    thread.join()
    assert current() == {}


def test_a_context_that_is_kept_elsewhere_goes_opentelemetrys_way() -> None:
    """Where OTEL_PYTHON_CONTEXT names an implementation without a ContextVar."""
    context = Context({"a": 1})
    token = context_module._attach_slowly(context)
    assert otel_context.get_current() is context
    context_module._detach_slowly(token, context)
    assert otel_context.get_current() == {}


@pytest.mark.parametrize("before", [Context(), Context({"a": 1})])
def test_what_was_inherited_is_taken_away_elsewhere(before: Context) -> None:
    """A copy of the place has the Context as well; there is no token for it there."""
    made = Context({"b": 2})

    def here() -> tuple[Context, Context]:
        if before:
            attach(before)
        token = attach(made)
        elsewhere = contextvars.copy_context()
        elsewhere.run(detach, token, made)
        return elsewhere.run(current), current()

    assert contextvars.Context().run(here) == (before, made)


def test_a_block_takes_away_what_was_left_within() -> None:
    before = current()
    with Attached(lambda: Context({"a": 1})):
        attach(Context({"b": 2}))
    assert current() is before


def test_a_generator_that_is_closed_leaves_its_place() -> None:
    """Where it ran, its block ends; elsewhere it has nothing to end."""

    def steps() -> Iterator[None]:
        with ops.span("s"):
            yield

    before = current()
    here = steps()
    next(here)
    assert current() is not before
    here.close()
    assert current() is before
    gone = steps()
    contextvars.copy_context().run(next, gone)
    with Attached(lambda: Context({"mine": 1})) as mine:
        gone.close()
        assert current() is mine
