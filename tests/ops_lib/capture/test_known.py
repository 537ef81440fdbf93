"""Known types say what they are; of all others, only the type is told, and none of their code runs."""

from __future__ import annotations

import array
import asyncio
import collections
import datetime
import decimal
import enum
import fractions
import functools
import ipaddress
import json
import os
import pathlib
import re
import sys
import types
import uuid
import weakref
import zoneinfo
from collections.abc import Mapping
from typing import Any

import numpy
import pandas
import pytest

from ops_lib.capture.bounds import CaptureSettings
from ops_lib.capture.render import render

DEFAULT = CaptureSettings()
UTC = datetime.UTC


class Colour(enum.Enum):
    RED = object()


class OtherZone(datetime.tzinfo):
    def utcoffset(self, when: object) -> None:
        raise AssertionError("asked")

    def __repr__(self) -> str:
        raise AssertionError("asked")


async def coroutine() -> None: ...


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1 + 2j, "(1+2j)"),
        (range(3), "range(0, 3)"),
        (decimal.Decimal("1.5"), "Decimal('1.5')"),
        (fractions.Fraction(1, 3), "Fraction(1, 3)"),
        (uuid.UUID(int=1), "UUID('00000000-0000-0000-0000-000000000001')"),
        (re.compile("a+"), "re.compile('a+')"),
        (datetime.date(2026, 11, 29), "datetime.date(2026, 11, 29)"),
        (datetime.timedelta(1), "datetime.timedelta(days=1)"),
        (datetime.datetime(1, 2, 3, tzinfo=UTC), "datetime.datetime(1, 2, 3, 0, 0, tzinfo=datetime.timezone.utc)"),
        (datetime.time(1, 2), "datetime.time(1, 2)"),
        (datetime.datetime(1, 2, 3, tzinfo=OtherZone()), f"datetime.datetime(1, 2, 3, 0, 0) <{__name__}.OtherZone>"),
        (zoneinfo.ZoneInfo("UTC"), "zoneinfo.ZoneInfo(key='UTC')"),
        (UTC, "datetime.timezone.utc"),
        (datetime.datetime(1, 2, 3, tzinfo=zoneinfo.ZoneInfo("UTC")),
         "datetime.datetime(1, 2, 3, 0, 0, tzinfo=zoneinfo.ZoneInfo(key='UTC'))"),
        (ipaddress.ip_address("10.0.0.1"), "IPv4Address('10.0.0.1')"),
        (ipaddress.ip_network("10.0.0.0/8"), "IPv4Network('10.0.0.0/8')"),
        (ipaddress.ip_network("fe80::/10"), "IPv6Network('fe80::/10')"),
        (ipaddress.ip_interface("10.0.0.1/8"), "IPv4Interface('10.0.0.1/8')"),
        (ipaddress.ip_interface("fe80::1/10"), "IPv6Interface('fe80::1/10')"),
        (ipaddress.ip_address("::1"), "IPv6Address('::1')"),
        (pathlib.PurePosixPath("/a"), "PurePosixPath('/a')"),
        (pathlib.PureWindowsPath("/a"), "PureWindowsPath('/a')"),
        (pathlib.Path("/a"), "PosixPath('/a')"),
        (Colour.RED, "Colour.RED"),
        (len, "<function builtins.len>"),
        (coroutine, f"<function {__name__}.coroutine>"),
        ([].append, "<function list.append>"),
        (Colour, f"<class {__name__}.Colour>"),
        (int, "<class int>"),
        (os, "<module os>"),
        (functools.partial(len, []), "<functools.partial>"),
        (array.array("i", [1, 2]), "[array of 2]"),
        (numpy.zeros((2, 3)), "[ndarray <f8 2×3]"),
        (numpy.array(1), "[ndarray <i8 ()]"),
        (numpy.array([object()]), "[ndarray |O 1]"),
        (numpy.complex64(1 + 2j), "np.complex64(1+2j)"),
        (numpy.timedelta64(1, "s"), "np.timedelta64(1,'s')"),
        (numpy.longdouble(1.5), "np.longdouble('1.5')"),
        (numpy.void(b"hush"), "<numpy.void>"),
        (numpy.datetime64("2026-11-29"), "np.datetime64('2026-11-29')"),
        (pandas.DataFrame({"a": [1, 2], "password": ["hush", "hush"]}), "[DataFrame 2×2]"),
        (pandas.Series([1, 2, 3]), "[Series 3]"),
        (object(), "<object>"),
    ],
)  # fmt: skip
def test_one_text(value: object, text: str) -> None:
    assert json.loads(render(value, DEFAULT)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (collections.OrderedDict(a=1), '{"a": 1}'),
        (collections.OrderedDict(a=1).items(), '[["a", 1]]'),
        (collections.OrderedDict(a=1).values(), "[1]"),
        ({"a": 1}.keys(), '["a"]'),
        ({"a": 1}.values(), "[1]"),
        ({"a": 1}.items(), '[["a", 1]]'),
        (collections.defaultdict(list, a=[1]), '{"a": [1]}'),
        (collections.Counter("aab"), '{"a": 2, "b": 1}'),
        (collections.ChainMap({"a": 1}, {"a": 2, "b": 3}), '{"a": 1, "b": 3}'),
        (types.MappingProxyType({"a": 1}), '{"a": 1}'),
        (collections.UserDict(a=1), '{"a": 1}'),
        (collections.UserList([1]), "[1]"),
        (collections.UserString("a"), '"a"'),
        (collections.deque([1, 2], 2), "[1, 2]"),
        (frozenset({1}), "[1]"),
    ],
)
def test_containers(value: object, text: str) -> None:
    assert render(value, DEFAULT) == text


