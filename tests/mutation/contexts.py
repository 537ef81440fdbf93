"""Which test calls which function: collected once over the whole suite, kept in build/mutation.

As a pytest plugin (`-p mutation.contexts`) it notes for each test the functions that it calls, and its time.
Functions that run in a process of their own are seen by nobody: so tests that start a process count as well, last.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "build" / "mutation"
PLACES = ("proxy", "ops_lib")
MOST_S = 120.0  # of tests that are not beside the module; lines that every request runs are run by more
BATCH = 100  # tests; each batch reads the files that its tests are in
MOST_PROCESS_S = 30.0  # of tests that perhaps run the line in a process of their own
_spawns = False
_called: dict[int, CodeType] = {}


def _note(event: str, _: Any) -> None:
    global _spawns
    if event == "subprocess.Popen":
        _spawns = True


def _trace(frame: FrameType, event: str, _: Any) -> None:
    """Of each call alone: no line is traced."""
    if _called is not None:  # which it is while the interpreter ends
        _called[id(frame.f_code)] = frame.f_code


def pytest_configure() -> None:
    sys.addaudithook(_note)
    threading.settrace(_trace)
    sys.settrace(_trace)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """What a test called, whether it started a process, and its seconds go into a file of this worker."""
    global _spawns
    _write(["", False, 0.0, _functions()])
    _spawns = False
    begun = time.monotonic()
    sys.settrace(_trace)
    result = yield
    _write([item.nodeid, _spawns, round(time.monotonic() - begun, 3), _functions()])
    return result


def _write(note: list[Any]) -> None:
    with (KEPT / f"tests.{os.getpid()}").open("a") as notes:
        notes.write(json.dumps(note) + "\n")


def _functions() -> list[str]:
    """The project's functions called since this was asked last: path and qualified name."""
    codes = list(_called.values())
    _called.clear()
    prefixes = tuple(f"{ROOT}/{place}/" for place in PLACES)
    of_us = [code for code in codes if code.co_filename.startswith(prefixes)]
    return sorted({f"{os.path.relpath(code.co_filename, ROOT)} {code.co_qualname}" for code in of_us})


def collect(arguments: list[str], *, is_more: bool = False) -> None:
    """Run tests and keep what they call. Minutes, for the whole suite.

    `is_more`: these tests are newer than what is kept, which they are added to.
    """
    KEPT.mkdir(parents=True, exist_ok=True)
    before = json.loads((KEPT / "contexts.json").read_text()) if is_more else None
    for old in KEPT.iterdir():
        old.unlink()
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "mutation.contexts", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    subprocess.run([*command, *arguments], cwd=ROOT, env=environment, check=False)
    notes = [json.loads(line) for kept in KEPT.glob("tests.*") for line in kept.read_text().splitlines()]
    names: dict[str, int] = {}  # each once: a function that every request runs has thousands
    functions: dict[str, set[int]] = defaultdict(set)
    for name, _, _, called in notes:
        for function in called:
            functions[function].add(names.setdefault(name, len(names)))
    by_path: dict[str, dict[str, set[int]]] = defaultdict(dict)
    for function, tests in functions.items():
        path, _, qualified = function.partition(" ")
        by_path[path][qualified] = tests
    kept = {
        "names": list(names),
        "lines": {path: by_line((ROOT / path).read_text(), found) for path, found in by_path.items()},
        "spawners": [name for name, spawned, *_ in notes if spawned],
        "seconds": {name: seconds for name, _, seconds, _ in notes if name},
        "digests": {path: digest((ROOT / path).read_text()) for path in by_path},
    }
    (KEPT / "contexts.json").write_text(json.dumps(kept if before is None else joined(before, kept)))


