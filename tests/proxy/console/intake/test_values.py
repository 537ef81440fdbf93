"""Each kind of value that OTLP has, and how deep it may go."""

from __future__ import annotations

import math
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from proxy.console.intake.values import attributes, plain


def nested(depth: int, *, as_list: bool) -> AnyValue:
    """`depth` containers around a number."""
    value = AnyValue(int_value=7)
    for _ in range(depth):
        value = (
            AnyValue(array_value=ArrayValue(values=[value]))
            if as_list
            else AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="a", value=value)]))
        )
    return value


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (AnyValue(), None),
        (AnyValue(string_value=""), ""),
        (AnyValue(string_value="a"), "a"),
        (AnyValue(bool_value=False), False),
        (AnyValue(int_value=-5), -5),
        (AnyValue(double_value=1.5), 1.5),
        (AnyValue(double_value=math.inf), "inf"),
        (AnyValue(double_value=-math.inf), "-inf"),
        (AnyValue(double_value=math.nan), "nan"),
        (AnyValue(bytes_value=b"\x00\xff"), "00ff"),
        (AnyValue(array_value=ArrayValue()), []),
        (AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1), AnyValue()])), [1, None]),
        (AnyValue(kvlist_value=KeyValueList()), {}),
    ],
)
def test_each_kind(value: AnyValue, read: Any) -> None:
    assert plain(value) == read
    assert type(plain(value)) is type(read)


@pytest.mark.parametrize("as_list", [True, False])
@pytest.mark.parametrize(("depth", "is_whole"), [(1, True), (8, True), (9, False), (20, False)])
def test_containers_go_eight_deep(depth: int, is_whole: bool, as_list: bool) -> None:
    found, levels = plain(nested(depth, as_list=as_list)), 0
    while isinstance(found, list | dict):
        found = found[0] if isinstance(found, list) else found["a"]
        levels += 1
    assert (found, levels) == ((7, depth) if is_whole else ("…", 8))


def test_of_a_name_that_comes_twice_the_last_counts() -> None:
    pairs = [KeyValue(key="a", value=AnyValue(int_value=number)) for number in (1, 2)]
    assert attributes(pairs) == {"a": 2}
    deep = KeyValue(key="b", value=nested(8, as_list=True))
    assert plain(nested(8, as_list=True)) == attributes([deep])["b"]
