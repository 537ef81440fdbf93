"""The known types: their own `repr` is safe, because it does not run code of the application.

Pure: imports nothing for this.
If a module was never imported, no value can have one of its classes.
A class is known only if its module has this very class under its name, so that borrowed names do not pass.
docs/decisions/005 lists the types, with reasons.
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

# Types of the standard library whose `repr` is complete and calls no other code. Not their subclasses.
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
# Tables and tensors are shown by their shape, a plain attribute of these classes.
_SHAPED: Final = (("pandas", "DataFrame"), ("pandas", "Series"), ("polars", "DataFrame"), ("polars", "Series"),
                  ("torch", "Tensor"))  # fmt: skip


def is_the(kind: type, module: str, name: str) -> bool:
    """Whether `kind` is the class `name` of `module`, if that was imported."""
    found = sys.modules.get(module)
    return found is not None and vars(found).get(name) is kind


def known_text(value: Any, kind: type) -> str | None:
    """The text of a value of a known type; None for others. For containers and numbers see `render`."""
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
    """A time, by its `repr`. That calls the `repr` of its zone, so an unknown zone is left out."""
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
        return repr(value) if value.dtype.kind in "biufcMm" else None  # other arrays may hold objects
    for module, name in _SHAPED:
        if is_the(kind, module, name):
            return f"[{name} {_shape(value.shape)}]"
    return None


def _shape(shape: Any) -> str:
    return "×".join(map(str, shape)) or "()"


def number_of(value: Any) -> object:
    """A number or bool of numpy as Python's own; any other value, also numpy's dates, unchanged. Raises nothing."""
    numpy = sys.modules.get("numpy")
    try:
        if numpy is not None and issubclass(type(value), numpy.generic):
            if numpy.generic.dtype.__get__(value).kind not in "biuf":
                return value
            number = numpy.generic.item(value)
            return number if type(number) in (bool, int, float) else value  # Python has no longdouble
    except Exception:  # the outermost edge: a subclass of numpy's may do anything
        return value
    return value
