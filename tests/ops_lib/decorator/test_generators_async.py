"""@trace on asynchronous generators: another task may close them, or the event loop at its end."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, AsyncIterator

import pytest
from lab.traced import anumbers

import ops_lib as ops
from ops_lib.context.current import current
from ops_lib.testing import SpanCapture

pytestmark = pytest.mark.usefixtures("no_detach_errors")


async def test_asynchronous_closed_in_another_task(ops_spans: SpanCapture) -> None:
    async def begin() -> AsyncGenerator[str | None, str]:
        generator = anumbers(3)
        await anext(generator)
        return generator

    generator = await asyncio.create_task(begin())
    await asyncio.create_task(generator.aclose())  # type: ignore[arg-type]  # aclose() gives a coroutine
    assert ops_spans.one("anumbers").status.is_unset
    assert current() == {}


async def test_asynchronous_with_a_span_inside_closed_in_another_task(ops_spans: SpanCapture) -> None:
    @ops.trace
    async def body() -> AsyncIterator[int]:
        async with ops.span("inside"):
            yield 1
            yield 2

    generator = body()

    async def step() -> int:
        return await anext(generator)

    async def close() -> None:
        await generator.aclose()  # type: ignore[attr-defined]  # a generator

    assert await asyncio.create_task(step()) == 1
    assert await asyncio.create_task(step()) == 2
    await asyncio.create_task(close())
    assert ops_spans.tree() == "body\n└─ inside"


@pytest.mark.slow
async def test_asynchronous_left_to_the_collector(ops_spans: SpanCapture) -> None:
    async for _ in anumbers(3):
        break
    gc.collect()
    for _ in range(3):  # the event loop closes it in a task of its own
        await asyncio.sleep(0)
    assert len(ops_spans.spans) == 1
    assert current() == {}


async def test_asynchronous_send_and_throw(ops_spans: SpanCapture) -> None:
    @ops.trace
    async def talk() -> AsyncGenerator[str, str]:
        try:
            heard = yield "first"
            yield f"heard {heard}"
        except KeyError:
            yield "caught"

    generator = talk()
    assert await anext(generator) == "first"
    assert await generator.asend("hi") == "heard hi"
    assert await generator.athrow(KeyError()) == "caught"
    with pytest.raises(ZeroDivisionError):
        await generator.athrow(ZeroDivisionError("x"))
    assert ops_spans.tree() == "talk ✗ ZeroDivisionError: x"


async def test_asynchronous_cancelled_in_a_step(ops_spans: SpanCapture) -> None:
    @ops.trace
    async def hangs() -> AsyncIterator[int]:
        await asyncio.Event().wait()
        yield 1

    async def consume() -> None:
        async for _ in hangs():
            pass

    task = asyncio.create_task(consume())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ops_spans.one("hangs").events[0].name == "exception"


def test_asynchronous_left_open_at_the_end_of_the_loop(
    ops_spans: SpanCapture, caplog: pytest.LogCaptureFixture
) -> None:
    """The loop closes every asynchronous generator that it knows, all at once; it must not know the body."""

    @ops.trace
    async def pieces() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)

    async def main() -> object:
        generator = pieces()
        await anext(generator)
        return generator

    kept = asyncio.run(main())
    assert kept is not None
    assert len(ops_spans.spans) == 1
    assert caplog.records == []
