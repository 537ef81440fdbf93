"""Protocols for type checkers: how a callable binds, and whether it gets the span.

For type checkers only; nothing here runs.
A traced function is an object, so type checkers need to know how it binds.
They find a method by the type of its first parameter, and a class method by `type[...]`.
"""

from __future__ import annotations

from typing import ParamSpec, Protocol, TypeVar

from ops_lib.spans.span import Span

P = ParamSpec("P")
S_contra = TypeVar("S_contra", contravariant=True)
T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)


class OfInstance(Protocol[S_contra, P, R_co]):
    """A method's function."""

    def __call__(self, instance: S_contra, /, *args: P.args, **kwargs: P.kwargs) -> R_co: ...


class OfClass(Protocol[S_contra, P, R_co]):
    """A class method's function."""

    def __call__(self, cls: type[S_contra], /, *args: P.args, **kwargs: P.kwargs) -> R_co: ...


class Fluent(Protocol[T, P]):
    """The function of a method that gives `Self`: mypy does not find it in OfInstance."""

    def __call__(self, instance: T, /, *args: P.args, **kwargs: P.kwargs) -> T: ...


class FluentClass(Protocol[T, P]):
    """The function of a class method that gives `Self`."""

    def __call__(self, cls: type[T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...


class Anything:
    """A type that no function returns: only Any matches it."""


class WantsSpan(Protocol[P, R_co]):
    """A function that gets its span."""

    def __call__(self, trace_ctx: Span, *args: P.args, **kwargs: P.kwargs) -> R_co: ...


class MethodWantsSpan(Protocol[S_contra, P, R_co]):
    """A method, or a class method, that gets its span."""

    def __call__(self, receiver: S_contra, /, trace_ctx: Span, *args: P.args, **kwargs: P.kwargs) -> R_co: ...


class Method(Protocol[S_contra, P, R_co]):
    """A function whose first parameter is called `self`: this distinguishes methods from functions."""

    def __call__(_, /, self: S_contra, *args: P.args, **kwargs: P.kwargs) -> R_co: ...


class ClassMethod(Protocol[S_contra, P, R_co]):
    """A function whose first parameter is called `cls`."""

    def __call__(_, /, cls: S_contra, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
