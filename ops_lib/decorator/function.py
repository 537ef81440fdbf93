"""Functions with a span around each call: what `@trace` makes of functions, methods and coroutine functions.

The wrapper is an object that behaves like its function: `inspect` recognises coroutine and generator functions,
signatures match, methods bind, pickling is by name.
May know: spans, `subject`, the Context.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from operator import attrgetter
from types import CellType, CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, TypeAlias, TypeVar, cast, overload

from ops_lib.decorator.bound import TRACED, Bound, OfFunction, TracedClassMethod
from ops_lib.decorator.calls import Recorder, call_of, call_wrapped, is_call, named_as
from ops_lib.decorator.result import AsyncTrace, Trace
from ops_lib.decorator.subject import Subject

if TYPE_CHECKING:
    from ops_lib.decorator.signatures import Anything

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)


# Python's Data model, "Customizing class creation", "Emulating generic types": class methods without saying so.
_CLASS_METHODS: Final = frozenset({"__init_subclass__", "__class_getitem__"})

# All but `__annotate__`, of Python 3.14, which refers to the class that the function is in.
_ASSIGNED: Final[tuple[str, ...]] = functools.WRAPPER_ASSIGNMENTS
_COPIED: Final = tuple(name for name in _ASSIGNED if name != "__annotate__")


class Traced(Generic[P, R_co]):
    """The base of every kind of traced callable."""

    # Nothing in this class and those made from it is annotated in the class: from Python 3.14 on, an object that has no
    # annotations of its own would show its class's.
    __annotations__ = OfFunction("__wrapped__", of_class={})
    __annotate__ = OfFunction("__wrapped__", of_class=None)

    def __init__(self, subject: Subject) -> None:
        functools.update_wrapper(self, subject.fn, _COPIED)  # type: ignore[arg-type]  # an object stands for the function
        self.__wrapped__: Callable[P, R_co] = subject.fn
        for name in (TRACED, "wrapped"):  # it wraps another traced function
            self.__dict__.pop(name, None)
        self.__name__: str = getattr(subject.fn, "__name__", subject.name)
        self.__qualname__: str = getattr(subject.fn, "__qualname__", subject.name)
        if subject.signature is not None:
            self.__signature__ = subject.signature
        self._subject = subject
        self._recorder = Recorder(subject)
        self._fn = subject.fn
        self._target = cast("Callable[..., Any]", self)  # of a bound call

    def __repr__(self) -> str:
        return f"<traced {self._fn!r}>"

    def __reduce__(self) -> str:
        return self.__qualname__  # pickled by name, as functions are

    # From here on: makes `isinstance` and `inspect` accept the object as a function (PEP 362, "functionlike").
    # Frameworks ask these two, and treat other objects differently (Starlette: as an ASGI app).
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
        """Makes a class method or static method where Python does so for plain functions."""
        if name in _CLASS_METHODS:
            setattr(owner, name, TracedClassMethod(cast("Any", self)))
        elif name == "__new__":
            setattr(owner, name, staticmethod(cast("Any", self)))

    def _bound_to(self, receiver: object) -> Any:
        return Bound(self._target, receiver)


class _Kind(type):
    """Lets `isinstance` recognise a traced function that is a plain function (`as_function`)."""

    def __instancecheck__(cls, instance: object) -> bool:
        if type.__instancecheck__(cls, instance):
            return True
        return issubclass(TracedFunction, cls) and is_call(instance)


class TracedFunction(Traced[P, R_co], metaclass=_Kind):
    """A function with a span around each call; made by `trace`.

    Takes: the function's own arguments.
    Gives: the function's own result; `.wrapped(...)` gives it as a Trace.
    For a generator function (also an asynchronous one), the span begins with the first step and lasts until the
    generator is exhausted, closed or collected.
    Each step runs in the span's context, the consumer never does.
    Raises: what the function raises; it is recorded on the span.
    Specification: OpenTelemetry semantic conventions, `code.function.name`, `exception.*`, `error.type`.
    """

    if TYPE_CHECKING:

        def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R_co: ...

    else:
        __call__ = property(attrgetter("_call"))  # the function itself: a method would be one call more

    _receives_span = False

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._call = self._target = call_of(subject.fn, self._recorder, receives_span=self._receives_span)
        self._call.__dict__[TRACED] = self

    def as_function(self) -> FunctionType:
        """The same as a plain Python function with `wrapped`, which `isinstance` still recognises.

        Before Python 3.12, an object can recurse only two thirds as deep.
        The function does not bind `wrapped`, so it is not for methods.
        """
        del self._call.__dict__[TRACED]
        return named_as(self._call, self._subject, self._recorder)

    # Wrap the call for what the function returns: a coroutine for a coroutine function.
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
        return call_wrapped(self._fn, self._recorder, *args, **kwargs)

    if not TYPE_CHECKING:  # for type checkers, methods have another type: see `typed`

        def __get__(self, receiver: object, owner: type | None = None) -> Any:
            """Binds as a function does: through an instance, it becomes a method."""
            return self if receiver is None else self._bound_to(receiver)


class _SpanKind(_Kind):
    def __instancecheck__(cls, instance: object) -> bool:
        return type.__instancecheck__(cls, instance) or is_call(instance, receives_span=True)


class _TracedSpanFunction(TracedFunction[P, R], metaclass=_SpanKind):
    """A TracedFunction whose function receives the span, by a first parameter `trace_ctx: Span`.

    Takes: the function's own arguments, without `trace_ctx`. Gives, Raises, Specification: as TracedFunction.
    """

    _receives_span = True


if TYPE_CHECKING:
    TracedSpanFunction: TypeAlias = TracedFunction[P, R]  # its type does not show whether it receives its span
else:
    TracedSpanFunction = _TracedSpanFunction
