"""Keywords of a traced function: none of them is taken for an argument of the wrapper."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import ops_lib as ops
from ops_lib.testing import SpanCapture

pytestmark = pytest.mark.usefixtures("no_detach_errors")

KEYWORDS = ["self", "cls", "args", "kwargs", "fn", "name", "receiver", "instance", "context", "span", "_links"]


@pytest.mark.parametrize("keyword", KEYWORDS)
async def test_a_keyword_may_have_any_name(ops_spans: SpanCapture, keyword: str) -> None:
    """HAL has `_links`, and a JSON document may have any key: `build(**document)`."""

    @ops.trace
    def function(**values: int) -> dict[str, int]:
        return values

    @ops.trace
    def receives(trace_ctx: ops.Span, /, **values: int) -> dict[str, int]:
        return values

    @ops.trace
    async def coroutine(**values: int) -> dict[str, int]:
        return values

    @ops.trace
    async def coroutine_receives(trace_ctx: ops.Span, /, **values: int) -> dict[str, int]:
        return values

    @ops.trace
    def generator(**values: int) -> Iterator[dict[str, int]]:
        yield values

    @ops.trace
    async def async_generator(**values: int) -> AsyncIterator[dict[str, int]]:
        yield values

    class Resource:
        @ops.trace
        def method(this, /, **values: int) -> dict[str, int]:  # so that `self` is free
            return values

        @ops.trace
        @classmethod
        def class_method(kind, /, **values: int) -> dict[str, int]:  # so that `cls` is free
            return values

        @ops.trace
        @staticmethod
        def static_method(**values: int) -> dict[str, int]:
            return values

    document: dict[str, int] = {keyword: 1}
    resource = Resource()
    calls: list[Any] = [function, receives, resource.method, Resource.class_method, Resource.static_method]
    for call in calls:
        assert call(**document) == call.wrapped(**document).result == document
    for call in (coroutine, coroutine_receives):
        assert await call(**document) == (await call.wrapped(**document)).result == document
    assert list(generator(**document)) == list(generator.wrapped(**document).result) == [document]
    assert [values async for values in async_generator(**document)] == [document]
    assert ops.context_carry(function)(**document) == document
    with ops.ContextExecutor(ThreadPoolExecutor(1)) as pool:
        assert pool.submit(function, **document).result() == document
    for done in ops_spans.spans:
        assert json.loads(str((done.attributes or {})["ops.arguments"]))[keyword] == 1
