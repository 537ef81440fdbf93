"""A traced function bound to a receiver: an instance, or the class.

Python's own bound method would show unbound attributes of its function, so `obj.method.wrapped(...)` would lose `obj`.
May know: the attribute by which a function names the object that it belongs to.
Must not know spans.
"""

from __future__ import annotations

import functools
from types import FunctionType, MethodType
from typing import Any, Final, cast


class TracedClassMethod(classmethod):  # type: ignore[type-arg]  # type checkers see the classmethod it was made from
    """`@trace` above `@classmethod`: binds the class, and keeps `.wrapped` on what it gives."""

    def __get__(self, receiver: object, owner: type | None = None) -> Any:
        return self.__func__.__get__(type(receiver) if owner is None else owner)


TRACED: Final = "_ops_traced"  # on a function: the TracedFunction that it belongs to

# Double-underscore attributes that a method takes from its function (Python's Data model, "Instance methods").
_OF_THE_FUNCTION: Final = frozenset(
    {"__name__", "__qualname__", "__annotations__", "__annotate__", "__type_params__", "__globals__", "__closure__",
     "__code__", "__defaults__", "__kwdefaults__"}
)  # fmt: skip


class OfFunction:
    """An attribute of what stands for a function, and is that function's: looked up anew whenever it is asked for.

    So annotations are evaluated no sooner than Python would (PEP 649), and what is pickled by value has none of them.
    `function` names the attribute that has the function. `of_class` is what the class shows of itself.
    """

    def __init__(self, function: str, *, of_class: object) -> None:
        self._function, self._of_class = function, of_class

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, one: object, owner: type | None = None) -> Any:
        return self._of_class if one is None else getattr(getattr(one, self._function), self._name)


class Bound(functools.partial):  # type: ignore[type-arg]  # stands for a TracedFunction, which is what type checkers see
    """A traced function bound to its receiver. `inspect` takes it for a method; a call costs what a partial's does."""

    @property
    def _traced(self) -> Any:
        """The Traced that was bound."""
        return self.func.__dict__[TRACED] if type(self.func) is FunctionType else self.func

    @property  # type: ignore[misc]  # to be assigned to is not what it is for
    def __class__(self) -> type:
        return MethodType

    __annotations__ = OfFunction("__func__", of_class={})

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]  # what help() shows is the function's
        return cast("str | None", self._traced.__doc__)

    @property
    def __module__(self) -> str:  # type: ignore[override]  # the function's, too
        return cast("str", self._traced.__module__)

    @property
    def __self__(self) -> object:
        (receiver,) = self.args
        return receiver

    @property
    def __func__(self) -> object:
        return self._traced

    def wrapped(self, /, *args: Any, **kwargs: Any) -> Any:
        """See TracedFunction.wrapped."""
        return self._traced.wrapped(self.__self__, *args, **kwargs)

    def __get__(self, receiver: object, owner: type | None = None) -> Any:
        return self  # already bound; from Python 3.14 on, a partial in a class would bind again

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in _OF_THE_FUNCTION:
            raise AttributeError(name)  # so that copy, pickle and others do not find the function's
        return getattr(self._traced, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bound) and self._traced is other._traced and self.__self__ is other.__self__

    def __hash__(self) -> int:
        return hash((self._traced, id(self.__self__)))

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self.__self__, self._traced.__name__)
