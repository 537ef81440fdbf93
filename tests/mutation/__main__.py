"""Mutation testing: `make mutate SAMPLE=300 SEED=1` puts small faults into the sources and shows which no test finds.

    python -m mutation --sample 300 --seed 1 [--only proxy/http1] [--beside] [--collect] [--more tests/new]

For each mutant the tests run that call its function, until one fails: first those beside its module, then the others.
What changes functions alone is tried first in forks of one process (`warm`). What needs an import, and what survives
there, is tried in copies of the tree, where tests may start processes. Two at a time.
What survives is printed as a diff: a test is missing, or the code does nothing, or the mutant means the same.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import json
import os
import queue
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from mutation.contexts import KEPT, PLACES, ROOT, Beside, Contexts, collect
from mutation.mutants import Mutant, mutants
from mutation.warm import Warm, in_function

HANGS_S = 60.0  # a mutant hangs if its tests take longer than this, and twice as long as without it
LEFT_OUT = shutil.ignore_patterns(".git", ".venv*", "build", "node_modules", "*_cache", ".hypothesis", "__pycache__")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m mutation", description=__doc__)
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0, help="0: a new one each time")
    parser.add_argument("--only", default="", help="beginning of the paths that are mutated")
    parser.add_argument("--collect", action="store_true", help="ask anew which test runs which line")
    parser.add_argument("--beside", action="store_true", help="only the tests of each module's folder")
    parser.add_argument("--warm", action="store_true", help="only what needs neither an import nor a process: quick")
    parser.add_argument("--at-once", type=int, default=2, help="copies of the tree in which tests run")
    parser.add_argument("--tests", default="tests", help="where tests are collected from")
    parser.add_argument("--more", default="", help="collect these tests beside what is kept: they are newer")
    options = parser.parse_args()
    if options.more:
        collect(options.more.split(), is_more=True)
    if not options.beside and (options.collect or not (KEPT / "contexts.json").exists()):
        print("collecting which test runs which line (minutes)", flush=True)
        collect(options.tests.split())
    seed = options.seed or random.SystemRandom().randrange(1, 10**6)
    every = [
        mutant
        for place in PLACES
        for file in sorted((ROOT / place).rglob("*.py"))
        if (path := str(file.relative_to(ROOT))).startswith(options.only)
        for mutant in mutants(path, file.read_text())
    ]
    chosen = random.Random(seed).sample(every, min(options.sample, len(every)))
    print(f"{len(chosen)} of {len(every)} mutants, SEED={seed}", flush=True)
    return report(chosen, run_all(chosen, Beside() if options.beside else Contexts(), options))


def run_all(chosen: list[Mutant], contexts: Contexts | Beside, options: argparse.Namespace) -> dict[Mutant, str]:
    """Mutant -> killed, survived, timeout or not run (by no test)."""
    outcomes = warmly(chosen, contexts, options) if isinstance(contexts, Contexts) else {}
    left = [mutant for mutant in chosen if outcomes.get(mutant, "survived") == "survived"]
    if options.warm:
        return outcomes
    skipped = {mutant for mutant, outcome in outcomes.items() if outcome == "survived"}
    return outcomes | in_copies(left, contexts, options.at_once, skipped)


def warmly(chosen: list[Mutant], contexts: Contexts, options: argparse.Namespace) -> dict[Mutant, str]:
    """Those whose functions tests call."""
    texts = {mutant.path: (ROOT / mutant.path).read_text() for mutant in chosen}
    tests = {
        mutant: found
        for mutant in chosen
        if in_function(mutant, texts[mutant.path])
        and (found := contexts.of_function(mutant.path, mutant.line, texts[mutant.path]))
    }
    print(f"{len(tests)} of them without an import; collecting tests", flush=True)
    outcomes: dict[Mutant, str] = {}

    def plan(mutant: Mutant, names: list[str]) -> tuple[list[str], float]:
        newer = [name for name in names if contexts.is_newer(name, mutant.path)]
        return newer + tests[mutant], min(2 * contexts.took_s(tests[mutant]), HANGS_S) + len(newer)

    def done(mutant: Mutant, outcome: str, by: str, took_s: float) -> None:
        outcomes[mutant] = outcome
        told = f"{outcome:9} {mutant.path}:{mutant.line} {mutant.kind} ({took_s:.1f} s)"
        print(f"{len(outcomes):4} {told} {by if outcome == 'killed' else ''}", flush=True)

    warm = Warm(tests, plan, done, options.at_once)
    pytest.main(["-q", "--no-header", "-p", "no:cacheprovider", *options.tests.split()], plugins=[warm])
    return outcomes


def in_copies(
    chosen: list[Mutant], contexts: Contexts | Beside, at_once: int, skipped: set[Mutant]
) -> dict[Mutant, str]:
    """With the fault in the file. `skipped` survived the tests that call their function, which need not run again."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as scratch:
        trees: queue.Queue[Tree] = queue.Queue()
        for number in range(at_once):
            trees.put(Tree(Path(scratch) / str(number), contexts))

        def run(mutant: Mutant) -> tuple[str, float]:
            tree, begun = trees.get(), time.monotonic()
            try:
                return tree.outcome(mutant, is_rest=mutant in skipped), time.monotonic() - begun
            finally:
                trees.put(tree)

        outcomes: dict[Mutant, str] = {}
        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
            running = {pool.submit(run, mutant): mutant for mutant in chosen}
            for done in concurrent.futures.as_completed(running):
                mutant = running[done]
                outcomes[mutant], took_s = done.result()
                told = f"{outcomes[mutant]:9} {mutant.path}:{mutant.line} {mutant.kind} ({took_s:.0f} s)"
                print(f"{len(outcomes):4} {told}", flush=True)
        while not trees.empty():
            trees.get().close()
        return outcomes


