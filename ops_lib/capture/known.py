"""Which types are known: their own text may be asked for, because it runs no code of the application's.

Pure: nothing is imported for this. If a module was not imported, no value can be of a class of its. A class counts
as known only if its module has that very class under its name, so that nothing passes by a borrowed name.
Which types, and why these: docs/decisions/005.
"""

from __future__ import annotations

import sys
from types import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    CoroutineType,
    FunctionType,
    GeneratorType,
    MethodType,
    ModuleType,
)
from typing import Any, Final

from ops_lib.capture.stored import module_of, name_of, qualname_of, stored

# Values of the standard library whose `repr` says all there is and asks nobody else. Subclasses are not meant.
_SPOKEN: Final = frozenset(
    {("builtins", "complex"), ("builtins", "range"), ("decimal", "Decimal"), ("fractions", "Fraction"),
     ("uuid", "UUID"), ("re", "Pattern"), ("datetime", "date"), ("datetime", "timedelta"), ("datetime", "timezone"),
     ("zoneinfo", "ZoneInfo"),
     ("ipaddress", "IPv4Address"), ("ipaddress", "IPv6Address"), ("ipaddress", "IPv4Network"),
     ("ipaddress", "IPv6Network"), ("ipaddress", "IPv4Interface"), ("ipaddress", "IPv6Interface"),
     *((module, name) for module in ("pathlib", "pathlib._local")
       for name in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"))}
)  # fmt: skip
_TIMES: Final = frozenset({("datetime", "datetime"), ("datetime", "time")})
# Tables and tensors are told by their shape. It is a plain attribute of these very classes.
_SHAPED: Final = (("pandas", "DataFrame"), ("pandas", "Series"), ("polars", "DataFrame"), ("polars", "Series"),
                  ("torch", "Tensor"))  # fmt: skip


def is_the(kind: type, module: str, name: str) -> bool:
    """Whether `kind` is the class `name` of `module`, which somebody has imported."""
    found = sys.modules.get(module)
    return found is not None and vars(found).get(name) is kind


def known_text(value: Any, kind: type) -> str | None:
    """The text of a value of a known type; None for any other. Containers and numbers are not meant: see `render`."""
    module, name = module_of(kind), qualname_of(kind)
    if (module, name) in _SPOKEN:
        return repr(value) if is_the(kind, module, name) else None
    if (module, name) in _TIMES and is_the(kind, module, name):
        return _time(value)
    if kind is FunctionType or kind is BuiltinFunctionType:
        return f"<function {_qualified(value)}>"
    if kind is MethodType:
        return f"<method {_qualified(value.__func__)}>"
    if kind is CoroutineType or kind is GeneratorType or kind is AsyncGeneratorType:
        return f"<{name.replace('_', ' ')} {value.__qualname__}>"
    if kind is ModuleType:
        return f"<module {stored(value, '__name__')}>"
    if issubclass(kind, type):
        return f"<class {name_of(value)}>"
    if (enum := sys.modules.get("enum")) is not None and issubclass(kind, enum.Enum):
        return f"{name}.{stored(value, '_name_')}"
    return _summary(value, kind)


def _time(value: Any) -> str | None:
    """A time by its `repr`, which asks its zone for one: that may be anyone's, and is left out then."""
    zone = value.tzinfo
    if zone is None or is_the(type(zone), "datetime", "timezone") or is_the(type(zone), "zoneinfo", "ZoneInfo"):
        return repr(value)
    return f"{value.replace(tzinfo=None)!r} <{name_of(type(zone))}>"


def _qualified(function: Any) -> str:
    if (kind := type(function)) is not FunctionType and kind is not BuiltinFunctionType:
        return name_of(kind)
    module, name = function.__module__, function.__qualname__
    return f"{module}.{name}" if type(module) is str else str(name)


def _summary(value: Any, kind: type) -> str | None:
    numpy = sys.modules.get("numpy")
    if numpy is not None and issubclass(kind, numpy.ndarray):
        shape, dtype = numpy.ndarray.shape.__get__(value), numpy.ndarray.dtype.__get__(value)
        return f"[ndarray {numpy.dtype.str.__get__(dtype)} {_shape(shape)}]"
    if numpy is not None and issubclass(kind, numpy.generic) and is_the(kind, "numpy", qualname_of(kind)):
        return repr(value) if value.dtype.kind in "biufcMm" else None  # all others may hold objects
    for module, name in _SHAPED:
        if is_the(kind, module, name):
            return f"[{name} {_shape(value.shape)}]"
    return None


def _shape(shape: Any) -> str:
    return "×".join(map(str, shape)) or "()"


def number_of(value: Any) -> object:
    """A number or truth value of numpy's as Python's own; all else, numpy's dates too, as it is. Raises nothing."""
    numpy = sys.modules.get("numpy")
    try:
        if numpy is not None and issubclass(type(value), numpy.generic):
            if numpy.generic.dtype.__get__(value).kind not in "biuf":
                return value
            number = numpy.generic.item(value)
            return number if type(number) in (bool, int, float) else value  # a longdouble is none of Python's
    except Exception:  # the outermost edge: a class made from numpy's may do anything
        return value
    return value
