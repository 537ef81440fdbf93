"""Runs tests against mutants of functions without importing anything again.

The tests are collected once. For each mutant a fork gives the functions that it changes their new code and runs
tests until one fails. What a module makes when it is imported (constants, tables, defaults) cannot be changed so.
Modules that only a test would import are imported before, or a fork would import them without the mutant.
A test that fails is trusted only if it passes after the same tests without the mutant.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import inspect
import os
import resource
import signal
import sys
import time
import types
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import pytest

from mutation.contexts import ROOT
from mutation.mutants import Mutant

POLL_S = 0.005
COMPREHENSIONS = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})
SETUP_S = 10.0
Code = types.CodeType
Key = tuple[str, str, int]  # file, qualified name, first line


@dataclass
class _Run:
    """A fork. Without `mutant`: whether `failed` passes after the same tests."""

    mutant: Mutant
    tests: list[str]
    limit_s: float
    failed: str = ""
    ends_at: float = 0.0
    begun: float = 0.0
    told: int = -1
    is_control: bool = False


class Warm:
    """A plugin of pytest. Instead of running the tests once, it runs those of each mutant.

    `plan` gives the tests of a mutant, those likely to fail first, and the seconds that they may take.
    `done` is told the outcome (`killed`, `survived`, `timeout`), the test that failed, and the seconds.
    """

    def __init__(
        self,
        mutants: Iterable[Mutant],
        plan: Callable[[Mutant, list[str]], tuple[list[str], float]],
        done: Callable[[Mutant, str, str, float], None],
        at_once: int,
    ) -> None:
        self._left = list(mutants)
        self._plan = plan
        self._done = done
        self._at_once = at_once
        self._failed = ""
        self._sound: set[str] = set()  # tests that passed without a mutant
        self._unfit: set[str] = set()  # tests that did not
        self._controls: list[_Run] = []
        self._items: dict[str, pytest.Item] = {}
        self._functions: dict[Key, list[types.FunctionType]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed = report.nodeid

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._items = {item.nodeid: item for item in session.items}
        for path in {mutant.path for mutant in self._left}:
            with contextlib.suppress(Exception):  # which only its tests could import, then
                importlib.import_module(path.removesuffix(".py").replace("/", ".").removesuffix(".__init__"))
        self._functions = _functions()
        gc.collect()
        gc.freeze()
        self._left.reverse()
        running: dict[int, _Run] = {}
        while self._left or self._controls or running:
            while (self._left or self._controls) and len(running) < self._at_once:
                run = self._controls.pop() if self._controls else self._planned(self._left.pop())
                running[self._start(run)] = run
            for child, run in list(running.items()):
                code = _ended(child, run)
                if code is not None:
                    del running[child]
                    self._judge(run, code)
            time.sleep(POLL_S)
        return True

    def _planned(self, mutant: Mutant) -> _Run:
        tests, limit_s = self._plan(mutant, list(self._items))
        return _Run(mutant, [name for name in tests if name in self._items and name not in self._unfit], limit_s)

    def _start(self, run: _Run) -> int:
        """The process that runs it."""
        run.told, tell = os.pipe()
        child = os.fork()
        if child:
            os.close(tell)
            run.begun = time.monotonic()
            run.ends_at = run.begun + SETUP_S + run.limit_s
            return child
        code = 70
        try:
            os.close(run.told)
            os.setsid()
            seconds = int(SETUP_S + run.limit_s)
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
            quiet = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(quiet, stream)
            if not run.is_control:
                _apply(run.mutant, self._functions)
            self._run([self._items[name] for name in run.tests])
            os.write(tell, self._failed.encode()[:4000])
            code = 1 if self._failed else 0
        finally:
            os._exit(code)

    def _run(self, items: list[pytest.Item]) -> None:
        for number, item in enumerate(items):
            following = items[number + 1] if number + 1 < len(items) else None
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._failed:
                return

    def _judge(self, run: _Run, code: int) -> None:
        failed = os.read(run.told, 4000).decode(errors="replace")
        os.close(run.told)
        assert code != 70, f"no tests could be run for {run.mutant}"
        outcome = {0: "survived", -signal.SIGXCPU: "timeout"}.get(code, "killed")
        if run.is_control:
            if outcome != "survived":  # then nothing is known of the mutant
                self._unfit.add(run.failed)
                self._left.append(run.mutant)
                return
            self._sound.add(run.failed)
            outcome, failed = "killed", run.failed
        elif failed and failed not in self._sound:
            before = run.tests[: run.tests.index(failed) + 1]
            self._controls.append(_Run(run.mutant, before, run.limit_s, failed, is_control=True))
            return
        self._done(run.mutant, outcome, failed or f"exit {code}", time.monotonic() - run.begun)


def _ended(child: int, run: _Run) -> int | None:
    """Its exit code; None while it goes on."""
    ended, status = os.waitpid(child, os.WNOHANG)
    if not ended and time.monotonic() < run.ends_at:
        return None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if not ended:
        os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) if ended else -signal.SIGXCPU


def in_function(mutant: Mutant, text: str) -> bool:
    """Whether new code for functions is all that the mutant needs."""
    try:
        return bool(list(_changes(mutant, text)))
    except (SyntaxError, ValueError):
        return False


def _functions() -> dict[Key, list[types.FunctionType]]:
    """Every function there is of the project, by where it stands."""
    found: dict[Key, list[types.FunctionType]] = defaultdict(list)
    prefix = f"{ROOT}/"
    for one in gc.get_objects():
        if type(one) is types.FunctionType and one.__code__.co_filename.startswith(prefix):
            found[_key(one.__code__)].append(one)
    return found


def _key(code: Code) -> Key:
    return code.co_filename, code.co_qualname, code.co_firstlineno


def _apply(mutant: Mutant, functions: dict[Key, list[types.FunctionType]]) -> None:
    file = ROOT / mutant.path
    for old, new in _changes(mutant, file.read_text()):
        for function in functions.get(_key(old), ()):
            with contextlib.suppress(ValueError):  # other free variables: an outer function makes it anew
                function.__code__ = new


def _changes(mutant: Mutant, text: str) -> Iterator[tuple[Code, Code]]:
    """The code of each function before and after. ValueError where other code than that of functions changes."""
    name = str(ROOT / mutant.path)
    flags = {"dont_inherit": True, "optimize": sys.flags.optimize}
    old = compile(text, name, "exec", **flags)  # type: ignore[call-overload]
    new = compile(mutant.apply(text), name, "exec", **flags)  # type: ignore[call-overload]
    yield from _pairs(old, new, is_body=True)


def _pairs(old: Code, new: Code, *, is_body: bool) -> Iterator[tuple[Code, Code]]:
    befores, afters = _inner(old), _inner(new)
    if is_body:  # of a module or a class: it ran when it was imported
        if [_plain(one) for one in old.co_consts] != [_plain(one) for one in new.co_consts]:
            raise ValueError("a constant of the body")
        if (old.co_code, old.co_names, len(befores)) != (new.co_code, new.co_names, len(afters)):
            raise ValueError("code of the body")
    elif old != new:
        yield old, new
    if len(befores) == len(afters):
        for before, after in zip(befores, afters, strict=True):
            ran = before.co_name in COMPREHENSIONS or not before.co_flags & inspect.CO_NEWLOCALS  # or of a class
            yield from _pairs(before, after, is_body=is_body and ran)


def _inner(code: Code) -> list[Code]:
    return [one for one in code.co_consts if isinstance(one, Code)]


def _plain(constant: object) -> object:
    return None if isinstance(constant, Code) else (type(constant), constant)
