"""What type checkers say of traced code: mypy --strict and pyright both find nothing but what is marked with `# E`.

`# E` is an error that both find, `# E: mypy` and `# E: pyright` one that one of them finds. Run by test_typing.
"""

from __future__ import annotations

import abc
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, Protocol, Self, TypeVar, assert_type

import ops_lib as ops

T = TypeVar("T")


class Base:
    @ops.trace
    def method(self, x: int) -> str:
        return ""

    @ops.trace
    async def amethod(self, x: int) -> str:
        return ""

    @ops.trace(name="n")
    def named(self, x: int) -> str:
        return ""

    def plain(self, x: int) -> str:
        return ""

    async def aplain(self, x: int) -> str:
        return ""

    @ops.trace
    def fluent(self) -> Self:
        return self

    @ops.trace
    @classmethod
    def above(cls, x: int) -> str:
        return ""

    @classmethod
    @ops.trace
    def below(cls, x: int) -> str:
        return ""

    @ops.trace
    @staticmethod
    def static_above(x: int) -> str:
        return ""

    @staticmethod
    @ops.trace
    def static_below(x: int) -> str:
        return ""

    @staticmethod
    @ops.trace
    async def astatic_below(x: int) -> str:
        return ""

    @ops.trace
    @staticmethod
    async def astatic_above(x: int) -> str:
        return ""

    @staticmethod
    @ops.trace
    def static_nothing() -> str:
        return ""

    @ops.trace
    @staticmethod
    def static_nothing_above() -> str:
        return ""

    @staticmethod
    @ops.trace
    def static_of_base(other: Base) -> str:
        return ""

    @ops.trace
    def generate(self, n: int) -> Iterator[int]:
        yield n

    @ops.trace
    async def agenerate(self, n: int) -> AsyncIterator[int]:
        yield n

    @ops.trace
    def receives(self, trace_ctx: ops.Span, x: int) -> bool:
        return True

    @property
    @ops.trace
    def size(self) -> int:
        return 1


class Derived(Base):
    @ops.trace
    def method(self, x: int) -> str:
        return super().method(x)

    @ops.trace
    async def amethod(self, x: int) -> str:
        return await super().amethod(x)

    @ops.trace(name="m")
    def named(self, x: int, y: int = 0) -> str:
        return ""

    @ops.trace
    def plain(self, x: int) -> str:
        return ""

    @ops.trace
    async def aplain(self, x: int) -> str:
        return ""

    @ops.trace
    def fluent(self) -> Self:
        return self

    @ops.trace
    @classmethod
    def above(cls, x: int) -> str:
        return super().above(x)

    @classmethod
    @ops.trace
    def below(cls, x: int) -> str:
        return super().below(x)

    @ops.trace
    @staticmethod
    def static_above(x: int) -> str:
        return ""

    @staticmethod
    @ops.trace
    def static_below(x: int) -> str:
        return ""

    @ops.trace
    def generate(self, n: int) -> Iterator[int]:
        yield n

    @ops.trace
    async def agenerate(self, n: int) -> AsyncIterator[int]:
        yield n

    @ops.trace
    def receives(self, trace_ctx: ops.Span, x: int) -> bool:
        return True


class PlainStatics:
    @staticmethod
    def one(x: int) -> str:
        return ""

    @staticmethod
    def other(x: int) -> str:
        return ""


class TracedStatics(PlainStatics):
    @staticmethod
    @ops.trace
    def one(x: int) -> str:  # E: pyright
        return ""

    @ops.trace
    @staticmethod
    def other(x: int) -> str:  # E: pyright
        return ""


class Abstract(abc.ABC):
    @abc.abstractmethod
    def run(self, x: int) -> str: ...

    @ops.trace
    @abc.abstractmethod
    def traced_run(self, x: int) -> str: ...


class Concrete(Abstract):
    @ops.trace
    def run(self, x: int) -> str:
        return ""

    @ops.trace
    def traced_run(self, x: int) -> str:
        return ""


class Runs(Protocol):
    def run(self, x: int) -> str: ...


class Box(Generic[T]):
    def __init__(self, value: T) -> None:
        self.value = value

    @ops.trace
    def get(self) -> T:
        return self.value

    @ops.trace
    def put(self, value: T) -> None: ...


class IntBox(Box[int]):
    @ops.trace
    def get(self) -> int:
        return 1

    @ops.trace
    def put(self, value: int) -> None: ...


@ops.trace
def identity(value: T) -> T:
    return value


@ops.trace
def first(values: Sequence[T]) -> T:
    return values[0]


@ops.trace
def apply(fn: Callable[[int], str], x: int) -> str:
    return fn(x)


async def main(base: Base, derived: Derived) -> None:
    assert_type(base.method(1), str)
    assert_type(derived.method(1), str)
    assert_type(await derived.amethod(1), str)
    assert_type(derived.named(1, y=2), str)
    assert_type(derived.fluent(), Derived)
    assert_type(base.static_above(1), str)
    assert_type(base.static_below(1), str)
    assert_type(Base.static_above(1), str)
    assert_type(Base.static_below(1), str)
    assert_type(await base.astatic_below(1), str)
    assert_type(await base.astatic_above(1), str)
    assert_type(await Base.astatic_below(1), str)
    assert_type(base.static_nothing(), str)
    assert_type(base.static_nothing_above(), str)
    assert_type(Base.static_nothing(), str)
    assert_type(base.static_of_base(base), str)
    assert_type(Base.static_of_base(base), str)
    assert_type(base.static_below.wrapped(1).result, str)
    assert_type(Base.static_below.wrapped(1).result, str)
    assert_type(base.above(1), str)
    assert_type(base.below(1), str)
    assert_type(Base.above(1), str)
    assert_type(Base.below(1), str)
    assert_type(ops.wrapped(base.method)(1).result, str)
    assert_type(ops.wrapped(base.static_below)(1).result, str)
    assert_type((await ops.wrapped(base.amethod)(1)).result, str)
    base.method.wrapped(1)  # E: pyright
    assert_type(base.receives(1), bool)
    assert_type(base.size, int)
    assert_type(Base.method(base, 1), str)
    assert_type(list(base.generate(1)), list[int])
    box = Box("x")
    assert_type(box.get(), str)
    box.put("y")
    runs: Runs = Concrete()
    runs.run(1)
    callback: Callable[[int], str] = base.method
    callback(1)
    acallback: Callable[[int], Awaitable[str]] = base.amethod
    await acallback(1)
    assert_type(identity(1), int)
    assert_type(first(["a"]), str)
    apply(base.method, 1)
    apply(base.static_below, 1)
    apply(Base.static_below, 1)
    apply(Base.below, 1)
    handlers: list[Callable[[int], str]] = [base.method, derived.method, Base.below, base.static_above]
    for handler in handlers:
        handler(1)
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ops.ContextExecutor(ThreadPoolExecutor()))


async def mistakes(base: Base, derived: Derived) -> None:
    base.method("x")  # E
    derived.amethod()  # E
    base.static_below("x")  # E
    Base.static_above()  # E
    Base.below("x")  # E
    base.receives("x")  # E
    identity()  # E
    apply(derived.fluent, 1)  # E


class Wrong(Base):
    @ops.trace
    def method(self, x: str) -> str:  # E
        return ""

    @ops.trace
    def plain(self) -> str:  # E
        return ""
