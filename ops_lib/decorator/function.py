"""Functions with a span around each call: what `@trace` makes of functions, methods and coroutine functions.

The wrapper is an object that behaves as the function it wraps: `inspect` tells coroutine and generator functions, the
signature is the function's, methods bind, pickling goes by name. May know: spans, `subject`, the Context.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from types import CellType, CodeType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, TypeAlias, TypeVar, cast, overload

from opentelemetry.context import Context
from opentelemetry.trace import Span as OtelSpan

from ops_lib.context.current import SPAN_KEY, attach, current, detach, with_value
from ops_lib.decorator.result import AsyncTrace, Trace
from ops_lib.decorator.subject import ARGUMENTS, RESULT, Subject
from ops_lib.spans.attributes import Fit
from ops_lib.spans.configured import RUNTIME
from ops_lib.spans.exceptions import record_exception
from ops_lib.spans.span import Span, start_in
from ops_lib.spans.start import end_span, tracer_for
from ops_lib.spans.unrecorded import LightSpan, light_span

if TYPE_CHECKING:
    from ops_lib.decorator.signatures import Anything

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)


class Traced(Generic[P, R_co]):
    """What every traced callable has, whatever its kind."""

    __wrapped__: Callable[P, R_co]

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

    # From here on: what makes the object pass for a function with `isinstance` and `inspect` (PEP 362, "functionlike").
    # Frameworks ask these two, and take what is no function for something else (Starlette: for an ASGI app).
    @property  # type: ignore[misc]  # to be assigned to is not what it is for
    def __class__(self) -> type:
        return FunctionType if self._subject.code is not None else type(self)

    @property
    def __globals__(self) -> dict[str, Any]:
        return getattr(self._subject.function, "__globals__", {})

    @property
    def __closure__(self) -> tuple[CellType, ...] | None:
        return self._subject.closure

    @property
    def __code__(self) -> CodeType | None:
        return self._subject.code

    @property
    def __defaults__(self) -> tuple[Any, ...] | None:
        return getattr(self._fn, "__defaults__", None)

    @property
    def __kwdefaults__(self) -> dict[str, Any] | None:
        return getattr(self._fn, "__kwdefaults__", None)

    def _named(self, running: T) -> T:
        """A coroutine or generator under the function's own name, for warnings, logs and debuggers."""
        running.__name__, running.__qualname__ = self.__name__, self.__qualname__  # type: ignore[attr-defined]  # both have
        return running

    def __set_name__(self, owner: type, name: str) -> None:
        """Makes a class method or a static method of what Python makes one of where it is a plain function."""
        if name in _CLASS_METHODS:
            setattr(owner, name, TracedClassMethod(cast("Any", self)))
        elif name == "__new__":
            setattr(owner, name, staticmethod(cast("Any", self)))

    def _bound_to(self, receiver: object) -> Any:
        return _Bound(cast("Callable[..., Any]", self), receiver)

    def _start(self, context: Context) -> OtelSpan:
        """A started span for a call."""
        return start_in(context, self._subject.name, self._attributes())

    def _attributes(self) -> Fit:
        subject = self._subject
        return subject.attributes if subject.fit_for is RUNTIME.capture else subject.fit()

    def _record_arguments(self, span: OtelSpan | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if span is not None and span.is_recording():
            text = self._subject.arguments(args, kwargs, RUNTIME.capture)
            if text is not None:
                span.set_attribute(ARGUMENTS, text)

    def _record_result(self, span: OtelSpan | None, value: object) -> None:
        if span is None or not span.is_recording():
            return
        if (text := self._subject.result(value, RUNTIME.capture)) is not None:
            span.set_attribute(RESULT, text)


# Python's Data model, "Customizing class creation", "Emulating generic types": class methods without saying so.
_CLASS_METHODS: Final = frozenset({"__init_subclass__", "__class_getitem__"})


class TracedClassMethod(classmethod):  # type: ignore[type-arg]  # type checkers see the classmethod it was made from
    """`@trace` above `@classmethod`: binds the class, and keeps `.wrapped` on what it gives."""

    def __get__(self, receiver: object, owner: type | None = None) -> Any:
        return self.__func__.__get__(type(receiver) if owner is None else owner)


# Double-underscore attributes that a method takes from its function (Python's Data model, "Instance methods").
_OF_THE_FUNCTION: Final = frozenset(
    {"__name__", "__qualname__", "__annotations__", "__annotate__", "__type_params__", "__globals__", "__closure__",
     "__code__", "__defaults__", "__kwdefaults__"}
)  # fmt: skip


class _Bound(functools.partial):  # type: ignore[type-arg]  # stands for a TracedFunction, which is what type checkers see
    """A traced function bound to its receiver. `inspect` takes it for a method; a call costs what a partial's does."""

    @property  # type: ignore[misc]  # to be assigned to is not what it is for
    def __class__(self) -> type:
        return MethodType

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]  # what help() shows is the function's
        return self.func.__doc__

    @property
    def __module__(self) -> str:  # type: ignore[override]  # the function's, too
        return self.func.__module__

    @property
    def __self__(self) -> object:
        return self.args[0]

    @property
    def __func__(self) -> object:
        return self.func

    def wrapped(self, /, *args: Any, **kwargs: Any) -> Any:
        """See TracedFunction.wrapped."""
        return self.func.wrapped(self.args[0], *args, **kwargs)  # type: ignore[attr-defined]  # a Traced

    def __get__(self, receiver: object, owner: type | None = None) -> Any:
        return self  # bound already; a partial in a class binds once more from Python 3.14 on

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in _OF_THE_FUNCTION:
            raise AttributeError(name)  # so that copy, pickle and the like do not find the function's
        return getattr(self.func, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Bound) and self.func is other.func and self.args[0] is other.args[0]

    def __hash__(self) -> int:
        return hash((self.func, id(self.args[0])))

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self.args[0], self.func.__name__)


