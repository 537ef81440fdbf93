"""Functions with a span around each call: what `@trace` makes of functions, methods and coroutine functions.

The wrapper is an object that behaves as the function it wraps: `inspect` tells coroutine and generator functions, the
signature is the function's, methods bind, pickling goes by name. May know: spans, `subject`, the Context.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from operator import attrgetter
from types import CellType, CodeType, FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, ParamSpec, TypeAlias, TypeVar, cast, overload

from opentelemetry.context import Context
from opentelemetry.trace import Span as OtelSpan

from ops_lib.context.current import SPAN_KEY, attach, current, with_value
from ops_lib.decorator.bound import TRACED, Bound, TracedClassMethod
from ops_lib.decorator.calls import call_of
from ops_lib.decorator.result import AsyncTrace, Trace
from ops_lib.decorator.subject import ARGUMENTS, RESULT, Subject
from ops_lib.spans.attributes import Fit
from ops_lib.spans.configured import RUNTIME
from ops_lib.spans.exceptions import record_exception
from ops_lib.spans.span import Span, start_in

if TYPE_CHECKING:
    from ops_lib.decorator.signatures import Anything

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)


# Python's Data model, "Customizing class creation", "Emulating generic types": class methods without saying so.
_CLASS_METHODS: Final = frozenset({"__init_subclass__", "__class_getitem__"})


class Traced(Generic[P, R_co]):
    """What every traced callable has, whatever its kind."""

    __wrapped__: Callable[P, R_co]

    # What a bound call is made of.
    _target: Callable[..., Any]

    def __init__(self, subject: Subject) -> None:
        functools.update_wrapper(self, subject.fn)  # type: ignore[arg-type]  # an object stands for the function
        for name in (TRACED, "wrapped"):  # of another traced function, which it wraps
            self.__dict__.pop(name, None)
        self.__name__: str = getattr(subject.fn, "__name__", subject.name)
        self.__qualname__: str = getattr(subject.fn, "__qualname__", subject.name)
        if subject.signature is not None:
            self.__signature__ = subject.signature
        self._subject = subject
        self._fn = subject.fn
        self._target = cast("Callable[..., Any]", self)

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
        return Bound(self._target, receiver)

    @property
    def name(self) -> str:
        """Of the span of a call."""
        return self._subject.name

    def with_span(self, args: tuple[Any, ...], span: Span) -> tuple[Any, ...]:
        """`args` with `span` in its place, for a function that asks for it."""
        return self._subject.with_span(args, span)

    def start(self, context: Context) -> OtelSpan:
        """A started span for a call."""
        return start_in(context, self._subject.name, self._attributes())

    def _attributes(self) -> Fit:
        subject = self._subject
        return subject.attributes if subject.fit_for is RUNTIME.capture else subject.fit()

    def record_arguments(self, span: OtelSpan | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Puts the arguments of a call on its span, where they are to be recorded."""
        if span is not None and span.is_recording():
            text = self._subject.arguments(args, kwargs, RUNTIME.capture)
            if text is not None:
                span.set_attribute(ARGUMENTS, text)

    def record_result(self, span: OtelSpan | None, value: object) -> None:
        """Puts the result of a call on its span, where it is to be recorded."""
        if span is None or not span.is_recording():
            return
        if (text := self._subject.result(value, RUNTIME.capture)) is not None:
            span.set_attribute(RESULT, text)


class _Kind(type):
    """Has `isinstance` find what a function was made into, where that is a function as well (`as_function`)."""

    def __instancecheck__(cls, instance: object) -> bool:
        if type.__instancecheck__(cls, instance):
            return True
        traced = instance.__dict__.get(TRACED) if type(instance) is FunctionType else None
        return traced is not None and traced._call is instance and issubclass(type(traced), cls)


class TracedFunction(Traced[P, R_co], metaclass=_Kind):
    """A function with a span around each call; made by `trace`.

    Takes: the function's own arguments. Gives: the function's own result; `.wrapped(...)` gives it as a Trace. For a
    generator function (also an asynchronous one) the span begins with the first step and lasts until the generator is
    exhausted, closed or collected; each step runs in the span's context, the consumer never does.
    Raises: what the function raises; it is recorded on the span.
    Specification: OpenTelemetry semantic conventions, `code.function.name`, `exception.*`, `error.type`.
    """

    if TYPE_CHECKING:

        def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R_co: ...

    else:
        __call__ = property(attrgetter("_call"))  # the function itself: a method would be one call more

    _receives_span: ClassVar[bool] = False

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._call = call_of(subject.fn, self, receives_span=self._receives_span)
        self._call.__dict__[TRACED] = self
        self._target = self._call

    def as_function(self) -> FunctionType:
        """The same as a function of Python's, to `isinstance` still what this is, with `wrapped`.

        Before Python 3.12, an object may call itself two thirds as deep only. It does not bind `wrapped`, so it is not
        for methods.
        """
        function = self._call
        functools.update_wrapper(function, self._fn)
        function.__dict__.update({TRACED: self, "wrapped": self.wrapped})
        if self._subject.signature is not None:
            function.__dict__["__signature__"] = self._subject.signature
        return function

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
        span = self.start(context)
        attached = with_value(context, SPAN_KEY, span)
        own = Span(self._subject.name).adopt(span, attach(attached), attached)
        try:
            if args or kwargs:
                self.record_arguments(span, args, kwargs)
            result: R_co = self._fn(*self._subject.with_span(args, own), **kwargs)
            self.record_result(span, result)
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


class _TracedSpanFunction(TracedFunction[P, R]):
    """A TracedFunction whose function receives the span, by a first parameter `trace_ctx: Span`.

    Takes: the function's own arguments, without `trace_ctx`. Gives, Raises, Specification: as TracedFunction.
    """

    _receives_span = True


if TYPE_CHECKING:
    TracedSpanFunction: TypeAlias = TracedFunction[P, R]  # whether it receives its span does not show in its type
else:
    TracedSpanFunction = _TracedSpanFunction
