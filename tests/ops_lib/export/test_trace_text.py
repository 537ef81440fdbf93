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


@pytest.mark.parametrize(
    ("ns", "said"),
    [
        (1, "1 ns"),
        (1000, "1 µs"),
        (1001, "1 µs"),
        (99_940, "99.9 µs"),
        (99_960, "100 µs"),
        (100_600, "101 µs"),
        (999_999, "1000 µs"),
        (1_000_000, "1 ms"),
        (999_999_999, "1000 ms"),
        (1_000_000_000, "1 s"),
        (99_440_000_000, "99.4 s"),
        (123_400_000_000, "123 s"),
    ],
)
def test_duration_where_its_unit_or_form_changes(ns: int, said: str) -> None:
    assert duration(ns) == said


def test_roots_are_in_the_order_of_their_time() -> None:
    """One whose parent is unknown, one that is its own parent, and one without any."""
    assert text(node(2, 99, 0), node(1, None, 1), node(3, 3, 2)) == "2\n1\n3"


def test_parents_of_each_other_are_shown_once() -> None:
    assert text(node(1, 2, 0), node(2, 1, 1), node(3, None, 2)) == "3\n1\n└─ 2"


def test_what_is_drawn_before_the_events_of_a_node() -> None:
    lines = arrange([node(1), node(2, 1, 1), node(3, 1, 2), node(4, 2, 3)])
    assert [(line.branches, line.below) for line in lines] == [
        ("", "│  "), ("├─ ", "│  │  "), ("│  └─ ", "│     " + "   "), ("└─ ", "      "),
    ]  # fmt: skip


def test_zero_is_not_the_parent_of_those_without_one() -> None:
    assert text(node(0, None, 0), node(1, None, 1), node(2, None, 2)) == "0\n1\n2"
