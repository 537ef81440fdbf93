"""YAML texts: values as YAML 1.2 has them, the line of every key, and every problem with its line."""

from __future__ import annotations

import itertools

import pytest

from proxy.settings import yaml_file
from proxy.settings.yaml_file import cut_off, read_value, read_yaml


def test_words_of_yaml_1_1_stay_words() -> None:
    read = read_yaml(
        "a: off\nb: no\nc: 12:30\nd: 2026-01-01\ne: true\nf: ~\ng: 10\nh: 1.5\ni: 0o17\nj: 1_000\nk:\n", "f"
    )
    assert read.problems == []
    assert read.data == {
        "a": "off",
        "b": "no",
        "c": "12:30",
        "d": "2026-01-01",
        "e": True,
        "f": None,
        "g": 10,
        "h": 1.5,
        "i": "0o17",
        "j": "1_000",
        "k": None,
    }


def test_every_key_and_item_has_its_line() -> None:
    read = read_yaml("a:\n  b: 1\nlist:\n  - x: 1\n  - x: 2\n", "f")
    assert read.lines[("a", "b")] == 2
    assert read.lines[("list", "1", "x")] == 5


def test_anchors_and_merges_are_read() -> None:
    read = read_yaml("base: &b {x: 1, y: 2}\nother:\n  <<: *b\n  y: 3\n", "f")
    assert read.data["other"] == {"x": 1, "y": 3}


@pytest.mark.parametrize(
    ("text", "source", "word"),
    [
        ("a: [1\nb: 2\n", "f:2", "not valid YAML"),
        ("a: 1\n\tb: 2\n", "f:2", "indent with spaces"),
        ("a: 1\na: 2\n", "f:2", "duplicate key, first on line 1"),
        ("a:\n  b: 'x\n\n", "f:2:6 = b: 'x", "unexpected end of stream"),
        ("a: 1\nb: {c: d\n", "f:2:4 = b: {c: d", "not valid YAML"),
        ("- a\n", "f:1", "expected keys"),
        ("just words\n", "f:1", "expected keys"),
        ("a: &x [*x]\n", "f:1", "nested deeper"),
        ("a: !!python/object:os.system x\n", "f:1", "not a value of the type"),
        ("a: 1\n--- \nb: 2\n", "f:2", "not valid YAML"),
        ("? [a]\n: 1\n", "f:1", "a key must be a word"),
        ("a: {<<: 5}\n", "f:1", "expected a mapping"),
        ("a: \x01\n", "f", "not valid YAML"),
    ],
)
def test_a_problem_names_its_line(text: str, source: str, word: str) -> None:
    problems = read_yaml(text, "f").problems
    assert problems
    assert f"{problems[0].source} = {problems[0].value}".startswith(source)
    assert word in problems[0].message


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n" for before, name in itertools.pairwise("abcdefghi")
)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (f"a: {'[' * 5000}{']' * 5000}", "nested deeper than 32 levels"),
        (f"a: {'{a: ' * 5000}1{'}' * 5000}", "nested deeper than 32 levels"),
        ("".join(f"{' ' * depth}a:\n" for depth in range(500)), "nested deeper than 32 levels"),
        (BOMB, "more than 50000 values"),
        ("a: &x [*x, *x]", "more than 50000 values"),
        ("a: &x {b: *x, <<: *x}", "more than 50000 values"),
        (f"a: [{'1,' * 200_000}]", "more than 50000 values"),
    ],
)
def test_hostile_texts_are_refused_soon(text: str, word: str) -> None:
    """No traceback and no hour of work: one problem, for a file as for one value."""
    (problem,) = read_yaml(text, "f").problems
    assert word in problem.message
    with pytest.raises(ValueError, match=word):
        read_value(text)