class TracedFunction(Traced[P, R_co]):
    """A function with a span around each call; made by `trace`.

    Takes: the function's own arguments. Gives: the function's own result; `.wrapped(...)` gives it as a Trace. For a
    generator function (also an asynchronous one) the span begins with the first step and lasts until the generator is
    exhausted, closed or collected; each step runs in the span's context, the consumer never does.
    Raises: what the function raises; it is recorded on the span.
    Specification: OpenTelemetry semantic conventions, `code.function.name`, `exception.*`, `error.type`.
    """

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R_co:
        context = current()
        if tracer_for(context) is None:
            attached = with_value(context, SPAN_KEY, light_span(context))
            token = attach(attached)
            try:
                return cast("R_co", self._fn(*args, **kwargs))
            finally:
                detach(token, attached)
        span = self._start(context)
        attached = with_value(context, SPAN_KEY, span)
        token = attach(attached)
        try:
            if args or kwargs:
                self._record_arguments(span, args, kwargs)
            result: R_co = self._fn(*args, **kwargs)
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

    # By what the function gives: of a coroutine function, a coroutine.
    @overload
    def wrapped(self: TracedFunction[P, Anything], /, *args: P.args, **kwargs: P.kwargs) -> Trace[Any]: ...
    @overload
    def wrapped(  # type: ignore[overload-overlap]  # the narrower one stands first
        self: TracedFunction[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, AsyncTrace[T]]: ...
    @overload
    def wrapped(self, /, *args: P.args, **kwargs: P.kwargs) -> Trace[R_co]: ...
    def wrapped(self, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Calls the function and gives its result together with the span. Raises what the function raises."""
        context = current()
        span = self._start(context)
        attached = with_value(context, SPAN_KEY, span)
        own = Span(self._subject.name).adopt(span, attach(attached), attached)
        try:
            if args or kwargs:
                self._record_arguments(span, args, kwargs)
            result: R_co = self._fn(*self._subject.with_span(args, own), **kwargs)
            self._record_result(span, result)
            return Trace(result, own)
        except BaseException as error:
            record_exception(span, error)
            raise
        finally:
            own.__exit__(None, None, None)

    if not TYPE_CHECKING:  # to type checkers, what binds is of another type: see `typed`

        def __get__(self, receiver: object, owner: type | None = None) -> Any:
            """Binds as a function does: through an instance, it becomes a method."""
            return self if receiver is None else self._bound_to(receiver)


class _AsyncTracedFunction(Traced[P, Coroutine[Any, Any, R]]):
    """A coroutine function with a span around each call; made by `trace`.

    Takes: the function's own arguments. Gives: a coroutine for the function's own result; `.wrapped(...)` one for an
    AsyncTrace. The span begins when the coroutine is first awaited, and ends with it.
    Raises: what the function raises; it is recorded on the span. A cancelled call is recorded, but is no failed one.
    Specification: OpenTelemetry semantic conventions, `code.function.name`, `exception.*`, `error.type`.
    """

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        return self._named(self._call(*args, **kwargs))

    async def _call(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with Span(self._subject.name, self._attributes()) as own:  # as `wrapped`, without a coroutine in between
            if args or kwargs:
                self._record_arguments(own.otel_span, args, kwargs)
            result: R = await self._fn(*self._subject.with_span(args, own), **kwargs)
            self._record_result(own.otel_span, result)
            return result

    async def wrapped(self, /, *args: P.args, **kwargs: P.kwargs) -> AsyncTrace[R]:
        """Awaits the function and gives its result together with the span. Raises what the function raises."""
        with Span(self._subject.name, self._attributes()) as own:
            if args or kwargs:
                self._record_arguments(own.otel_span, args, kwargs)
            result: R = await self._fn(*self._subject.with_span(args, own), **kwargs)
            self._record_result(own.otel_span, result)
            return AsyncTrace(result, own)

    def __get__(self, receiver: object, owner: type | None = None) -> Any:
        """Binds as a function does: through an instance, it becomes a method."""
        return self if receiver is None else self._bound_to(receiver)


class _TracedSpanFunction(TracedFunction[P, R]):
    """A TracedFunction whose function receives the span, by a first parameter `trace_ctx: Span`.

    Takes: the function's own arguments, without `trace_ctx`. Gives, Raises, Specification: as TracedFunction.
    """

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.wrapped(*args, **kwargs).result


class _AsyncTracedSpanFunction(_AsyncTracedFunction[P, R]):
    """An AsyncTracedFunction whose coroutine function receives the span, by a first parameter `trace_ctx: Span`.

    Takes: the function's own arguments, without `trace_ctx`. Gives, Raises, Specification: as AsyncTracedFunction.
    """


if TYPE_CHECKING:
    # One type for all: with two, a function that gives Any, or what it was given, would be taken for a coroutine
    # function (docs/decisions/005). Whether a function receives its span no longer shows in its type either.
    AsyncTracedFunction: TypeAlias = TracedFunction[P, Coroutine[Any, Any, R]]
    TracedSpanFunction: TypeAlias = TracedFunction[P, R]
    AsyncTracedSpanFunction: TypeAlias = TracedFunction[P, Coroutine[Any, Any, R]]
else:
    AsyncTracedFunction = _AsyncTracedFunction
    TracedSpanFunction = _TracedSpanFunction
    AsyncTracedSpanFunction = _AsyncTracedSpanFunction