class Tree:
    """A copy of the sources and tests, and a process that runs tests in it."""

    def __init__(self, root: Path, contexts: Contexts | Beside) -> None:
        shutil.copytree(ROOT, root, ignore=LEFT_OUT, symlinks=True)
        subprocess.run([sys.executable, "-m", "compileall", "-q", str(root)], check=False)
        self._root = root
        self._contexts = contexts
        self._worker = subprocess.Popen(
            [sys.executable, "-m", "mutation.worker", str(root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        )
        assert self._run(["tests/mutation/test_mutants.py"]) == "survived", "tests fail without a mutant"

    def close(self) -> None:
        self._worker.communicate()

    def outcome(self, mutant: Mutant, *, is_rest: bool) -> str:
        """Put it in, run its tests, take it out."""
        file = self._root / mutant.path
        text, times = file.read_text(), file.stat()
        batches = self._contexts.batches(mutant.path, mutant.line, text)
        if is_rest and isinstance(self._contexts, Contexts):
            known = set(self._contexts.of_function(mutant.path, mutant.line, text))
            batches = [rest for batch in batches if (rest := [name for name in batch if name not in known])]
        elif not batches:
            return "not run"
        changed = mutant.apply(text)
        file.write_text(changed)
        try:
            for batch in batches:
                limit_s = HANGS_S + 2 * self._contexts.took_s(batch)
                found = self._run(batch, limit_s)
                if found == "timeout":
                    # Perhaps it is the machine that is slow: how long do they take without the mutant?
                    self._restore(file, text, times)
                    begun = time.monotonic()
                    self._run(batch, 5 * limit_s)
                    patient_s = 3 * (time.monotonic() - begun)
                    file.write_text(changed)
                    found = self._run(batch, patient_s) if patient_s > limit_s else found
                if found != "survived":
                    return found
            return "survived"
        finally:
            self._restore(file, text, times)

    def _restore(self, file: Path, text: str, times: os.stat_result) -> None:
        file.write_text(text)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))  # so that what was compiled before counts again

    def _run(self, tests: list[str], limit_s: float = HANGS_S) -> str:
        stdin, stdout = self._worker.stdin, self._worker.stdout
        assert stdin is not None and stdout is not None
        stdin.write(json.dumps([limit_s, *tests]) + "\n")
        stdin.flush()
        code = stdout.readline().strip()
        assert code, "the process that runs tests has ended"
        return {"0": "survived", "5": "survived", "timeout": "timeout"}.get(code, "killed")


def report(chosen: list[Mutant], outcomes: dict[Mutant, str]) -> int:
    """Print what survived. 0 where nothing did."""
    chosen = [mutant for mutant in chosen if mutant in outcomes]
    survivors = [mutant for mutant in chosen if outcomes[mutant] in ("survived", "not run")]
    for mutant in sorted(survivors, key=lambda one: (one.path, one.line)):
        print(f"\n{outcomes[mutant]}: {mutant.path}:{mutant.line} ({mutant.kind})")
        print(mutant.diff((ROOT / mutant.path).read_text()))
    counts = collections.Counter(outcomes.values())
    caught = counts["killed"] + counts["timeout"]
    print(f"\n{caught} of {len(chosen)} found ({caught / max(len(chosen), 1):.1%}): {dict(counts)}")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
