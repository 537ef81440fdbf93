"""A trace as indented text. Pure: finished spans in, lines out. Used by the console exporter and by `testing`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Node(NamedTuple):
    """One finished span. Ids as in the SDK; times in nanoseconds; `error`: the failure of a failed span."""

    name: str
    trace_id: int
    span_id: int
    parent_id: int | None
    start: int
    end: int
    error: str | None
    attributes: Mapping[str, object]
    events: tuple[tuple[str, Mapping[str, object]], ...]


class Line(NamedTuple):
    """A node with the branches drawn before it, and before its events."""

    branches: str
    below: str
    node: Node


def arrange(nodes: Iterable[Node]) -> list[Line]:
    """The nodes as a tree drawn from above: children under their parents, siblings by start. Never recurses.

    A node whose parent is not among them is a root, with nothing drawn before it.
    """
    ordered = sorted(nodes, key=lambda node: (node.start, node.end))
    known = {(node.trace_id, node.span_id) for node in ordered}
    children: dict[tuple[int, int | None], list[Node]] = {}
    roots: list[Node] = []
    for node in ordered:
        parent = (node.trace_id, node.parent_id)
        if parent in known and node.parent_id != node.span_id:
            children.setdefault(parent, []).append(node)
        else:
            roots.append(node)
    lines: list[Line] = []
    pending = [(node, "", "") for node in reversed(roots)]
    while pending or children:
        if not pending:  # only nodes in a parent cycle are left; one of them has to be the root
            siblings = children.pop(next(iter(children)))
            pending = [(node, "", "") for node in reversed(siblings)]
        node, branches, below = pending.pop()
        mine = children.pop((node.trace_id, node.span_id), [])
        lines.append(Line(branches, below + ("│  " if mine else "   "), node))
        for place, child in enumerate(reversed(mine)):
            last = place == 0
            pending.append((child, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  ")))
    return lines


def duration(nanoseconds: int) -> str:
    """A length of time for people: `12.3 ms`."""
    for unit, size in (("s", 1_000_000_000), ("ms", 1_000_000), ("µs", 1_000)):
        if nanoseconds >= size:
            return (
                f"{nanoseconds / size:.3g} {unit}" if nanoseconds < 100 * size else f"{nanoseconds / size:.0f} {unit}"
            )
    return f"{nanoseconds} ns"
