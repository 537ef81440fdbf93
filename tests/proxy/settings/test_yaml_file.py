"""YAML texts: values as YAML 1.2 has them, the line of every key, and every problem with its line."""

from __future__ import annotations

import itertools

import pytest

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
