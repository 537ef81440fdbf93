"""@trace on functions and coroutines: a span around the call, and otherwise the function it was."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import gc
import inspect
import pickle
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any

import pytest
from lab.traced import Shop, add, later
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Sampler

import ops_lib as ops
from ops_lib.capture.bounds import CaptureSettings
from ops_lib.context.current import current
from ops_lib.testing import SpanCapture, capture_spans

pytestmark = pytest.mark.usefixtures("no_detach_errors")


def test_function(ops_spans: SpanCapture) -> None:
    assert add(1) == 3
    span = ops_spans.one("add")
    assert span.attributes == {
        "code.function.name": "lab.traced.add",
        "ops.arguments": '{"a": 1}',
        "ops.result": "3",
    }


def test_keeps_what_a_function_is() -> None:
    assert add.__name__ == "add"
    assert add.__doc__ == "Adds."
    assert add.__module__ == "lab.traced"
    assert str(inspect.signature(add)) == "(a: 'int', b: 'int' = 2) -> 'int'"
    assert inspect.getsource(add).lstrip().startswith("@ops.trace")
    assert inspect.unwrap(add)(1, 1) == 2
    assert "add" in repr(add)
    assert not inspect.iscoroutinefunction(add)
    assert inspect.iscoroutinefunction(later)
    if sys.version_info < (3, 14):  # deprecated from there on
        assert asyncio.iscoroutinefunction(later)
    assert pickle.loads(pickle.dumps(add)) is add
    assert copy.deepcopy(add) is add
    assert pickle.loads(pickle.dumps(Shop.price)) is Shop.price


def test_exception_is_recorded_and_goes_on(ops_spans: SpanCapture) -> None:
    @ops.trace
    def broken() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError):
        broken()
    assert ops_spans.tree() == "broken ✗ LookupError: gone"
    assert current() == {}


async def test_interrupted_while_arguments_are_recorded(ops_spans: SpanCapture) -> None:
    """A span that has begun ends: the console shows a trace only once nothing of it is open."""

    class Interrupts(Exception):
        def __str__(self) -> str:
            raise KeyboardInterrupt

    @ops.trace
    def many(value: object) -> Iterator[object]:
        yield value

    @ops.trace
    async def amany(value: object) -> AsyncIterator[object]:
        yield value

    @ops.trace
    def call(value: object) -> None: ...

    for run in (call, call.wrapped, lambda value: next(many(value))):
        with pytest.raises(KeyboardInterrupt):
            run(Interrupts())
    with pytest.raises(KeyboardInterrupt):
        amany(Interrupts()).__anext__().send(None)  # type: ignore[attr-defined]  # a generator's awaitable
    failed = "✗ KeyboardInterrupt"
    assert ops_spans.tree() == f"call {failed}\ncall {failed}\nmany {failed}\namany {failed}"
    assert current() == {}


@pytest.mark.parametrize("sampler", [None, ALWAYS_OFF], ids=["no tracing", "unsampled"])
async def test_values_of_a_call_that_is_not_recorded_are_not_looked_at(sampler: Sampler | None) -> None:
    class Asked(Exception):
        def __str__(self) -> str:
            raise KeyboardInterrupt

    asked = Asked()

    @ops.trace
    def call(value: object) -> object:
        return value

    @ops.trace
    def receives(trace_ctx: ops.Span, value: object) -> object:
        return value

    @ops.trace
    async def coroutine(value: object) -> object:
        return value

    @ops.trace
    async def coroutine_receives(trace_ctx: ops.Span, value: object) -> object:
        return value

    @ops.trace
    def many(value: object) -> Iterator[object]:
        yield value

    @ops.trace
    async def amany(value: object) -> AsyncIterator[object]:
        yield value

    with capture_spans(sampler=sampler) if sampler is not None else contextlib.nullcontext():
        for made in (call(asked), receives(asked), call.wrapped(asked).result, receives.wrapped(asked).result):
            assert made is asked
        for run in (coroutine, coroutine_receives):
            assert await run(asked) is asked
            assert (await run.wrapped(asked)).result is asked
        assert list(many(asked)) == [asked]
        assert [one async for one in amany(asked)] == [asked]


async def test_coroutine(ops_spans: SpanCapture) -> None:
    @ops.trace
    async def outer() -> list[str]:
        return await asyncio.gather(*(later(str(n)) for n in range(2)))

    assert await outer() == ["0", "1"]
    assert ops_spans.tree(attributes=["ops.result"]) == (
        'outer ops.result=["0", "1"]\n├─ later ops.result="0"\n└─ later ops.result="1"'
    )


async def test_a_coroutine_is_not_begun_before_it_is_awaited(ops_spans: SpanCapture) -> None:
    coroutine = later("x")
    assert inspect.iscoroutine(coroutine)
    coroutine.close()
    assert ops_spans.spans == []


async def test_a_cancelled_call_is_recorded_but_no_failure(ops_spans: SpanCapture) -> None:
    @ops.trace
    async def forever() -> None:
        await asyncio.Event().wait()

    task = asyncio.ensure_future(forever())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    span = ops_spans.one("forever")
    assert span.status.is_unset
    assert span.events[0].name == "exception"


async def test_task_groups(ops_spans: SpanCapture) -> None:
    @ops.trace
    async def all_of_them() -> None:
        async with asyncio.TaskGroup() as group:
            for n in range(3):
                group.create_task(later(str(n)))

    await all_of_them()
    assert ops_spans.tree() == "all_of_them\n├─ later\n├─ later\n└─ later"


@pytest.mark.slow
def test_what_runs_has_the_functions_name() -> None:
    """`coroutine 'later' was never awaited` says where to look."""

    @ops.trace
    def numbers() -> Iterator[int]:
        yield 1

    @ops.trace
    async def pieces() -> AsyncIterator[int]:
        yield 1

    with pytest.warns(RuntimeWarning, match="coroutine 'later' was never awaited"):
        later("x")
        gc.collect()
    for running in (numbers(), pieces()):
        assert running.__name__ in ("numbers", "pieces")
        assert running.__qualname__.endswith(f"<locals>.{running.__name__}")


def test_one_tag(ops_spans: SpanCapture) -> None:
    ops.trace(tags="prod")(add)(1)
    assert dict(ops_spans.spans[-1].attributes or {})["ops.tags"] == ("prod",)


def test_options(ops_spans: SpanCapture) -> None:
    @ops.trace(name="pay", tags=["money", "money", "slow"], metadata={"team": "billing", "tier": 1})
    def charge(amount: int) -> None: ...

    charge(3)
    assert ops_spans.one("pay").attributes == {
        "code.function.name": f"{__name__}.test_options.<locals>.charge",
        "ops.tags": ("money", "slow"),
        "ops.metadata.team": "billing",
        "ops.metadata.tier": 1,
        "ops.arguments": '{"amount": 3}',
    }


def test_recursion(ops_spans: SpanCapture) -> None:
    @ops.trace
    def down(n: int) -> int:
        return n and down(n - 1)

    down(2)
    assert ops_spans.tree(attributes=["ops.arguments"]) == (
        'down ops.arguments={"n": 2}\n└─ down ops.arguments={"n": 1}\n   └─ down ops.arguments={"n": 0}'
    )


def test_traced_twice_makes_two_spans(ops_spans: SpanCapture) -> None:
    twice = ops.trace(name="outer")(ops.trace(name="inner")(lambda: 1))
    assert twice() == 1
    assert ops_spans.tree() == "outer\n└─ inner"


def test_unconfigured_and_unsampled_calls_carry_ids() -> None:
    @ops.trace
    def ids() -> dict[str, str]:
        headers: dict[str, str] = {}
        ops.inject_context(headers)
        return headers

    with ops.span("outer") as outer:
        assert ids()["traceparent"].startswith(f"00-{outer.trace_id}-")
    with capture_spans(sampler=ALWAYS_OFF) as captured:
        assert ids()["traceparent"].endswith(("-00", "-02"))
    assert captured.spans == []
    with pytest.raises(ZeroDivisionError):
        ops.trace(lambda: 1 // 0)()
    assert current() == {}


def test_wrong_arguments_are_the_callers_error(ops_spans: SpanCapture) -> None:
    with pytest.raises(TypeError, match="missing 1 required"):
        add()  # type: ignore[call-arg]  # this is the test
    assert current() == {}


async def test_a_coroutine_closed_in_the_middle_elsewhere_is_quiet(ops_spans: SpanCapture) -> None:
    """What a collected task does: the coroutine is closed in another contextvars.Context than it ran in."""

    class Suspend:
        def __await__(self) -> Any:
            yield

    @ops.trace
    async def hangs() -> None:
        await Suspend()

    coroutine: Coroutine[Any, Any, None] = hangs()
    import contextvars

    contextvars.copy_context().run(coroutine.send, None)
    coroutine.close()
    assert ops_spans.one("hangs").status.is_unset
    assert current() == {}


def test_attributes_follow_the_settings_of_the_moment() -> None:
    @ops.trace(metadata={"iban": "DE00"})
    def pay() -> None: ...

    for scrub, shown in ((frozenset[str](), "DE00"), (frozenset({"iban"}), "[scrubbed]"), (frozenset(), "DE00")):
        with capture_spans(capture=CaptureSettings(scrub=scrub)) as captured:
            pay()
        assert (captured.spans[0].attributes or {})["ops.metadata.iban"] == shown
