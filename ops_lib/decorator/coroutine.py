"""Coroutine functions with a span around each call: what `@trace` makes of them."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeAlias

from ops_lib.decorator.function import P, R, Traced, TracedFunction
from ops_lib.decorator.result import AsyncTrace
from ops_lib.spans.span import Span


class _AsyncTracedFunction(Traced[P, Coroutine[Any, Any, R]]):
    """A coroutine function with a span around each call; made by `trace`.

    Takes: the function's own arguments.
    Gives: a coroutine for the function's own result; `.wrapped(...)` one for an AsyncTrace.
    The span begins when the coroutine is first awaited, and ends with it.
    Raises: what the function raises; it is recorded on the span.
    A cancelled call is recorded, but not as a failure.
    Specification: OpenTelemetry semantic conventions, `code.function.name`, `exception.*`, `error.type`.
    """

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        return self._named(self._call(*args, **kwargs))

    async def _call(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with Span(self._subject.name, self._recorder.attributes()) as own:  # as `wrapped`, with no coroutine between
            if args or kwargs:
                self._recorder.record_arguments(own.otel_span, args, kwargs)
            result: R = await self._fn(*self._subject.with_span(args, own), **kwargs)
            self._recorder.record_result(own.otel_span, result)
            return result

    async def wrapped(self, /, *args: P.args, **kwargs: P.kwargs) -> AsyncTrace[R]:
        """Awaits the function and gives its result together with the span. Raises what the function raises."""
        with Span(self._subject.name, self._recorder.attributes()) as own:
            if args or kwargs:
                self._recorder.record_arguments(own.otel_span, args, kwargs)
            result: R = await self._fn(*self._subject.with_span(args, own), **kwargs)
            self._recorder.record_result(own.otel_span, result)
            return AsyncTrace(result, own)

    def __get__(self, receiver: object, owner: type | None = None) -> Any:
        """Binds as a function does: through an instance, it becomes a method."""
        return self if receiver is None else self._bound_to(receiver)


class _AsyncTracedSpanFunction(_AsyncTracedFunction[P, R]):
    """An AsyncTracedFunction whose coroutine function receives the span, by a first parameter `trace_ctx: Span`.

    Takes: the function's own arguments, without `trace_ctx`. Gives, Raises, Specification: as AsyncTracedFunction.
    """


if TYPE_CHECKING:
    # One type for all: with two, type checkers would take a function
    # that returns Any for a coroutine function (docs/decisions/005).
    AsyncTracedFunction: TypeAlias = TracedFunction[P, Coroutine[Any, Any, R]]
    AsyncTracedSpanFunction: TypeAlias = TracedFunction[P, Coroutine[Any, Any, R]]
else:
    AsyncTracedFunction = _AsyncTracedFunction
    AsyncTracedSpanFunction = _AsyncTracedSpanFunction
