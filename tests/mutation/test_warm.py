"""What is changed in a running process, and what needs an import."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import pytest

from mutation import warm
from mutation.mutants import Mutant, mutants

TEXT = """\
LIMIT = 10
TABLE = [one + 20 for one in (0,)]


def twice(value, by=30):
    def inner():
        return value * 40
    return inner()


class Box:
    size = 50

    def whole(self):
        return 60
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`TEXT`, imported."""
    monkeypatch.setattr(warm, "ROOT", tmp_path)
    file = tmp_path / "m.py"
    file.write_text(TEXT)
    made = types.ModuleType("m")
    exec(compile(TEXT, str(file), "exec", dont_inherit=True), made.__dict__)
    return made


def more_than(number: int) -> Mutant:
    """The mutant that has one more instead of `number`."""
    [found] = [one for one in mutants("m.py", TEXT) if one.replacement == f"({number + 1})"]
    return found


@pytest.mark.parametrize(
    ("number", "is_enough"), [(10, False), (20, False), (30, False), (40, True), (50, False), (60, True)]
)
def test_what_runs_at_import_cannot_be_changed_later(module: Any, number: int, is_enough: bool) -> None:
    assert warm.in_function(more_than(number), TEXT) is is_enough


def test_functions_and_methods_get_their_new_code(module: Any) -> None:
    functions = warm._functions()
    warm._apply(more_than(40), functions)
    assert (module.twice(10), module.Box().whole()) == (410, 60)
    warm._apply(more_than(60), functions)
    assert module.Box().whole() == 61
