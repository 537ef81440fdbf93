"""Edits of a document: values that `apply` carries out, and that JSON Patch (RFC 6902) can say. Pure.

May know mappings and lists. Must not know Kubernetes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

Path = tuple[str | int, ...]
END: Final = "-"  # of a list: RFC 6901, section 4


class Edit(NamedTuple):
    """One change. `add` inserts into a list and sets a key of a mapping; `remove` takes either away."""

    op: Literal["add", "remove"]
    path: Path
    value: Any = None


def apply(document: Any, edits: Sequence[Edit], convert: Callable[[Any], Any] = copy.deepcopy) -> None:
    """Carry `edits` out, in place. `convert` makes the values that go in."""
    for edit in edits:
        parent = at(document, edit.path[:-1])
        last = edit.path[-1]
        if edit.op == "remove":
            del parent[last]
        elif isinstance(parent, list):
            parent.insert(len(parent) if last == END else int(last), convert(edit.value))
        else:
            parent[last] = convert(edit.value)


def at(document: Any, path: Path) -> Any:
    """The value at `path`; None if there is none."""
    for step in path:
        if isinstance(document, Mapping):
            document = document.get(step)
        elif isinstance(document, list) and isinstance(step, int) and step < len(document):
            document = document[step]
        else:
            return None
    return document


def as_json_patch(edits: Sequence[Edit]) -> list[dict[str, Any]]:
    """The same as a JSON Patch."""
    return [
        {"op": edit.op, "path": pointer(edit.path), **({"value": edit.value} if edit.op == "add" else {})}
        for edit in edits
    ]


def pointer(path: Path) -> str:
    """A JSON Pointer (RFC 6901, sections 3 and 4)."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)


class Draft:
    """A copy of a document that is being changed, and the edits so far."""

    def __init__(self, document: Any, prefix: Path = ()) -> None:
        """`prefix`: where the document is in a larger one; the edits' paths begin with it."""
        self.document = plain(document)
        self._prefix = prefix
        self._edits: list[Edit] = []

    @property
    def edits(self) -> list[Edit]:
        """What was done, with paths from the root of the larger document."""
        return [edit._replace(path=(*self._prefix, *edit.path)) for edit in self._edits]

    def get(self, *path: str | int) -> Any:
        """The value at `path`; None if there is none."""
        return at(self.document, path)

    def put(self, path: Path, value: Any) -> None:
        """Set a key. Mappings on the way are made where they are missing."""
        depth = next((depth for depth in range(1, len(path)) if self.get(*path[:depth]) is None), len(path))
        for step in reversed(path[depth:]):
            value = {step: value}
        self._do(Edit("add", path[:depth], value))

    def insert(self, path: Path, item: Any, index: int | None = None) -> None:
        """Insert into the list at `path`, at its end if there is no `index`. The list is made if it is missing."""
        if self.get(*path) is None:
            self.put(path, [item])
        else:
            self._do(Edit("add", (*path, END if index is None else index), item))

    def remove(self, path: Path) -> None:
        """Take a key or an item away."""
        self._do(Edit("remove", path))

    def remove_if_empty(self, path: Path) -> None:
        """Take away a mapping or list that has nothing left."""
        if self.get(*path) in ({}, []):
            self.remove(path)

    def extend(self, inner: Draft) -> None:
        """Take over what was done to a part of this document, with the same root of paths."""
        for edit in inner.edits:
            self._do(edit._replace(path=edit.path[len(self._prefix) :]))

    def _do(self, edit: Edit) -> None:
        apply(self.document, [edit])
        self._edits.append(edit)


def plain(value: Any) -> Any:
    """A copy of plain mappings, lists and values, whatever reader made them."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return str(value)  # a date: Kubernetes has none, and text keeps it comparable
