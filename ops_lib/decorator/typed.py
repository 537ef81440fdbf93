"""`trace` as type checkers see it. Nothing here runs.

Functions become a TracedFunction.
A method is recognised by the name of its first parameter, `self` or `cls`.
Its type differs between checkers, because no type says both
"this is a method" and "it has an attribute `wrapped`" to all:

- mypy sees an object that binds as a method does, and so has `.wrapped`;
- pyright and others see the method itself. They take an object in place of a method for an error, if it overrides
  one (reportIncompatibleMethodOverride). So `.wrapped` of a method is not known to them.

docs/decisions/005-library-spans.md has the cases, and tests/ops_lib/decorator/typing_cases.py proves them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

from ops_lib.decorator.function import TracedFunction
from ops_lib.decorator.signatures import (
    ClassMethod,
    Fluent,
    FluentClass,
    Method,
    MethodWantsSpan,
    OfClass,
    OfInstance,
    WantsSpan,
)

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
S = TypeVar("S")
T = TypeVar("T")
M = TypeVar("M", bound="Method[Any, ..., Any] | ClassMethod[Any, ..., Any]")

MYPY = False  # only mypy treats it as True

if MYPY:

    class TracedMethod(TracedFunction[P, R_co]):
        """A TracedFunction that binds."""

        # On the class: a class method, else as it is. Through an instance: a method, or a class method.
        @overload
        def __get__(self: OfClass[S, Q, R], receiver: None, owner: type[S]) -> TracedMethod[Q, R]: ...
        @overload
        def __get__(self: FluentClass[T, Q], receiver: None, owner: type[S]) -> TracedMethod[Q, S]: ...
        @overload
        def __get__(self, receiver: None, owner: type | None = None) -> TracedMethod[P, R_co]: ...
        @overload
        def __get__(self: OfInstance[S, Q, R], receiver: S, owner: type | None = None) -> TracedMethod[Q, R]: ...
        @overload
        def __get__(self: OfClass[S, Q, R], receiver: S, owner: type | None = None) -> TracedMethod[Q, R]: ...
        @overload
        def __get__(self: Fluent[T, Q], receiver: S, owner: type | None = None) -> TracedMethod[Q, S]: ...
        @overload
        def __get__(self: FluentClass[T, Q], receiver: S, owner: type | None = None) -> TracedMethod[Q, S]: ...
        @overload
        def __get__(self, receiver: object, owner: type | None = None) -> TracedMethod[P, R_co]: ...
        def __get__(self, receiver: object, owner: type | None = None) -> Any: ...

    class TraceDecorator(Protocol):
        @overload
        def __call__(self, fn: classmethod[S, P, R], /) -> classmethod[S, P, R]: ...
        @overload
        def __call__(self, fn: WantsSpan[P, R], /) -> TracedFunction[P, R]: ...
        @overload
        def __call__(self, fn: MethodWantsSpan[S, P, R], /) -> TracedMethod[Concatenate[S, P], R]: ...
        @overload
        def __call__(self, fn: Method[S, P, R], /) -> TracedMethod[Concatenate[S, P], R]: ...
        @overload
        def __call__(self, fn: ClassMethod[S, P, R], /) -> TracedMethod[Concatenate[S, P], R]: ...
        @overload
        def __call__(self, fn: Callable[P, R], /) -> TracedFunction[P, R]: ...

    @overload
    def trace(fn: classmethod[S, P, R], /) -> classmethod[S, P, R]: ...
    @overload
    def trace(fn: WantsSpan[P, R], /) -> TracedFunction[P, R]: ...
    @overload
    def trace(fn: MethodWantsSpan[S, P, R], /) -> TracedMethod[Concatenate[S, P], R]: ...
    @overload
    def trace(fn: Method[S, P, R], /) -> TracedMethod[Concatenate[S, P], R]: ...
    @overload
    def trace(fn: ClassMethod[S, P, R], /) -> TracedMethod[Concatenate[S, P], R]: ...
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
    ) -> TraceDecorator: ...
    def trace(fn: Any = None, /, **options: Any) -> Any: ...

else:

    class TraceDecorator(Protocol):
        @overload
        def __call__(self, fn: WantsSpan[P, R], /) -> TracedFunction[P, R]: ...
        @overload
        def __call__(self, fn: MethodWantsSpan[S, P, R], /) -> Callable[Concatenate[S, P], R]: ...
        @overload
        def __call__(self, fn: M, /) -> M: ...
        @overload
        def __call__(self, fn: Callable[P, R], /) -> TracedFunction[P, R]: ...

    @overload
    def trace(fn: WantsSpan[P, R], /) -> TracedFunction[P, R]: ...
    @overload
    def trace(fn: MethodWantsSpan[S, P, R], /) -> Callable[Concatenate[S, P], R]: ...
    @overload
    def trace(fn: M, /) -> M: ...
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
    ) -> TraceDecorator: ...
    def trace(fn: Any = None, /, **options: Any) -> Any: ...
