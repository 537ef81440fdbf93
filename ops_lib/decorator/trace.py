"""`@trace`: chooses the wrapper for a callable. `typed` has its types for type checkers."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Coroutine, Mapping
from types import FunctionType
from typing import Any, ParamSpec, Protocol, TypeVar, cast, overload

from ops_lib.decorator.bound import TracedClassMethod
from ops_lib.decorator.coroutine import AsyncTracedFunction, AsyncTracedSpanFunction
from ops_lib.decorator.function import Traced, TracedFunction, TracedSpanFunction
from ops_lib.decorator.generators import TracedAsyncGenerator, TracedGenerator
from ops_lib.decorator.result import AsyncTrace, Trace
from ops_lib.decorator.subject import Subject

P = ParamSpec("P")
R = TypeVar("R")


class TraceDecorator(Protocol):
    """What `trace(...)` gives: the decorator.

    Takes: what `trace` takes as `fn`. Gives: what `trace` gives. Raises: what `trace` raises. Specification: none.
    """

    def __call__(self, fn: Any, /) -> Any: ...


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

    Takes:

    - `fn`: a function, method, static or class method, coroutine function, generator function of either kind, or a
      callable object.
    - `name`: of the span; default: the function's.
    - `tags`: one or several (attribute `ops.tags`).
    - `metadata`: attributes `ops.metadata.*`.
    - `capture_args`: whether arguments are recorded, or the names of those that are.
    - `capture_result`: whether the result is recorded.

    The last two default to what `configure` has set: to record them, bounded and with secrets scrubbed.
    A first parameter `trace_ctx: Span` receives the span and is not the caller's to give.
    Gives: a TracedFunction or AsyncTracedFunction of the same signature, with `.wrapped(...)`.
    For `.wrapped` of a class method, put `@trace` above `@classmethod`:
    from Python 3.13 on, the other order binds the call only.
    Raises: TypeError if `fn` is a class, a property or not callable.
    Calls raise what the function raises.
    Specification: OpenTelemetry semantic conventions, `code.function.name`, `exception.*`, `error.type`, `session.id`.
    """

    def decorate(fn: Any, *, is_static: bool = False) -> Any:
        if isinstance(fn, classmethod):
            return TracedClassMethod(decorate(fn.__func__))
        if isinstance(fn, staticmethod):
            return staticmethod(decorate(fn.__func__, is_static=True))
        if isinstance(fn, type):
            raise TypeError(f"trace needs a function, not the class {fn.__qualname__}; trace its methods instead")
        if not callable(fn):
            hint = "; put @property above @trace" if isinstance(fn, property) else ""
            raise TypeError(f"trace needs a callable, not {type(fn).__name__}{hint}")
        subject = Subject(
            fn, name=name, tags=tags, metadata=metadata, capture_args=capture_args, capture_result=capture_result
        )
        traced = _kind_of(fn, subject.span_index is not None)(subject)
        if type(traced) in _AS_FUNCTION and type(fn) is FunctionType and (is_static or not _is_in_class(fn)):
            return cast("TracedFunction[..., Any]", traced).as_function()
        return traced

    return decorate if fn is None else decorate(fn)


_AS_FUNCTION = frozenset({TracedFunction, TracedSpanFunction})


def _is_in_class(fn: FunctionType) -> bool:
    """Whether `fn` was written in the body of a class."""
    return "." in fn.__qualname__.rpartition("<locals>.")[2]


def _kind_of(fn: Any, receives_span: bool) -> type[Traced[..., Any]]:
    """The wrapper for a callable of this kind."""
    call = fn
    while isinstance(call, functools.partial):
        call = call.func
    if not (inspect.isroutine(call) or hasattr(call, "__code__")):
        call = call.__call__  # a callable object is what its __call__ is
    if inspect.iscoroutinefunction(call):
        return AsyncTracedSpanFunction if receives_span else AsyncTracedFunction
    if inspect.isgeneratorfunction(call):
        return TracedGenerator
    if inspect.isasyncgenfunction(call):
        return TracedAsyncGenerator
    return TracedSpanFunction if receives_span else TracedFunction


@overload
def wrapped(  # type: ignore[overload-overlap]  # the narrower one stands first
    fn: Callable[P, Coroutine[Any, Any, R]], /
) -> Callable[P, Coroutine[Any, Any, AsyncTrace[R]]]: ...
@overload
def wrapped(fn: Callable[P, R], /) -> Callable[P, Trace[R]]: ...
def wrapped(fn: Any, /) -> Any:
    """`fn.wrapped`, for type checkers that do not know of it: pyright sees a traced method as a plain one.

    Takes: `fn`, a traced function or method.
    Gives: a callable that takes what `fn` takes and gives the result together with its span, as a Trace; of a coroutine
    function, a coroutine for an AsyncTrace.
    Raises: TypeError if `fn` is not traced.
    Specification: none.
    """
    if (found := getattr(fn, "wrapped", None)) is None:
        raise TypeError(f"wrapped needs a traced function, not {fn!r}")
    return found
