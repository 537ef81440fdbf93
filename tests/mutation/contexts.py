"""Which test runs which line: collected once over the whole suite, kept in build/mutation.

As a pytest plugin (`-p mutation.contexts`), under coverage, it gives each test a context of its own, and a time.
Lines that run in a process of their own have no context.
Then the tests count that started a process.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import coverage
import pytest

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "build" / "mutation"
PLACES = ("proxy", "ops_lib")
MOST_S = 120.0  # of tests that are not beside the module; lines that every request runs are run by more
BATCH = 100  # tests; each batch reads the files that its tests are in
_spawns = False


def _note(event: str, _: Any) -> None:
    global _spawns
    if event == "subprocess.Popen":
        _spawns = True


def pytest_configure() -> None:
    sys.addaudithook(_note)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """One context a test; whether it started a process, and its seconds, go into a file of this worker."""
    global _spawns
    running = coverage.Coverage.current()
    if running is not None:
        running.switch_context(item.nodeid)
    _spawns = False
    begun = time.monotonic()
    result = yield
    if running is not None:
        running.switch_context("")
    with (KEPT / f"tests.{os.getpid()}").open("a") as notes:
        notes.write(json.dumps([item.nodeid, _spawns, round(time.monotonic() - begun, 3)]) + "\n")
    return result


def collect(arguments: list[str], *, is_more: bool = False) -> None:
    """Run tests under coverage and keep what that tells. Minutes, for the whole suite.

    `is_more`: these tests are newer than what is kept, which they are added to.
    """
    KEPT.mkdir(parents=True, exist_ok=True)
    before = json.loads((KEPT / "contexts.json").read_text()) if is_more else None
    for old in KEPT.iterdir():
        old.unlink()
    settings = KEPT / "coveragerc"
    settings.write_text(
        f"[run]\nparallel = true\npatch = subprocess\nsource = {','.join(PLACES)}\ndata_file = {KEPT}/data\n"
    )
    command = [sys.executable, "-m", "coverage", "run", f"--rcfile={settings}", "-m", "pytest", "-q", "-n", "2"]
    command += ["-p", "mutation.contexts", "-p", "no:cacheprovider", *arguments]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT / "tests")}, check=False)
    data = coverage.CoverageData(str(KEPT / "data"))
    merged = coverage.Coverage(data_file=str(KEPT / "data"), config_file=str(settings))
    merged.combine()
    merged.save()
    data.read()
    names: dict[str, int] = {}  # each once: a line that every request runs has thousands
    lines = {}
    for file in data.measured_files():
        if Path(file).is_relative_to(ROOT) and Path(file).exists():  # not a tree that a test has copied
            lines[str(Path(file).relative_to(ROOT))] = {
                str(line): sorted(names.setdefault(name, len(names)) for name in found)
                for line, found in data.contexts_by_lineno(file).items()
            }
    notes = [json.loads(line) for kept in KEPT.glob("tests.*") for line in kept.read_text().splitlines()]
    kept = {
        "names": list(names),
        "lines": lines,
        "spawners": [name for name, spawned, _ in notes if spawned],
        "seconds": {name: seconds for name, _, seconds in notes},
        "digests": {file: digest((ROOT / file).read_text()) for file in lines},
    }
    (KEPT / "contexts.json").write_text(json.dumps(kept if before is None else joined(before, kept)))


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
        Files that are as near take turns: the quickest test of each, then the second of each, and so on.
        """
        mirrored, own = f"tests/{path.rpartition('/')[0]}/", _own(path)
        turns: Counter[str] = Counter()
        words = _words(path)
        by_place: list[list[str]] = [[], [], []]
        order: dict[str, tuple[bool, int, int]] = {}
        found = self._tests(path, line, text)
        for name in sorted(found, key=lambda name: (self._took(name), name)):
            file = name.partition("::")[0]
            is_near = name.startswith(mirrored) or file in _of_all_rooms(path)
            by_place[0 if file.startswith(own) else 1 if is_near else 2].append(name)
            order[name] = (not found[name], -len(words & _words(file)), turns[file])
            turns[file] += 1
        others: list[list[str]] = [[]]
        left_s = MOST_S
        for name in sorted(by_place[2], key=order.__getitem__):
            left_s -= self._took(name)
            if left_s < 0:
                break
            if len(others[-1]) == BATCH:
                others.append([])
            others[-1].append(name)
        return [batch for batch in [*by_place[:2], *others] if batch]

    def _tests(self, path: str, line: int, text: str) -> dict[str, bool]:
        """The tests that run this line: for sure, or perhaps.

        Of a line that runs at import (also of a function that is called there), and of a module that has changed
        since, those that run anything in the module, and all beside it.
        So are those at the top of `tests` that name the module: they look its constants up.
        Of a line that runs in a process of its own, perhaps those that start one as well.
        """
        by_line = {line: {self._names[one] for one in found} for line, found in self._lines.get(path, {}).items()}
        found: set[str] = set()
        if self._digests.get(path) == digest(text) and _is_in_function(text, line):
            found = by_line.get(str(line), set())
        beside: set[str] = set()
        if not found - {""}:
            found = set().union(*by_line.values())
            # Files there may run it while they are imported; where its folder has none, those of the folder around it.
            for folder in Path("tests", path).parents:
                beside = {name for name in self._seconds if Path(name.partition("::")[0]).parent == folder}
                if beside:
                    break
            beside |= {name for name in self._seconds if name.partition("::")[0] in _of_all_rooms(path)}
        perhaps = set(self._spawners) if "" in found or not found else set()
        found = found | beside
        return {name: name in found for name in found | perhaps if name and _is_there(name)}

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
        range(one.body[0].lineno, (one.end_lineno or 0) + 1)
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
