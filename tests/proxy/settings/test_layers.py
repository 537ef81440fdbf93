"""Layers by themselves: where a key may lead, and what is told of one that leads nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.settings.layers import Flag, Layer, flag_layer
from proxy.settings.yaml_file import read_value, read_yaml

KNOWN = Layer({"upstreams": [{"name": "a", "match": ["x", "y"]}]})


@pytest.mark.parametrize(
    ("path", "data", "problem"),
    [
        ("upstreams.a.match.1", {"name": "a", "match": ["x", "new"]}, None),
        ("upstreams.a.match.2", None, ("upstreams.0.match", "2")),
        ("upstreams.a.match.z", None, ("upstreams.0.match", "z")),
        (".".join("b" * 32), None, None),
        (".".join("b" * 33), None, ("b", "...")),
    ],
)
def test_where_a_key_leads(path: str, data: dict[str, Any] | None, problem: tuple[str, str] | None) -> None:
    """The problem names its good beginning, and the first step that is wrong."""
    layer = flag_layer([Flag(tuple(path.split(".")), "new", "--set")], KNOWN)
    assert [(one.key, one.value) for one in layer.problems] == ([problem] if problem else [])
    if data is not None:
        assert layer.data == {"upstreams": [data]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{a: 1, a: 2, ? [b] : 3}", "duplicate key, first on line 1"),
        ("{? [b] : 3, a: 1, a: 2}", "a key must be a word"),
        ("{? [b] : 3}", "a key must be a word"),
    ],
)
def test_of_a_value_the_first_problem_is_told(text: str, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        read_value(text)
    assert str(caught.value) == said


def test_a_key_that_is_not_a_word_is_left_out() -> None:
    read = read_yaml("? [b]\n: 3\nc: 4\n", "f")
    assert (read.data, [(one.key, one.source) for one in read.problems]) == ({"c": 4}, [("(yaml)", "f:1")])


@pytest.mark.parametrize(("levels", "is_read"), [(31, True), (32, False)])
def test_what_is_merged_in_is_a_level_as_well(levels: int, is_read: bool) -> None:
    """By an alias, since text may not be nested deeper itself."""
    text = "a: &a {b: 1}\n" + "".join(f"{'  ' * level}c:\n" for level in range(levels - 1))
    read = read_yaml(f"{text}{'  ' * (levels - 1)}<<: *a\n", "f")
    assert bool(read.problems) is not is_read


def test_a_change_of_one_upstream_takes_what_is_known_of_all_along() -> None:
    """Also where each value came from, for the problems with them; what was below stays as it was."""
    below = read_yaml("log: {level: debug}\nupstreams:\n- {name: a}\n- {name: b}\n", "f")
    known = Layer(below.data, {("log", "level"): "f:1", ("upstreams", "0", "name"): "f:3"})
    layer = flag_layer([Flag(("upstreams", "a", "match"), "new", "--set")], known)
    assert layer.data == {"upstreams": [{"name": "a", "match": "new"}, {"name": "b"}]}
    assert layer.sources == {("upstreams", "0", "name"): "f:3", ("upstreams", "0", "match"): "--set"}
    assert known.data["upstreams"] == [{"name": "a"}, {"name": "b"}]


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("a: {<<: 5}", "a.<<", "5"),
        ("a: {b: 1, b: 2}", "a.b", "2"),
        ("a: 1\na: {b: 2}", "a", "(section)"),
        ("a:\n- {? [b] : 3}", "a.0", ""),
    ],
)
def test_a_problem_tells_its_whole_key_and_its_value(text: str, key: str, value: str) -> None:
    assert [(one.key, one.value) for one in read_yaml(text, "f").problems] == [(key, value)]


def test_of_a_key_that_is_there_twice_the_first_counts() -> None:
    read = read_yaml("a: 1\nb: {c: 1}\na: {c: 2}\n", "f")
    assert read.data == {"a": 1, "b": {"c": 1}}
    assert read.lines == {("a",): 1, ("b",): 2, ("b", "c"): 2}
