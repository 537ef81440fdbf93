"""Which tests a mutant meets, and in which order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mutation import contexts
from mutation.contexts import Beside, Contexts, by_line, digest, joined

PATH, TEXT = "proxy/address.py", "PORT = 80\n\n\ndef f():\n    return PORT\n"
OWN, NEAR = "tests/proxy/test_address.py::test_a", "tests/proxy/test_app.py::test_b"
FAR, SLOW, STARTS = "tests/wire/test_c.py::test_c", "tests/wire/test_c.py::test_d[1]", "tests/wire/test_e.py::test_e"
NUMBERS = "tests/test_promised_numbers.py::test_n"
NAMED = "tests/wire/test_addresses.py::test_f"


@pytest.fixture
def collected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`collected(lines)`: the contexts of `TEXT`, whose tests are all still there."""

    def make(lines: dict[str, list[str]], *more: str) -> Contexts:
        names = sorted({"", OWN, NEAR, FAR, SLOW, STARTS}.union(*lines.values()))
        kept = {
            "names": names,
            "lines": {PATH: {line: [names.index(one) for one in found] for line, found in lines.items()}},
            "spawners": [STARTS],
            "seconds": {OWN: 3.0, NEAR: 3.0, FAR: 1.0, SLOW: 100.0, STARTS: 30.0, NAMED: 9.0}
            | dict.fromkeys(more, 0.1),
            "digests": {PATH: digest(TEXT)},
        }
        (tmp_path / "contexts.json").write_text(json.dumps(kept))
        monkeypatch.setattr(contexts, "KEPT", tmp_path)
        monkeypatch.setattr(contexts, "_is_there", lambda name: True)
        return Contexts()

    return make


def test_the_nearest_come_first_and_others_as_long_as_there_is_time(collected: Any) -> None:
    found = collected({"5": [FAR, SLOW, OWN, NEAR]})
    assert found.batches(PATH, 5, TEXT) == [[OWN], [NEAR], [FAR, SLOW], [STARTS]]
    found = collected({"5": [SLOW, STARTS]})
    assert found.batches(PATH, 5, TEXT) == [[STARTS]]


def test_a_modules_tests_may_be_split_into_files(collected: Any) -> None:
    """By subject. A file whose name only begins alike is another module's."""
    part, other = "tests/proxy/test_address_ports.py::test_g", "tests/proxy/test_addresses.py::test_h"
    assert collected({"5": [part, other]}).batches(PATH, 5, TEXT) == [[part], [other], [STARTS]]


def test_files_take_turns_those_with_the_modules_name_first(collected: Any) -> None:
    found = collected({"5": [SLOW, FAR, NAMED, STARTS]})
    assert found.batches(PATH, 5, TEXT) == [[NAMED, FAR, STARTS]]
    found = collected({"5": [f"{FAR}[{n}]" for n in range(3)] + [STARTS]})
    assert found.batches(PATH, 5, TEXT) == [[f"{FAR}[0]", STARTS, f"{FAR}[1]", f"{FAR}[2]"]]


def test_those_come_last_that_may_run_a_line_in_another_process(collected: Any) -> None:
    assert collected({"5": ["", FAR, f"{FAR}[1]"]}).batches(PATH, 5, TEXT) == [[FAR, f"{FAR}[1]"], [STARTS]]


def test_new_code_of_a_function_is_enough_where_it_is_not_called_at_import(collected: Any) -> None:
    assert collected({"5": [FAR, OWN]}).of_function(PATH, 5, TEXT) == [OWN, FAR]
    assert collected({"5": ["", FAR, OWN]}).of_function(PATH, 5, TEXT) == []
    assert collected({"5": [FAR]}).of_function(PATH, 1, TEXT) == []


def test_a_modules_own_tests_are_newer_if_nothing_is_known_of_them(collected: Any) -> None:
    found = collected({"5": [FAR]})
    assert found.is_newer("tests/proxy/test_address.py::test_new", PATH)
    assert not found.is_newer(OWN, PATH)
    assert not found.is_newer("tests/wire/test_c.py::test_new", PATH)


def test_a_lines_tests_are_those_of_the_innermost_function() -> None:
    text = "class A:\n    def f(self):\n        def g():\n            return 1\n        return g\n\n\nX = 2\n"
    assert by_line(text, {"A.f": {1}, "A.f.<locals>.g": {2}}) == {"3": [1], "4": [2], "5": [1]}


def test_a_line_at_import_is_everybodys_and_of_all_beside_it(collected: Any) -> None:
    assert collected({"1": [OWN], "5": [FAR]}).batches(PATH, 1, TEXT) == [[OWN], [NEAR], [FAR], [STARTS]]


def test_where_no_test_is_beside_it_those_of_the_folder_around_count(collected: Any) -> None:
    """A module of constants runs at import alone, so nothing is known of it."""
    assert collected({}).batches("proxy/deeper/values.py", 1, TEXT) == [[OWN, NEAR], [STARTS]]


def test_those_that_look_up_constants_of_all_rooms_are_near(collected: Any) -> None:
    """They run no line of the module."""
    found = collected({"5": [FAR]}, NUMBERS)
    assert found.batches("proxy/http2/hpack/field.py", 1, TEXT) == [[NUMBERS], [OWN, NEAR], [STARTS]]
    assert found.batches(PATH, 1, TEXT) == [[OWN], [NEAR], [FAR], [STARTS]]


def test_so_is_a_module_that_has_changed_since(collected: Any) -> None:
    assert collected({"4": [OWN], "5": [FAR]}).batches(PATH, 5, TEXT + "\n") == [[OWN], [NEAR], [FAR], [STARTS]]


@pytest.mark.parametrize("lines", [{"5": [""]}, {}])
def test_a_line_at_import_or_in_another_process_is_of_those_beside_and_those_that_start_one(
    collected: Any, lines: dict[str, list[str]]
) -> None:
    """A function that is called while its module is imported has no test's context either."""
    assert collected(lines).batches(PATH, 5, TEXT) == [[OWN], [NEAR], [STARTS]]


def test_newer_tests_are_added_to_what_is_known() -> None:
    """A module that has changed since is still one that has: all of its tests count for each line."""
    before = {
        "names": ["", OWN],
        "lines": {PATH: {"5": [0, 1]}},
        "spawners": [OWN],
        "seconds": {OWN: 1},
        "digests": {PATH: "old"},
    }
    more = {
        "names": [FAR, OWN],
        "lines": {PATH: {"5": [0], "6": [0, 1]}, "b": {}},
        "spawners": [FAR],
        "seconds": {FAR: 2},
    }
    both = joined(before, {**more, "digests": {PATH: "new", "b": "b"}})
    assert both == {
        "names": ["", OWN, FAR],
        "lines": {PATH: {"5": [0, 1, 2], "6": [1, 2]}, "b": {}},
        "spawners": sorted([OWN, FAR]),
        "seconds": {OWN: 1, FAR: 2},
        "digests": {PATH: "old", "b": "b"},
    }


def test_nothing_collected_leaves_the_tests_beside_it() -> None:
    assert Beside().batches("proxy/address.py", 1, "") == [["tests/proxy/test_address.py"]]
    [own, folder] = Beside().batches("proxy/http1/pool.py", 1, "")
    assert own == [f"tests/proxy/http1/test_pool{subject}.py" for subject in ("", "_idle", "_limits", "_turns")]
    assert folder == ["tests/proxy/http1"]
