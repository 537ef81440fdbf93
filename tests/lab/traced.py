"""Traced functions, methods and generators, for tests of what `@trace` makes of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator

import ops_lib as ops


@ops.trace
def add(a: int, b: int = 2) -> int:
    """Adds."""
    return a + b


@ops.trace
async def later(value: str) -> str:
    await asyncio.sleep(0)
    return value


class Shop:
    def __init__(self, name: str) -> None:
        self.name = name

    @ops.trace
    def price(self, item: str) -> str:
        """Asks the price."""
        return f"{self.name}:{item}"

    @ops.trace
    async def order(self, item: str) -> str:
        return f"{self.name}:{item}"

    @ops.trace
    @classmethod
    def above(cls, name: str) -> Shop:
        return cls(name)

    @classmethod
    @ops.trace
    def below(cls, name: str) -> Shop:
        return cls(name)

    @ops.trace
    @staticmethod
    def tax(rate: float) -> float:
        return rate

    @staticmethod
    @ops.trace
    def vat(rate: float) -> float:
        return rate

    @property
    @ops.trace
    def label(self) -> str:
        return self.name.upper()

    @ops.trace
    def __call__(self, n: int) -> int:
        return n


def here() -> str | None:
    """The id of the span in force, 16 hex digits."""
    return ops.current_span().span_id


@ops.trace
def numbers(n: int) -> Generator[str | None, str, int]:
    for _ in range(n):
        yield here()
    return n


@ops.trace
async def anumbers(n: int) -> AsyncGenerator[str | None, str]:
    for _ in range(n):
        await asyncio.sleep(0)
        yield here()
