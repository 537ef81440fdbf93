"""Annotations of traced code are those of the function: frameworks make parameters and tools' descriptions of them."""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Generator
from typing import Any

import pytest
from lab.traced import Shop, add, later, numbers

import ops_lib as ops
from ops_lib.decorator.bound import Bound
from ops_lib.testing import SpanCapture

TRACED: dict[str, tuple[Any, dict[str, object]]] = {
    "function": (add, {"a": int, "b": int, "return": int}),
    "coroutine function": (later, {"value": str, "return": str}),
    "generator function": (numbers, {"n": int, "return": Generator[str | None, str, int]}),
    "method": (Shop.price, {"item": str, "return": str}),
    "bound method": (Shop("s").price, {"item": str, "return": str}),
    "class method": (Shop.above, {"name": str, "return": Shop}),
}


@pytest.mark.parametrize("kind", TRACED)
def test_hints_are_the_functions(kind: str) -> None:
    one, hints = TRACED[kind]
    assert typing.get_type_hints(one) == hints
    assert one.__annotations__ == inspect.get_annotations(one) == inspect.unwrap(one).__annotations__


def test_who_looks_at_the_class_first_changes_nothing() -> None:
    """Before Python 3.14, a class that is asked for its annotations has some from then on."""
    bound = Shop("s").price
    assert (type(Shop.price).__annotations__, Bound.__annotations__) == ({}, {})
    assert bound.__annotations__ == {"item": "str", "return": "str"}
    assert Shop.price.__annotations__ == {"item": "str", "return": "str"}


def test_they_may_be_set() -> None:
    """As a function's: decorators do it above `@trace`."""

    @ops.trace
    def asked(name: str) -> None: ...

    asked.__annotations__ = {"name": "int"}
    assert asked.__annotations__ == {"name": "int"}


FORWARD = """
from __future__ import annotations  # until Python 3.14
import inspect, typing
import ops_lib as ops

class Shelf:
    @ops.trace
    def books(self, after: Book) -> Book:
        return after
    @ops.trace
    async def later(self, after: Book) -> Book: ...
    @ops.trace
    def other(self, shelf: Shelf) -> Shelf: ...
    @ops.trace
    def noted(self, trace_ctx: ops.Span, after: Book) -> Book:
        trace_ctx.set(seen=True)
        return after
    @ops.trace
    def unknown(self, trace_ctx: Span, after: Book) -> Book:
        trace_ctx.set(seen=True)
        return after

class Book: ...

if typing.TYPE_CHECKING:
    from ops_lib import Span
"""


@pytest.mark.parametrize(
    "future", [True, pytest.param(False, marks=pytest.mark.skipif(sys.version_info < (3, 14), reason="PEP 649"))]
)
def test_what_is_defined_below_may_be_named(future: bool, ops_spans: SpanCapture) -> None:
    """Nothing is evaluated until somebody asks. So from Python 3.14 on, it needs no `from __future__`."""
    made: dict[str, Any] = {"__name__": "shelves"}
    text = FORWARD if future else FORWARD.replace("from __future__ import annotations", "")
    exec(compile(text, "shelves", "exec", dont_inherit=True), made)
    shelf, book = made["Shelf"](), made["Book"]()
    for one in (made["Shelf"].books, shelf.books, made["Shelf"].later, shelf.later):
        assert typing.get_type_hints(one) == {"after": made["Book"], "return": made["Book"]}
    assert typing.get_type_hints(shelf.other) == {"shelf": made["Shelf"], "return": made["Shelf"]}
    for one in (shelf.books, shelf.noted, shelf.unknown):
        assert one(book) is book
        assert list(inspect.signature(one).parameters) == ["after"]
    assert [span.attributes.get("seen") for span in ops_spans.spans] == [None, True, True]
