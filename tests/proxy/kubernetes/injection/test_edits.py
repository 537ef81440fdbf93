"""Edits are what `apply` does, and what JSON Patch says."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proxy.kubernetes.injection.edits import Draft, apply, as_json_patch, pointer


def test_a_pointer_escapes_slashes_and_tildes() -> None:
    """RFC 6901, section 3."""
    assert pointer(("metadata", "labels", "ops-sidecar/in~jected", 0)) == "/metadata/labels/ops-sidecar~1in~0jected/0"


def test_what_is_missing_on_the_way_is_made_once() -> None:
    draft = Draft({"spec": {}})
    draft.put(("metadata", "labels", "a"), "1")
    draft.put(("metadata", "labels", "b"), "2")
    assert as_json_patch(draft.edits) == [
        {"op": "add", "path": "/metadata", "value": {"labels": {"a": "1"}}},
        {"op": "add", "path": "/metadata/labels/b", "value": "2"},
    ]


def test_an_item_goes_to_the_end_or_where_it_is_told() -> None:
    draft = Draft({"list": [1]})
    draft.insert(("list",), 2)
    draft.insert(("list",), 0, 0)
    draft.remove(("list", 1))
    assert draft.document == {"list": [0, 2]}
    assert [one["path"] for one in as_json_patch(draft.edits)] == ["/list/-", "/list/0", "/list/1"]
    assert "value" not in as_json_patch(draft.edits)[2]


_KEYS = st.sampled_from(["a", "b", "c/d", "e~f"])
_TREES = st.recursive(st.integers(0, 3), lambda inner: st.dictionaries(_KEYS, inner, max_size=3), max_leaves=8)


@given(
    tree=st.dictionaries(_KEYS, _TREES, max_size=3),
    puts=st.lists(st.tuples(st.lists(_KEYS, min_size=1, max_size=3), st.integers())),
)
def test_the_edits_of_a_draft_carried_out_are_the_draft(tree: dict[str, Any], puts: list[Any]) -> None:
    draft = Draft(tree)
    for path, value in puts:
        if all(isinstance(draft.get(*path[:depth]), dict | None) for depth in range(1, len(path))):
            draft.put(tuple(path), value)
    apply(tree, draft.edits)
    assert tree == draft.document
