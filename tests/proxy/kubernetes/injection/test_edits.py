"""Edits are what `apply` does, and what JSON Patch says."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.kubernetes.injection.edits import Draft, Edit, Path, apply, as_json_patch, at, plain, pointer


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


class Word(str):
    """Text as a reader of YAML has it."""


class Whole(int):
    """A number as a reader of YAML has it."""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({1: Word("a")}, {"1": "a"}), ((1, 2), [1, 2]), (True, True), (None, None), (Whole(5), 5), (1.5, 1.5),
        (date(2026, 1, 2), "2026-01-02"), ({"a": [{"b": Word("c")}]}, {"a": [{"b": "c"}]}),
    ],
)  # fmt: skip
def test_a_draft_is_of_plain_values(value: Any, expected: Any) -> None:
    """Whatever reader made them; and a change of it leaves the document as it was."""
    made = plain(value)
    assert (made, type(made)) == (expected, type(expected))
    document = {"a": {"b": [1]}}
    Draft(document).put(("a", "b"), 2)
    assert document == {"a": {"b": [1]}}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((), {"a": [{"b": 1}], "c": "d"}), (("a", 0, "b"), 1), (("a", 1), None), (("a", "0"), None), (("x", "y"), None),
        (("c", 0), None), (("a", 0, "b", "c"), None),
    ],
)  # fmt: skip
def test_what_is_at_a_path(path: Path, value: Any) -> None:
    assert at({"a": [{"b": 1}], "c": "d"}, path) == value


def test_edits_within_a_larger_document_have_paths_from_its_root() -> None:
    whole = {"items": [{"x": {"list": []}}]}
    outer = Draft(whole["items"][0], ("items", 0))
    inner = Draft(outer.get("x"), ("items", 0, "x"))
    inner.insert(("list",), {"a": 1})
    outer.extend(inner)
    outer.insert(("made",), 1)
    assert outer.document == {"x": {"list": [{"a": 1}]}, "made": [1]}
    assert as_json_patch(outer.edits) == [
        {"op": "add", "path": "/items/0/x/list/-", "value": {"a": 1}},
        {"op": "add", "path": "/items/0/made", "value": [1]},
    ]


@pytest.mark.parametrize(("value", "stays"), [({}, False), ([], False), ({"a": 1}, True), ([0], True), (0, True)])
def test_what_is_empty_is_taken_away(value: Any, stays: bool) -> None:
    draft = Draft({"a": value})
    draft.remove_if_empty(("a",))
    assert ("a" in draft.document) is stays
    assert [edit.op for edit in draft.edits] == ([] if stays else ["remove"])


def test_what_goes_in_is_a_copy() -> None:
    value = {"a": []}
    documents: list[Any] = [{}, {}]
    for document in documents:
        apply(document, [Edit("add", ("x",), value)])
    documents[0]["x"]["a"].append(1)
    assert (documents[1], value) == ({"x": {"a": []}}, {"a": []})
