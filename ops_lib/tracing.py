"""`@trace`: a span around every call of a function, method, coroutine, generator or callable object.

The wrapper is an object that behaves as the function it wraps: `inspect` tells coroutine and generator functions, the
signature is the function's, methods bind, pickling goes by name. May know: spans, callables, the Context.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Collection, Coroutine, Generator, Mapping
from types import CodeType
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from opentelemetry.context import Context
from opentelemetry.trace import Span as OtelSpan

from .callables import ARGUMENTS, RESULT, Subject
from .context import SPAN_KEY, attach, current, detach, with_value
from .light import LightSpan, light_span
from .runtime import RUNTIME
from .spans import Span, record_exception, start_in
from .tracers import end_span, tracer_for
from .traces import AsyncTrace, Trace

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
S = TypeVar("S")
R_co = TypeVar("R_co", covariant=True)


class _Traced(Generic[P, R]):
    """What every traced callable has, whatever its kind."""

    __wrapped__: Callable[P, R]

    def __init__(self, subject: Subject) -> None:
        functools.update_wrapper(self, subject.fn)  # type: ignore[arg-type]  # an object stands for the function
        self.__name__: str = getattr(subject.fn, "__name__", subject.name)
        self.__qualname__: str = getattr(subject.fn, "__qualname__", subject.name)
        if subject.signature is not None:
            self.__signature__ = subject.signature
        self._subject = subject
        self._fn = subject.fn

    def __repr__(self) -> str:
        return f"<traced {self._fn!r}>"

    def __reduce__(self) -> str:
        return self.__qualname__  # pickled by name, as functions are

    # These four make the object a function to `inspect` (PEP 362, "functionlike"), which so tells its kind.
    @property
    def __code__(self) -> CodeType | None:
        return self._subject.code

    @property
    def __defaults__(self) -> tuple[Any, ...] | None:
        return getattr(self._fn, "__defaults__", None)

    @property
    def __kwdefaults__(self) -> dict[str, Any] | None:
        return getattr(self._fn, "__kwdefaults__", None)

    def _bound_to(self, receiver: object) -> Any:
        return _Bound(cast("Callable[..., Any]", self), receiver)

    def _start(self, context: Context, args: tuple[Any, ...], kwargs: dict[str, Any]) -> OtelSpan:
        """A started span for a call with these arguments, which are recorded on it."""
        subject = self._subject
        span = start_in(context, subject.name, subject.attributes)
        if (args or kwargs) and span.is_recording():
            text = subject.arguments(args, kwargs, RUNTIME.capture)
            if text is not None:
                span.set_attribute(ARGUMENTS, text)
        return span

    def _record_result(self, span: OtelSpan, value: object) -> None:
        if span.is_recording() and (text := self._subject.result(value, RUNTIME.capture)) is not None:
            span.set_attribute(RESULT, text)


class _Bound(functools.partial):  # type: ignore[type-arg]  # stands for a TracedFunction, which is what type checkers see
    """A traced function bound to its receiver: a method. Calls at the speed of `functools.partial`."""

    @property
    def __self__(self) -> object:
        return self.args[0]

    @property
    def __func__(self) -> object:
        return self.func

    def wrapped(self, *args: Any, **kwargs: Any) -> Any:
        """See TracedFunction.wrapped."""
        return self.func.wrapped(self.args[0], *args, **kwargs)  # type: ignore[attr-defined]  # a _Traced

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in ("__name__", "__qualname__"):
            raise AttributeError(name)  # signature and code are the function's; a method's lack the receiver
        return getattr(self.func, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Bound) and self.func is other.func and self.args[0] is other.args[0]

    def __hash__(self) -> int:
        return hash((self.func, id(self.args[0])))

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self.args[0], self.func.__name__)


class TracedFunction(_Traced[P, R]):
    """A function with a span around each call; made by `trace`.

    Takes: the function's own arguments. Gives: the function's own result; `.wrapped(...)` gives it as a Trace. For a
    generator function (also an asynchronous one) the span begins with the first step and lasts until the generator is
    exhausted, closed or collected; each step runs in the span's context, the consumer never does.
    Raises: what the function raises; it is recorded on the span.
    Specification: OpenTelemetry semantic conventions, `code.function.name`, `exception.*`, `error.type`.
    """

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        context = current()
        if self._subject.span_index is not None:
            return self.wrapped(*args, **kwargs).result
        if tracer_for(context) is None:
            attached = with_value(context, SPAN_KEY, light_span(context))
            token = attach(attached)
            try:
                return cast("R", self._fn(*args, **kwargs))
            finally:
                detach(token, attached)
        span = self._start(context, args, kwargs)
        attached = with_value(context, SPAN_KEY, span)
        token = attach(attached)
        try:
            result: R = self._fn(*args, **kwargs)
            if span.__class__ is not LightSpan:
                self._record_result(span, result)
            return result
        except BaseException as error:
            record_exception(span, error)
            raise
        finally:
            if span.__class__ is not LightSpan:
                end_span(span)
            detach(token, attached)

    def wrapped(self, *args: P.args, **kwargs: P.kwargs) -> Trace[R]:
        """Calls the function and gives its result together with the span. Raises what the function raises."""
        context = current()
        span = self._start(context, args, kwargs)
        own = Span(self._subject.name).adopt(span)
        attached = with_value(context, SPAN_KEY, span)
        token = attach(attached)
        try:
            result: R = self._fn(*self._subject.with_span(args, own), **kwargs)
            self._record_result(span, result)
            return Trace(result, own)
        except BaseException as error:
            record_exception(span, error)
            raise
        finally:
            own.finish()
            detach(token, attached)

    @overload
    def __get__(self, receiver: None, owner: type | None = None) -> TracedFunction[P, R]: ...
    @overload
    def __get__(
        self: TracedFunction[Concatenate[Any, Q], R], receiver: object, owner: type | None = None
    ) -> TracedFunction[Q, R]: ...
    def __get__(self, receiver: object, owner: type | None = None) -> Any:
        """Binds as a function does: through an instance, it becomes a method."""
        return self if receiver is None else self._bound_to(receiver)


class AsyncTracedFunction(_Traced[P, Coroutine[Any, Any, R]]):
    """A coroutine function with a span around each call; made by `trace`.

    Takes: the function's own arguments. Gives: a coroutine for the function's own result; `.wrapped(...)` one for an
    AsyncTrace. The span begins when the coroutine is first awaited, and ends with it.
    Raises: what the function raises; it is recorded on the span. A cancelled call is recorded, but is no failed one.
    Specification: OpenTelemetry semantic conventions, `code.function.name`, `exception.*`, `error.type`.
    """

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return (await self.wrapped(*args, **kwargs)).result

    async def wrapped(self, *args: P.args, **kwargs: P.kwargs) -> AsyncTrace[R]:
        """Awaits the function and gives its result together with the span. Raises what the function raises."""
        context = current()
        span = self._start(context, args, kwargs)
        own = Span(self._subject.name).adopt(span)
        attached = with_value(context, SPAN_KEY, span)
        token = attach(attached)
        try:
            result: R = await self._fn(*self._subject.with_span(args, own), **kwargs)
            self._record_result(span, result)
            return AsyncTrace(result, own)
        except BaseException as error:
            record_exception(span, error)
            raise
        finally:
            own.finish()
            detach(token, attached)

    @overload
    def __get__(self, receiver: None, owner: type | None = None) -> AsyncTracedFunction[P, R]: ...
    @overload
    def __get__(
        self: AsyncTracedFunction[Concatenate[Any, Q], R], receiver: object, owner: type | None = None
    ) -> AsyncTracedFunction[Q, R]: ...
    def __get__(self, receiver: object, owner: type | None = None) -> Any:
        """Binds as a function does: through an instance, it becomes a method."""
        return self if receiver is None else self._bound_to(receiver)


class _TracedGenerator(TracedFunction[P, R]):
    """A TracedFunction for generator functions: a call gives a generator that carries the span."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.wrapped(*args, **kwargs).result

    def wrapped(self, *args: P.args, **kwargs: P.kwargs) -> Trace[R]:
        """See TracedFunction.wrapped. The span's ids are there once the generator has begun."""
        own = Span(self._subject.name)
        body = self._fn(*self._subject.with_span(args, own), **kwargs)
        return Trace(cast("R", self._drive(body, own, current(), args, kwargs)), own)

    def _drive(
        self, body: Any, own: Span, context: Context, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Generator[Any, Any, Any]:
        """Runs `body` step by step, each in the span's context and no other moment.

        The Context that the body leaves in force at a yield (its own blocks within) is kept for its next step; the
        consumer gets its own back. No token outlives a step, so a step may run on any thread and in any task.
        """
        span = self._start(context, args, kwargs)
        own.adopt(span)
        inside = with_value(context, SPAN_KEY, span)
        step: Callable[[Any], Any] = body.send
        value: Any = None
        try:
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
                except GeneratorExit:
                    token = attach(inside)
                    try:
                        body.close()
                    finally:
                        detach(token, inside)
                    raise
                except BaseException as error:  # thrown in by the consumer: it is the body's to handle
                    step, value = body.throw, error
        except StopIteration as stop:
            return stop.value
        except BaseException as error:
            record_exception(span, error)
            raise
        finally:
            own.finish()


class _TracedAsyncGenerator(_TracedGenerator[P, R]):
    """The same for asynchronous generator functions."""

    async def _drive(  # type: ignore[override]  # what it gives is R either way
        self, body: Any, own: Span, context: Context, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> AsyncGenerator[Any, Any]:
        span = self._start(context, args, kwargs)
        own.adopt(span)
        inside = with_value(context, SPAN_KEY, span)
        step: Callable[[Any], Any] = body.asend
        value: Any = None
        try:
            while True:
                attached = inside
                token = attach(attached)
                try:
                    out = await step(value)
                finally:
                    inside = current()
                    detach(token, attached)
                try:
                    value = yield out
                    step = body.asend
                except GeneratorExit:
                    token = attach(inside)
                    try:
                        await body.aclose()
                    finally:
                        detach(token, inside)
                    raise
                except BaseException as error:  # thrown in by the consumer: it is the body's to handle
                    step, value = body.athrow, error
        except StopAsyncIteration:
            return
        except BaseException as error:
            record_exception(span, error)
            raise
        finally:
            own.finish()


class _TracedClassMethod(classmethod):  # type: ignore[type-arg]  # type checkers see the classmethod it was made from
    """`@trace` above `@classmethod`: binds the class, and keeps `.wrapped` on what it gives."""

    def __get__(self, receiver: object, owner: type | None = None) -> Any:
        return self.__func__.__get__(type(receiver) if owner is None else owner)


class _AsyncWantsSpan(Protocol[P, R_co]):
    def __call__(self, trace_ctx: Span, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R_co]: ...


class _WantsSpan(Protocol[P, R_co]):
    def __call__(self, trace_ctx: Span, *args: P.args, **kwargs: P.kwargs) -> R_co: ...


class _Decorate(Protocol):
    """What `trace(...)` gives: the decorator."""

    @overload
    def __call__(self, fn: classmethod[S, P, R], /) -> classmethod[S, P, R]: ...
    @overload
    def __call__(self, fn: staticmethod[P, R], /) -> staticmethod[P, R]: ...  # type: ignore[overload-overlap]  # the narrower one stands first
    @overload
    def __call__(self, fn: _AsyncWantsSpan[P, R], /) -> AsyncTracedFunction[P, R]: ...  # type: ignore[overload-overlap]  # the narrower one stands first
    @overload
    def __call__(self, fn: _WantsSpan[P, R], /) -> TracedFunction[P, R]: ...
    @overload
    def __call__(self, fn: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncTracedFunction[P, R]: ...  # type: ignore[overload-overlap]  # the narrower one stands first
    @overload
    def __call__(self, fn: Callable[P, R], /) -> TracedFunction[P, R]: ...


@overload
def trace(fn: classmethod[S, P, R], /) -> classmethod[S, P, R]: ...
@overload
def trace(fn: staticmethod[P, R], /) -> staticmethod[P, R]: ...  # type: ignore[overload-overlap]  # the narrower one stands first
@overload
def trace(fn: _AsyncWantsSpan[P, R], /) -> AsyncTracedFunction[P, R]: ...  # type: ignore[overload-overlap]  # the narrower one stands first
@overload
def trace(fn: _WantsSpan[P, R], /) -> TracedFunction[P, R]: ...
@overload
def trace(fn: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncTracedFunction[P, R]: ...  # type: ignore[overload-overlap]  # the narrower one stands first
@overload
def trace(fn: Callable[P, R], /) -> TracedFunction[P, R]: ...
@overload
def trace(
    fn: None = None,
    /,
    *,
    name: str | None = None,
    tags: Collection[str] | None = None,
    metadata: Mapping[str, object] | None = None,
    capture_args: bool | Collection[str] | None = None,
    capture_result: bool | None = None,
) -> _Decorate: ...
def trace(
    fn: Any = None,
    /,
    *,
    name: str | None = None,
    tags: Collection[str] | None = None,
    metadata: Mapping[str, object] | None = None,
    capture_args: bool | Collection[str] | None = None,
    capture_result: bool | None = None,
) -> Any:
    """Put a span around every call, as `@trace` or `@trace(...)`.

    Takes: `fn`, a function, method, static or class method, coroutine function, generator function of either kind, or
    a callable object; `name` of the span (default: the function's); `tags` (attribute `ops.tags`); `metadata`
    (attributes `ops.metadata.*`); `capture_args`, whether arguments are recorded, or the names of those that are;
    `capture_result`, whether the result is. The last two default to what `configure` has set, which is to record them,
    bounded and with secrets scrubbed. A first parameter `trace_ctx: Span` receives the span and is not the caller's to
    give.
    Gives: a TracedFunction or AsyncTracedFunction of the same signature, with `.wrapped(...)`.
    Raises: TypeError where `fn` is a class, a property or not callable. Calls raise what the function raises.
    Specification: OpenTelemetry semantic conventions, `code.function.name`, `exception.*`, `error.type`, `session.id`.
    """

    def decorate(fn: Any) -> Any:
        if isinstance(fn, classmethod):
            return _TracedClassMethod(decorate(fn.__func__))
        if isinstance(fn, staticmethod):
            return staticmethod(decorate(fn.__func__))
        if isinstance(fn, type):
            raise TypeError(f"trace wants a function, not the class {fn.__qualname__}; trace its methods instead")
        if not callable(fn):
            hint = "; put @property above @trace" if isinstance(fn, property) else ""
            raise TypeError(f"trace wants something to call, not {type(fn).__name__}{hint}")
        subject = Subject(
            fn, name=name, tags=tags, metadata=metadata, capture_args=capture_args, capture_result=capture_result
        )
        return _kind_of(fn)(subject)

    return decorate if fn is None else decorate(fn)


def _kind_of(fn: Any) -> type[_Traced[..., Any]]:
    """The wrapper for a callable of this kind."""
    call = fn
    while isinstance(call, functools.partial):
        call = call.func
    if not (inspect.isroutine(call) or hasattr(call, "__code__")):
        call = call.__call__  # a callable object is what its __call__ is
    if inspect.iscoroutinefunction(call):
        return AsyncTracedFunction
    if inspect.isgeneratorfunction(call):
        return _TracedGenerator
    if inspect.isasyncgenfunction(call):
        return _TracedAsyncGenerator
    return TracedFunction
