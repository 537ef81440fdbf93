"""How deep a traced function may call itself: as deep as with one plain wrapper around each call, which is what
Logfire's decorator costs (measured with 5.4: 494 of 1000 for functions, methods and generators, 490 for coroutines).
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import ops_lib as ops

LIMIT = 1000
HALF = LIMIT // 2 - 12  # a wrapper and the function for each call, and some for what is around and within


class Depth:
    """Functions of each kind that call themselves until they are told that they are too deep."""

    def __init__(self) -> None:
        self.reached = 0

    def note(self, depth: int) -> int:
        self.reached = max(self.reached, depth)
        return depth + 1

    def function(self) -> Callable[[], Any]:
        @ops.trace
        def down(depth: int) -> None:
            down(self.note(depth))

        return lambda: down(0)

    def receives_its_span(self) -> Callable[[], Any]:
        @ops.trace
        def down(trace_ctx: ops.Span, depth: int) -> None:
            down(self.note(depth))

        return lambda: down(0)

    def static_method(self) -> Callable[[], Any]:
        note = self.note

        class Tree:
            @ops.trace
            @staticmethod
            def down(depth: int) -> None:
                Tree.down(note(depth))

        return lambda: Tree.down(0)

    def generator(self) -> Callable[[], Any]:
        @ops.trace
        def down(depth: int) -> Iterator[int]:
            yield from down(self.note(depth))

        return lambda: list(down(0))

    def coroutine(self) -> Callable[[], Any]:
        @ops.trace
        async def down(depth: int) -> None:
            await down(self.note(depth))

        return lambda: asyncio.run(down(0))

    def async_generator(self) -> Callable[[], Any]:
        @ops.trace
        async def down(depth: int) -> AsyncIterator[int]:
            async for value in down(self.note(depth)):
                yield value

        async def run() -> None:
            async for _ in down(0):
                pass

        return lambda: asyncio.run(run())

    def method(self) -> Callable[[], Any]:
        note = self.note

        class Tree:
            @ops.trace
            def down(self, depth: int) -> None:
                self.down(note(depth))

        return lambda: Tree().down(0)


def depth_of(kind: str) -> int:
    depth = Depth()
    call = getattr(depth, kind)()
    sys.setrecursionlimit(LIMIT)
    try:
        call()
    except RecursionError:
        return depth.reached
    raise AssertionError("it ended")


KINDS = ["function", "receives_its_span", "static_method", "generator", "coroutine", "async_generator", "method"]


@pytest.fixture(scope="module", params=["", "ops.configure('x', exporter='none')"], ids=["unconfigured", "configured"])
def reached(request: pytest.FixtureRequest) -> dict[str, int]:
    """By kind, in a process of its own, where little is on the stack yet."""
    code = f"import json, logging; logging.disable(50); import ops_lib as ops\n{request.param}\n"
    code += "from tests.ops_lib.decorator.test_depth import KINDS, depth_of\n"
    code += "print(json.dumps({kind: depth_of(kind) for kind in KINDS}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    depths: dict[str, int] = json.loads(done.stdout)
    return depths


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_half_of_the_limit(kind: str, reached: dict[str, int]) -> None:
    assert reached[kind] >= HALF


def test_methods(reached: dict[str, int]) -> None:
    """Before Python 3.12, calling any object that is not a function counts as well (docs/decisions/005)."""
    assert reached["method"] >= (HALF if sys.version_info >= (3, 12) else LIMIT // 3 - 12)
