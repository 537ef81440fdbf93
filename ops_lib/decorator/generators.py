"""What `@trace` makes of generator functions: the span lasts until the generator is exhausted, closed or collected.

Each step runs in the span's context; the consumer never does. May know: traced functions, spans, the Context.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any, cast

from opentelemetry.context import Context

from ops_lib.context.current import SPAN_KEY, attach, current, detach, with_value
from ops_lib.decorator.function import P, R, Traced, TracedFunction
from ops_lib.decorator.result import Trace
from ops_lib.decorator.subject import Subject
from ops_lib.spans.exceptions import record_exception
from ops_lib.spans.span import Span


class TracedGenerator(TracedFunction[P, R]):
    """A TracedFunction for generator functions: a call gives a generator that carries the span."""

    def __init__(self, subject: Subject) -> None:
        Traced.__init__(self, subject)  # its call differs from a function's

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.wrapped(*args, **kwargs).result

    def wrapped(self, /, *args: P.args, **kwargs: P.kwargs) -> Trace[R]:
        """See TracedFunction.wrapped. The span's ids are there once the generator has begun."""
        own = Span(self._subject.name)
        body = self._fn(*self._subject.with_span(args, own), **kwargs)
        return Trace(cast("R", self._named(self._drive(body, own, current(), args, kwargs))), own)

    def _drive(
        self, body: Any, own: Span, context: Context, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Generator[Any, Any, Any]:
        """Runs `body` step by step. The span's context is in force during a step, and never in between.

        At a yield, the body's Context is kept for its next step, and the consumer gets its own back.
        No token outlives a step, so a step may run on any thread and in any task.
        """
        span = self._recorder.start(context)
        own.adopt(span)
        inside = with_value(context, SPAN_KEY, span)
        # like `send(None)`, but `send` counts against the recursion limit
        step: Callable[[Any], Any] = next
        value: Any = body
        try:
            if args or kwargs:
                self._recorder.record_arguments(span, args, kwargs)
            while True:
                attached = inside
                token = attach(attached)
                try:
                    out = step(value)
                finally:
                    inside = current()
                    detach(token, attached)
                try:
                    value = yield out
                    step = body.send
                    if value is None:
                        step, value = next, body
                except GeneratorExit:
                    token = attach(inside)
                    try:
                        returned = body.close()
                    finally:
                        detach(token, inside)
                    if returned is None:
                        raise
                    return returned  # the result of close() from Python 3.13 on
                except BaseException as error:  # thrown in by the consumer, for the body to handle
                    step, value = body.throw, error
        except StopIteration as stop:
            return stop.value
        except BaseException as error:
            record_exception(span, error)
            raise
        finally:
            own.finish()


def _first_step(body: AsyncGenerator[Any, Any]) -> Awaitable[Any]:
    """The first step of an asynchronous generator, hidden from the event loop (PEP 525, "Finalization").
    At its end, the loop closes every known generator in a separate task.
    The driver's task closes the body; two at once would be an error.
    """
    firstiter, finalizer = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return body.asend(None)
    finally:
        sys.set_asyncgen_hooks(firstiter, finalizer)


class TracedAsyncGenerator(TracedGenerator[P, R]):
    """The same for asynchronous generator functions."""

    async def _drive(  # type: ignore[override]  # what it gives is R either way
        self, body: Any, own: Span, context: Context, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> AsyncGenerator[Any, Any]:
        span = self._recorder.start(context)
        own.adopt(span)
        inside = with_value(context, SPAN_KEY, span)
        try:
            if args or kwargs:
                self._recorder.record_arguments(span, args, kwargs)
            pending = _first_step(body)
            while True:
                attached = inside
                token = attach(attached)
                try:
                    out = await pending
                finally:
                    inside = current()
                    detach(token, attached)
                try:
                    pending = body.asend((yield out))
                except GeneratorExit:
                    token = attach(inside)
                    try:
                        await body.aclose()
                    finally:
                        detach(token, inside)
                    raise
                except BaseException as error:  # thrown in by the consumer, for the body to handle
                    pending = body.athrow(error)
        except StopAsyncIteration:
            return
        except BaseException as error:
            record_exception(span, error)
            raise
        finally:
            own.finish()
