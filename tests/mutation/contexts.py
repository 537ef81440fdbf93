"""Which test runs which line: collected once over the whole suite, kept in build/mutation.

As a pytest plugin (`-p mutation.contexts`), under coverage, it gives each test a context of its own. Lines that run in
a process of their own have none. Then the tests count that started one.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
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
_spawns = False


def _note(event: str, _: Any) -> None:
    global _spawns
    if event == "subprocess.Popen":
        _spawns = True


def pytest_configure() -> None:
    sys.addaudithook(_note)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """One context a test; its time and whether it started a process go into a file of this worker."""
    global _spawns
    running = coverage.Coverage.current()
    if running is not None:
        running.switch_context(item.nodeid)
    _spawns = False
    result = yield
    if running is not None:
        running.switch_context("")
    with (KEPT / f"tests.{os.getpid()}").open("a") as notes:
        notes.write(json.dumps([item.nodeid, _spawns]) + "\n")
    return result


def collect(arguments: list[str]) -> None:
    """Run the suite under coverage and keep what it tells. Minutes."""
    KEPT.mkdir(parents=True, exist_ok=True)
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
    lines = {}
    for file in data.measured_files():
        if Path(file).is_relative_to(ROOT) and Path(file).exists():  # not a tree that a test has copied
            by_line = {str(line): sorted(found) for line, found in data.contexts_by_lineno(file).items()}
            lines[str(Path(file).relative_to(ROOT))] = by_line
    spawners = []
    for notes in KEPT.glob("tests.*"):
        spawners += [name for name, spawned in map(json.loads, notes.read_text().splitlines()) if spawned]
    digests = {file: digest((ROOT / file).read_text()) for file in lines}
    (KEPT / "contexts.json").write_text(json.dumps({"lines": lines, "spawners": spawners, "digests": digests}))


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Contexts:
    """What was collected."""

    def __init__(self) -> None:
        kept = json.loads((KEPT / "contexts.json").read_text())
        self._lines: dict[str, dict[str, list[str]]] = kept["lines"]
        self._spawners: list[str] = kept["spawners"]
        self._digests: dict[str, str] = kept["digests"]

    def is_current(self, path: str, text: str) -> bool:
        """Whether `path` is as it was when the contexts were collected."""
        return self._digests.get(path) == digest(text)

    def tests(self, path: str, line: int, *, exact: bool) -> list[str]:
        """The tests that run this line, those of the mirrored path first.

        A line that no test runs by itself runs at import, or in a process of its own. Then everybody counts who runs
        anything in the module, and who starts a process.
        """
        by_line = self._lines.get(path, {})
        found = set(by_line.get(str(line), ())) - {""} if exact else set()
        if not found:
            found = {name for names in by_line.values() for name in names} | set(self._spawners)
        mirrored = f"tests/{path.rpartition('/')[0]}"
        per_file = Counter(name.partition("::")[0] for name in found)

        def order(name: str) -> tuple[bool, int, str]:
            return not name.startswith(mirrored), per_file[name.partition("::")[0]], name

        return sorted(filter(_is_there, found - {""}), key=order)


@cache
def _is_there(name: str) -> bool:
    """Whether a test is still where it was. pytest runs nothing where one of its arguments is not there."""
    file, *_, test = name.partition("[")[0].split("::")
    return (ROOT / file).exists() and f"def {test}(" in (ROOT / file).read_text()
