"""@trace on callables that are not plain functions, on wrappers and in frameworks; and what it refuses."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
from collections.abc import Iterator
from typing import Any

import pytest
from lab import traced
from lab.traced import Shop, add

import ops_lib as ops
from ops_lib.testing import SpanCapture

pytestmark = pytest.mark.usefixtures("no_detach_errors")


async def test_is_a_function_to_frameworks() -> None:
    """Starlette takes an endpoint that is no function for an ASGI app, and calls it as one."""
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    class View:
        @ops.trace
        async def method(self, request: Request) -> PlainTextResponse:
            return PlainTextResponse("method")

    @ops.trace
    def function(request: Request) -> PlainTextResponse:
        return PlainTextResponse("function")

    assert isinstance(add, ops.TracedFunction)
    assert inspect.isfunction(add)
    assert add.__globals__ is vars(traced)  # by which frameworks resolve annotations
    for endpoint, answer in ((View().method, b"method"), (function, b"function")):
        sent: list[Any] = []

        async def send(message: Any, sent: list[Any] = sent) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request"}

        scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
        await Route("/", endpoint).handle(scope, receive, send)
        assert sent[-1]["body"] == answer


def test_is_what_its_outermost_wrapper_is() -> None:
    """A wrapper that runs a coroutine gives its result, and whoever asks is not told to await that."""

    def run(fn: Any) -> Any:
        @functools.wraps(fn)
        def runs(*args: Any) -> Any:
            return asyncio.run(fn(*args))

        return runs

    @ops.trace
    @run
    async def command(value: str) -> str:
        return value

    @ops.trace
    @functools.wraps(command)
    def pieces(value: str) -> Iterator[str]:
        yield value

    assert command("x") == "x"
    assert not inspect.iscoroutinefunction(command)
    assert inspect.isfunction(command)
    assert inspect.getclosurevars(command).nonlocals["fn"] is inspect.unwrap(command, stop=lambda fn: fn is not command)
    assert inspect.getsource(command).lstrip().startswith("@ops.trace")
    assert inspect.isgeneratorfunction(pieces)
    assert not inspect.iscoroutinefunction(pieces)


def test_callable_objects_partials_and_builtins(ops_spans: SpanCapture) -> None:
    class Adder:
        def __call__(self, a: int, b: int) -> int:
            return a + b

    class AsyncAdder:
        async def __call__(self, a: int) -> int:
            return a

    assert ops.trace(Adder())(1, 2) == 3
    assert ops.trace(functools.partial(Adder(), 1))(2) == 3
    assert ops.trace(len)([1]) == 1
    assert ops.trace(lambda: 5)() == 5
    traced = ops.trace(AsyncAdder())
    assert inspect.iscoroutinefunction(traced)
    assert asyncio.run(traced(4)) == 4
    assert [span.name for span in ops_spans.spans] == ["Adder", "Adder", "len", "<lambda>", "AsyncAdder"]
    arguments = [json.loads(str((span.attributes or {}).get("ops.arguments", "{}"))) for span in ops_spans.spans]
    assert arguments == [{"a": 1, "b": 2}, {"b": 2}, {"obj": [1]}, {}, {"a": 4}]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [(Shop, "not the class"), (Shop.label, "put @property above @trace"), (42, "needs a callable, not int")],
)
def test_what_cannot_be_traced(wrong: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        ops.trace(wrong)


def test_what_wraps_a_traced_function_is_not_taken_for_it(ops_spans: SpanCapture) -> None:
    """`functools.wraps` copies whatever hangs on a function."""

    @functools.wraps(add)
    def plain(a: int, b: int = 2) -> int:
        return add(a, b) * 10

    @functools.wraps(add)
    def numbers(a: int) -> Iterator[int]:
        yield add(a) * 10

    assert not isinstance(plain, ops.TracedFunction)
    assert isinstance(ops.trace(plain), ops.TracedFunction)
    assert ops.trace(plain).wrapped(1).result == 30
    assert list(ops.trace(numbers).wrapped(1).result) == [30]


def test_the_name_of_the_span_is_not_the_functions() -> None:
    named = ops.trace(name="pay")(add)
    assert (named.__name__, named.__qualname__) == ("add", "add")
    partial = ops.trace(name="pay")(functools.partial(add, 1))
    assert (partial.__name__, partial.__qualname__) == ("pay", "pay")


def test_frameworks_find_the_functions_globals() -> None:
    """They resolve annotations by them."""
    for made in (add, Shop.price):  # as a function, and as an object
        assert made.__globals__ is vars(traced)  # type: ignore[attr-defined]  # as functions have
