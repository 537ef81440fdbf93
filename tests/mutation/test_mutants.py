"""The tool that puts faults into the sources puts in those that it says, and no others."""

from __future__ import annotations

import ast

import pytest

from mutation.contexts import ROOT
from mutation.mutants import mutants
from mutation.same import SAME


def changed(text: str) -> set[str]:
    """Every mutant of `text`, as a whole text."""
    found = {one.apply(text) for one in mutants("m.py", text)}
    for one in found:
        ast.parse(one)
    return found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("x = a < b", {"x = a <= b"}),
        ("x = a >= b != c", {"x = a > b != c", "x = a >= b == c"}),
        ("x = a is not b", {"x = a is b"}),
        ("x = a not  in b", {"x = a in b"}),
        ("x = a and b and c", {"x = a or b and c", "x = a and b or c"}),
        ("x = (a  # and\n  or b)", {"x = (a  # and\n  and b)"}),
        ("x = not a", {"x = bool(a)"}),
        ("x = 64 * a", {"x = (65) * a", "x = (63) * a"}),
        ('x = "cookie"', {"x = 'qookie'"}),
        ('x = b"Host"', {"x = b'qost'"}),
        ('x = "; "', {"x = '; x'"}),
        ("def f():\n    return True", {"def f():\n    return False"}),
        ("def f():\n    return a", {"def f():\n    return None"}),
        ("def f():\n    self.a = b\n    c = d", {"def f():\n    pass\n    c = d"}),
        ("def f():\n    g()", {"def f():\n    pass"}),
        ("def f():\n    self.a = b\n    'Its sense.'", {"def f():\n    pass\n    'Its sense.'"}),
        ("x = cast('C', a < b)", {"x = cast('C', a <= b)"}),
        ("x = f(name='b')", {"x = f(name='q')"}),
        (
            "def f():\n    if a:\n        return\n    return None",
            {
                "def f():\n    if not (a):\n        return\n    return None",
                "def f():\n    if a:\n        pass\n    return None",
            },
        ),
        (
            "def f():\n    if a:\n        return\n    else:\n        return None",
            {"def f():\n    if not (a):\n        return\n    else:\n        return None"},
        ),
        (
            "def f():\n    if a:\n        b += c",
            {"def f():\n    if not (a):\n        b += c", "def f():\n    if a:\n        pass"},
        ),
    ],
)
def test_what_is_put_in(text: str, wanted: set[str]) -> None:
    assert changed(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        '"""A module."""',
        'def f():\n    """A function."""',
        'class C:\n    """A class."""\n    a = b\n    """An attribute."""',
        'x = cast("C", a)',
        'x = loop.create_task(a, name="b")',
        'x = threading.Thread(target=a, name="b")',
        'x = ThreadPoolExecutor(thread_name_prefix="b")',
        "import a.b",
        "x: Literal['a']",
        '__slots__ = ("a",)',
        "def f():\n    assert a < 1",
        "def f(a: 'B') -> 'C': ...",
        "x = a < b  # noqa: X - the reason",
        "if TYPE_CHECKING:\n    x = 1",
        'x = f"{a}b"',
        'T = TypeVar("T")',
        "def f():\n    return",
        "def f():\n    with a:\n        return",
        "def f():\n    try:\n        return\n    except E:\n        return None",
    ],
)
def test_what_is_left_alone(text: str) -> None:
    assert changed(text) == set()


def test_what_is_listed_as_the_same_is_left_out_and_still_there() -> None:
    for (path, line), (replacements, reason) in SAME.items():
        text = (ROOT / path).read_text()
        assert line in [one.strip() for one in text.splitlines()], "the line has changed: look at it again"
        found = [one for one in mutants("other.py", text) if text.splitlines()[one.line - 1].strip() == line]
        assert replacements <= {one.replacement for one in found}
        assert reason
        left = [one for one in mutants(path, text) if text.splitlines()[one.line - 1].strip() == line]
        assert {one.replacement for one in left} == {one.replacement for one in found} - replacements


def test_a_diff_shows_the_line() -> None:
    (one,) = mutants("m.py", "a\nx = é and a\nb")
    assert one.line == 2
    assert "-x = é and a\n+x = é or a" in one.diff("a\nx = é and a\nb")
