"""The tree: children under parents, siblings by time, nothing lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_lib.export.trace_text import Node, arrange, duration


def node(span_id: int, parent_id: int | None = None, start: int = 0, trace_id: int = 1) -> Node:
    return Node(str(span_id), trace_id, span_id, parent_id, start, start + 1, None, {}, ())


def text(*nodes: Node) -> str:
    return "\n".join(line.branches + line.node.name for line in arrange(nodes))


def test_order_and_branches() -> None:
    nodes = [node(1), node(3, 1, 2), node(2, 1, 1), node(4, 2, 2), node(5, 3, 3), node(6, 3, 4)]
    assert text(*nodes) == "1\n├─ 2\n│  └─ 4\n└─ 3\n   ├─ 5\n   └─ 6"


def test_an_unknown_parent_makes_a_root() -> None:
    assert text(node(2, 99), node(1, 98, 1)) == "2\n1"


def test_the_same_id_in_another_trace_is_another_span() -> None:
    assert text(node(1), node(2, 1, 1, trace_id=2)) == "1\n2"


def test_a_very_deep_trace() -> None:
    assert len(arrange([node(1), *(node(n, n - 1, n) for n in range(2, 5000))])) == 4999


@given(st.dictionaries(st.integers(1, 50), st.integers(0, 50), max_size=50))
def test_every_span_stands_once(parents: dict[int, int]) -> None:
    nodes = [node(child, parent or None) for child, parent in parents.items()]
    names = [line.node.name for line in arrange(nodes)]
    assert len(names) == len(set(names))
    assert len(names) == len(nodes)


@pytest.mark.parametrize(
    ("ns", "said"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (1500, "1.5 µs"),
        (12_345_678, "12.3 ms"),
        (250_000_000, "250 ms"),
        (2 * 10**9, "2 s"),
    ],
)
def test_duration(ns: int, said: str) -> None:
    assert duration(ns) == said