class Effects:
    """A class all of whose code has effects."""

    ran: list[str] = []  # noqa: RUF012  # one list for all, on purpose

    def __getattribute__(self, name: str) -> Any:
        Effects.ran.append(name)
        return object.__getattribute__(self, name)

    def _effect(self, *args: Any) -> Any:
        Effects.ran.append("effect")
        return 1

    __repr__ = __str__ = __len__ = __iter__ = __bool__ = __hash__ = __int__ = __index__ = __float__ = _effect
    __getitem__ = __contains__ = __eq__ = __getattr__ = __format__ = __bytes__ = __fspath__ = __call__ = _effect
    __dict__ = __class__ = model_fields = __attrs_attrs__ = property(_effect)  # type: ignore[assignment]  # this is the test


class EffectsMeta(type):
    def __getattribute__(cls, name: str) -> Any:
        Effects.ran.append(f"meta {name}")
        return super().__getattribute__(name)

    def __eq__(cls, other: object) -> bool:
        Effects.ran.append("meta eq")
        return cls is other

    def __hash__(cls) -> int:
        Effects.ran.append("meta hash")
        return 1

    def __instancecheck__(cls, instance: object) -> bool:
        Effects.ran.append("meta instance")
        return True


class OfMeta(metaclass=EffectsMeta):
    pass


class EffectsMapping(Effects, Mapping):  # type: ignore[type-arg, misc]  # this is the test
    def keys(self) -> Any:
        return self._effect()

    items = values = keys


def overriding(base: type) -> type:
    """A class on `base` that overrides all with effects, but is built by it."""
    names = {name: member for name, member in vars(Effects).items() if callable(member) and name != "__class__"}
    names.pop("__getattribute__")
    more = {
        name: lambda self, *args: Effects.ran.append("more") for name in ("items", "keys", "values", "__getattribute__")
    }
    return type(f"Overriding{base.__name__}", (base,), names | more)


VALUES: list[Any] = [Effects(), EffectsMapping(), OfMeta(), OfMeta, Effects]


@pytest.mark.parametrize("number", range(len(VALUES)))
def test_no_code_of_an_unknown_class_runs(number: int) -> None:
    value = VALUES[number]
    Effects.ran.clear()
    text = render(value, DEFAULT)
    render([value, {"a": value}, (value,), types.SimpleNamespace(a=value), collections.ChainMap({"a": value})], DEFAULT)
    assert Effects.ran == []
    assert __name__ in text