@pytest.mark.parametrize(("more", "is_refused"), [(0, False), (1, True)])
def test_the_last_level_and_the_last_value_are_read(
    more: int, is_refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file itself is one of them; of an alias each use counts; keys are nodes, but no values."""
    assert (yaml_file._MAX_VALUES, yaml_file._MAX_NODES) == (50_000, 100_000)
    level, value = "nested deeper than 32 levels", "more than 50000 values"
    expanded = f"{value}, including expanded aliases"
    for text, said in (
        (f"a: {'[' * (31 + more)}{']' * (31 + more)}", f"not valid YAML: {level}"),
        (f"a: &x {'[' * 16}{']' * 16}\nb: {'[' * (16 + more)}*x{']' * (16 + more)}", level),
    ):
        read = read_yaml(text, "f")
        assert [one.message for one in read.problems] == [said] * is_refused, text
    monkeypatch.setattr(yaml_file, "_MAX_VALUES", 40)
    monkeypatch.setattr(yaml_file, "_MAX_NODES", 70)
    for text, said in (
        (f"a: [{'1,' * (38 + more)}]", expanded),
        (f"a: &x [{'1,' * 18}]\nb: *x\nc: {'[1]' if more else '1'}", expanded),
        (f"a: [{'{b: },' * 19}{',1' if more else ''}]".replace(",,", ","), expanded),
    ):
        read = read_yaml(text, "f")
        assert [one.message for one in read.problems] == [said] * is_refused, text
    monkeypatch.setattr(yaml_file, "_MAX_VALUES", 1000)
    read = read_yaml(f"a: [{'1,' * (67 + more)}]", "f")
    assert [one.message for one in read.problems] == [f"not valid YAML: {value}"] * is_refused


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("~", None), ("null", None), ("Null", None), ("NULL", None), ("", None), ("nuLL", "nuLL"), ("nulll", "nulll"),
        ("true", True), ("True", True), ("TRUE", True), ("tRUE", "tRUE"), ("false", False), ("False", False),
        ("FALSE", False), ("yes", "yes"), ("Off", "Off"), ("0", 0), ("-7", -7), ("+9", 9), ("1_000", "1_000"),
        ("0x1f", "0x1f"), (".5", 0.5), ("1.", 1.0), ("-1.5e+3", -1500.0), ("9e1", 90.0), ("9e", "9e"), ("1:30", "1:30"),
        (".", "."), ("<", "<"), ("2026-01-01", "2026-01-01"),
    ],
)  # fmt: skip
def test_a_word_is_a_value_of_the_core_schema(text: str, value: object) -> None:
    found = read_yaml(f"a: {text}", "f").data["a"]
    assert (found, type(found)) == (value, type(value))


def test_nothing_is_nothing() -> None:
    assert read_yaml("", "f").data == {}
    assert read_yaml("# only words\n", "f").data == {}


@pytest.mark.parametrize(
    ("text", "before", "why"),
    [
        ("", "a: 1\n", "file has no settings now"),
        ("\n# a: 1\n---\n", "a: 1\n", "file has no settings now"),
        ("{}\n", "a: 1\n", None),
        ("", "# nothing before\n", None),
        ("a: 1\n", "", None),
        ("a: 1\n", "a: 1\nb: 2\n...\n", "ended with `...`"),
        ("a: 1\n..", "a: 1\nb: 2\n...\n", "ended with `...`"),
        ("a: 1\n...  # end\n\n# and words\n", "a: 1\n...", None),
        ("a: 1\n", "a: 1\n#...\n", None),
        ("a: 1\n", "a: '\n  ...'\n", None),
    ],
)
def test_what_a_half_written_file_looks_like(text: str, before: str, why: str | None) -> None:
    found = cut_off(text, before)
    assert (found is None) if why is None else (found is not None and why in found)


def test_one_value_is_read_like_a_file() -> None:
    assert read_value("{a: off, b: [1, no]}") == {"a": "off", "b": [1, "no"]}
    assert read_value("") is None


@pytest.mark.parametrize("text", ["{a: 1, a: 2}", "[a", "!!python/name:os.system x"])
def test_one_wrong_value_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"duplicate key|not valid YAML|not a value"):
        read_value(text)
