"""Reads what an object stores, without running code of its class.

Pure.
A property, `__getattr__`, `__len__`, `__iter__` or `__repr__` may
query a database or take a lock, so they are never called here.
Values come from the instance's `__dict__` and slots, names from the class's declarations.
Both are found by walking the class dictionaries, without metaclasses.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from types import GetSetDescriptorType, MemberDescriptorType, SimpleNamespace
from typing import Any, Final

_MISSING: Final[Any] = object()
_mro: Final = type.__dict__["__mro__"].__get__
_names: Final = type.__dict__["__dict__"].__get__
_module: Final = type.__dict__["__module__"].__get__
_qualname: Final = type.__dict__["__qualname__"].__get__


def is_a(kind: type, base: type) -> bool:
    """Whether `kind` is `base` or inherits from it: `issubclass` without the metaclass of an abstract base."""
    return any(found is base for found in _mro(kind))


def is_scalar(kind: type) -> bool:
    """Whether `kind` is a type that OpenTelemetry accepts for an attribute."""
    return kind is str or kind is int or kind is bool or kind is float


def module_of(kind: type) -> str:
    """The module of a class; empty if the class says none."""
    try:
        module = _module(kind)
    except AttributeError:
        return ""
    return module if type(module) is str else ""


def qualname_of(kind: type) -> str:
    """The qualified name of a class."""
    return str(_qualname(kind))


def name_of(kind: type) -> str:
    """The name of a class, for exceptions and unknown values: qualified, but plain for builtins."""
    module = module_of(kind)
    return qualname_of(kind) if module in ("builtins", "") else f"{module}.{qualname_of(kind)}"


def declared(kind: type, name: str) -> Any:
    """The raw attribute `name` of the class `kind` or one of its bases; None without one."""
    for base in _mro(kind):
        if (found := _names(base).get(name, _MISSING)) is not _MISSING:
            return found
    return None


def instance_dict(value: object) -> Mapping[str, object]:
    """The `__dict__` of `value`; empty if it has none, or if its class overrides it."""
    descriptor = declared(type(value), "__dict__")
    if type(descriptor) not in (GetSetDescriptorType, MemberDescriptorType):
        return {}
    found = descriptor.__get__(value)
    return found if type(found) is dict else {}


def stored(value: object, name: str) -> object:
    """The value stored under `name`: in the `__dict__`, in a slot, or as the class's default.

    A property or other computed attribute is returned as its descriptor, not its value.
    """
    if (found := instance_dict(value).get(name, _MISSING)) is not _MISSING:
        return found
    found = declared(type(value), name)
    if type(found) is not MemberDescriptorType:
        return found
    try:
        return found.__get__(value)
    except AttributeError:  # a slot that was never filled
        return None


def fields_of(value: object) -> Iterator[tuple[object, object]] | None:
    """Names and values of the fields that a class declares; None for a class without fields.

    Knows dataclasses, named tuples, pydantic models (with their extra values), attrs classes and SimpleNamespace.
    Leaves out fields whose declaration excludes them from `repr`, or replaces their `repr`.
    """
    kind = type(value)
    if type(found := declared(kind, "__dataclass_fields__")) is dict:
        fields = dataclasses.fields(SimpleNamespace(__dataclass_fields__=found))  # type: ignore[arg-type]  # it only reads that name
        return _read(value, [field.name for field in fields if field.repr])
    if issubclass(kind, tuple):
        found = declared(kind, "_fields")
        return zip(found, tuple.__iter__(value), strict=False) if type(found) is tuple else None  # type: ignore[arg-type]  # a tuple
    for name in ("__pydantic_fields__", "model_fields"):  # the second one before pydantic 2.10
        if type(found := declared(kind, name)) is dict:
            shown = [field for field, said in found.items() if said is None or stored(said, "repr") is not False]
            return _read(value, shown, stored(value, "__pydantic_extra__"))
    if issubclass(type(found := declared(kind, "__attrs_attrs__")), tuple):
        every = list(tuple.__iter__(found))
        return _read(value, [str(stored(field, "name")) for field in every if stored(field, "repr") is True])
    return iter(instance_dict(value).items()) if issubclass(kind, SimpleNamespace) else None


def _read(value: object, names: Iterable[str], extra: object = None) -> Iterator[tuple[object, object]]:
    for name in names:
        yield name, stored(value, name)
    if type(extra) is dict:
        yield from extra.items()