def by_line(text: str, found: dict[str, set[int]]) -> dict[str, list[int]]:
    """The tests of each line of a module: those that call the innermost function around it."""
    lines: dict[str, list[int]] = {}

    def walk(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            inside = prefix
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                name = f"{prefix}{child.name}"
                inside = f"{name}." if isinstance(child, ast.ClassDef) else f"{name}.<locals>."
                if name in found and not isinstance(child, ast.ClassDef):
                    tests = sorted(found[name])
                    lines.update({str(line): tests for line in _lines_inside(child)})
            walk(child, inside)

    walk(ast.parse(text), "")
    return lines


def _lines_inside(function: ast.FunctionDef | ast.AsyncFunctionDef) -> range:
    return range(function.body[0].lineno, (function.end_lineno or 0) + 1)


def joined(before: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """What is known of all tests. A module that has changed between stays one that has."""
    names = {name: number for number, name in enumerate(before["names"])}
    lines = before["lines"]
    for file, by_line in more["lines"].items():
        known = lines.setdefault(file, {})
        for line, found in by_line.items():
            ours = {names.setdefault(more["names"][number], len(names)) for number in found}
            known[line] = sorted(ours.union(known.get(line, ())))
    return {
        "names": list(names),
        "lines": lines,
        "spawners": sorted({*before["spawners"], *more["spawners"]}),
        "seconds": before["seconds"] | more["seconds"],
        "digests": more["digests"] | before["digests"],
    }


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Beside:
    """Nothing collected: a module's mutants meet the tests of its folder alone."""

    def batches(self, path: str, line: int, text: str) -> list[list[str]]:
        folder, _, _ = path.rpartition("/")
        files = sorted(str(file.relative_to(ROOT)) for file in ROOT.glob(f"tests/{folder}/test_*.py"))
        own = [file for file in files if file.startswith(_own(path))]
        whole = [f"tests/{folder}"] if "/" in folder and (ROOT / "tests" / folder).is_dir() else []
        return [batch for batch in (own, whole) if batch]

    def took_s(self, batch: list[str]) -> float:
        """Not known: so much that a folder's tests have time."""
        return 60.0


class Contexts:
    """What was collected."""

    def __init__(self) -> None:
        kept = json.loads((KEPT / "contexts.json").read_text())
        self._names: list[str] = kept["names"]
        self._lines: dict[str, dict[str, list[int]]] = kept["lines"]
        self._spawners: list[str] = kept["spawners"]
        self._seconds: dict[str, float] = kept["seconds"]
        self._digests: dict[str, str] = kept["digests"]

    def batches(self, path: str, line: int, text: str) -> list[list[str]]:
        """The tests for a mutant of this line of `text`, to be run one batch after another until a test fails.

        First the module's own (`_own`), then those of its folder, then the others, up to `MOST_S`.
        Of the others, those come first that run the line for sure, and files whose names share words with the module's.
        Files that are as near take turns with their tests, the quickest first.
        """
        mirrored, own = f"tests/{path.rpartition('/')[0]}/", _own(path)
        turns: Counter[str] = Counter()
        words = _words(path)
        by_place: list[list[str]] = [[], [], []]
        order: dict[str, tuple[int, int]] = {}
        found = self._tests(path, line, text)
        for name in sorted(found, key=lambda name: (self._took(name), name)):
            file = name.partition("::")[0]
            is_near = name.startswith(mirrored) or file in _of_all_rooms(path)
            by_place[0 if file.startswith(own) else 1 if is_near else 2].append(name)
            order[name] = (-len(words & _words(file)), turns[file])
            turns[file] += 1
        sure = [name for name in by_place[2] if found[name]]
        perhaps = [name for name in by_place[2] if not found[name]]
        others = self._batched(sure, order, MOST_S) + self._batched(perhaps, order, MOST_PROCESS_S)
        return [batch for batch in [*by_place[:2], *others] if batch]

    def _batched(self, names: list[str], order: dict[str, tuple[int, int]], left_s: float) -> list[list[str]]:
        batches: list[list[str]] = [[]]
        for name in sorted(names, key=order.__getitem__):
            left_s -= self._took(name)
            if left_s < 0:
                break
            if len(batches[-1]) == BATCH:
                batches.append([])
            batches[-1].append(name)
        return batches

    def of_function(self, path: str, line: int, text: str) -> list[str]:
        """The tests that call the function around this line in their own process, in the order of `batches`.

        None where it is called at import as well: then new code for the function comes too late.
        """
        known = self._calls(path, line, text)
        if not known or "" in known:
            return []
        return [name for batch in self.batches(path, line, text) for name in batch if name in known]

    def _tests(self, path: str, line: int, text: str) -> dict[str, bool]:
        """The tests that run this line: for sure, or perhaps.

        Of a line that runs at import (also of a function that is called there), and of a module that has changed
        since, those that run anything in the module, and all beside it.
        So are those at the top of `tests` that name the module: they look its constants up.
        Perhaps those that start a process run it there.
        """
        found = self._calls(path, line, text)
        beside: set[str] = set()
        if not found - {""}:
            numbers = set().union(*self._lines.get(path, {}).values())
            found = {self._names[one] for one in numbers}
            # Files there may run it while they are imported; where its folder has none, those of the folder around it.
            for folder in Path("tests", path).parents:
                beside = {name for name in self._seconds if Path(name.partition("::")[0]).parent == folder}
                if beside:
                    break
            beside |= {name for name in self._seconds if name.partition("::")[0] in _of_all_rooms(path)}
        perhaps = set(self._spawners)
        found = found | beside
        return {name: name in found for name in found | perhaps if name and _is_there(name)}

    def is_newer(self, name: str, path: str) -> bool:
        """Whether this is a test of the module's own that nothing is known of."""
        return name not in self._seconds and name.startswith(_own(path))

    def _calls(self, path: str, line: int, text: str) -> set[str]:
        """The tests that call the function around this line, "" for its calls outside of tests."""
        if self._digests.get(path) != digest(text) or not _is_in_function(text, line):
            return set()
        return {self._names[one] for one in self._lines.get(path, {}).get(str(line), ())}

    def took_s(self, batch: list[str]) -> float:
        """How long these tests took when they were collected."""
        return sum(map(self._took, batch))

    def _took(self, test: str) -> float:
        return self._seconds.get(test, 1.0)


def _own(path: str) -> tuple[str, str]:
    """How the paths of a module's own tests begin: test_pool.py, and test_pool_idle.py where they are split."""
    folder, _, module = path.removesuffix(".py").rpartition("/")
    return f"tests/{folder}/test_{module}.py", f"tests/{folder}/test_{module}_"


@cache
def _of_all_rooms(path: str) -> frozenset[str]:
    """The files at the top of `tests` that name this module."""
    module = path.removesuffix(".py").replace("/", ".")
    files = (ROOT / "tests").glob("test_*.py")
    return frozenset(f"tests/{file.name}" for file in files if re.search(rf"{re.escape(module)}\b", file.read_text()))


@cache
def _words(path: str) -> frozenset[str]:
    """Of the names in a path, by their first letters: one address is like two addresses."""
    words = re.split(r"[/_]", path.removesuffix(".py"))
    return frozenset(word[:5] for word in words) - {"proxy", "test", "tests", "ops", "lib"}


@cache
def _function_lines(text: str) -> frozenset[int]:
    inside = (
        _lines_inside(one)
        for one in ast.walk(ast.parse(text))
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return frozenset(line for lines in inside for line in lines)


def _is_in_function(text: str, line: int) -> bool:
    return line in _function_lines(text)


@cache
def _is_there(name: str) -> bool:
    """Whether a test is still where it was. pytest runs nothing where one of its arguments is not there."""
    file, *_, test = name.partition("[")[0].split("::")
    return (ROOT / file).exists() and f"def {test}(" in (ROOT / file).read_text()