@pytest.mark.parametrize(
    ("base", "arguments", "text"),
    [
        (dict, ({"a": 1},), '{"a": 1}'),
        (list, ([1],), "[1]"),
        (tuple, ([1],), "[1]"),
        (str, ("abc",), '"abc"'),
        (int, (7,), "7"),
        (float, (1.5,), "1.5"),
        (bytes, (b"abc",), '"[3 bytes]"'),
        (collections.OrderedDict, ({"a": 1},), '{"a": 1}'),
        (collections.deque, ([1],), "[1]"),
    ],
)
def test_a_subclass_is_read_by_its_base(base: Any, arguments: tuple[Any, ...], text: str) -> None:
    value = overriding(base)(*arguments)
    Effects.ran.clear()
    assert render(value, DEFAULT) == text
    assert Effects.ran == []


def test_a_subclass_of_a_number_of_numpy_is_not_asked() -> None:
    class Own(numpy.complex64):
        def __repr__(self) -> str:
            raise AssertionError("asked")

        __str__ = __repr__

    assert json.loads(render(Own(1), DEFAULT)).startswith(f"<{__name__}.")


def test_fields_of_older_pydantic_are_where_it_kept_them() -> None:
    """Before 2.10."""

    class Model:
        model_fields = {  # noqa: RUF012  # as pydantic has it
            "user": types.SimpleNamespace(repr=True), "note": types.SimpleNamespace(repr=False), "n": None,
        }  # fmt: skip

        def __init__(self) -> None:
            self.user, self.note, self.n = "u", "hush", 1
            self.__pydantic_extra__ = {"more": 2}

    assert render(Model(), DEFAULT) == '{"user": "u", "n": 1, "more": 2}'


def test_a_borrowed_name_does_not_make_a_type_known() -> None:
    class UUID(Effects):
        pass

    UUID.__module__, UUID.__qualname__ = "uuid", "UUID"
    Effects.ran.clear()
    assert render(UUID(), DEFAULT) == '"<uuid.UUID>"'
    assert Effects.ran == []


def test_proxies_are_told_by_their_own_type() -> None:
    class Target:
        pass

    target = Target()
    assert render(weakref.proxy(target), DEFAULT) == '"<weakref.ProxyType>"'
    assert render(types.MappingProxyType(EffectsMapping()), DEFAULT) == f'"<{__name__}.EffectsMapping>"'


async def test_what_runs_is_named_and_not_run() -> None:
    running = coroutine()
    assert render(running, DEFAULT) == '"<coroutine coroutine>"'
    await running
    task = asyncio.current_task()
    assert render(task, DEFAULT) == '"<_asyncio.Task>"'
    assert render((number for number in [1]), DEFAULT).startswith('"<generator ')


def test_an_endless_iterator_is_not_begun() -> None:
    assert render(iter([1]), DEFAULT) == '"<list_iterator>"'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (numpy.bool_(True), "true"),
        (numpy.int64(-5), "-5"),
        (numpy.uint8(5), "5"),
        (numpy.float32(0.5), "0.5"),
    ],
)
def test_numbers_of_numpy_are_numbers(value: object, text: str) -> None:
    assert render(value, CaptureSettings()) == text


@pytest.mark.parametrize("module", ["pathlib", "pathlib._local"])
@pytest.mark.parametrize("name", ["PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"])
def test_paths_are_known_on_every_system_and_in_every_python(
    module: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.13 has them in a module of their own."""
    kind = type(name, (), {"__module__": module, "__repr__": lambda self: f"{name}('a')"})
    with monkeypatch.context() as only_here:
        only_here.setitem(sys.modules, module, types.SimpleNamespace(**{name: kind}))  # type: ignore[arg-type]  # enough
        assert json.loads(render(kind(), DEFAULT)) == f"{name}('a')"
    assert json.loads(render(kind(), DEFAULT)) == f"<{module}.{name}>"


@pytest.mark.parametrize(
    ("module", "name"),
    [("pandas", "DataFrame"), ("pandas", "Series"), ("polars", "DataFrame"), ("polars", "Series"), ("torch", "Tensor")],
)
def test_tables_and_tensors_are_told_by_their_shape(module: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type(name, (), {"__module__": module, "shape": (1000, 7)})
    with monkeypatch.context() as only_here:
        only_here.setitem(sys.modules, module, types.SimpleNamespace(**{name: kind}))  # type: ignore[arg-type]  # enough
        assert json.loads(render(kind(), DEFAULT)) == f"[{name} 1000×7]"
    assert json.loads(render(kind(), DEFAULT)) == f"<{module}.{name}>"
