"""Mutation testing: `make mutate SAMPLE=300 SEED=1` puts small faults into the sources and shows which no test finds.

    python -m mutation --sample 300 --seed 1 [--only proxy/http1] [--collect]

Works in copies of the tree, two at a time. For each mutant the tests run that run its line, until one fails.
What survives is printed as a diff: a test is missing, or the code does nothing, or the mutant means the same.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import contextlib
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from mutation.contexts import KEPT, PLACES, ROOT, Contexts, collect
from mutation.mutants import Mutant, mutants

AT_ONCE = 2
MOST_TESTS = 1500  # of one mutant; lines that every request runs are run by more
HANGS_S, A_TEST_S = 60.0, 0.5  # a mutant that takes longer than both hangs
LEFT_OUT = shutil.ignore_patterns(".git", ".venv*", "build", "node_modules", "*_cache", ".hypothesis", "__pycache__")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m mutation", description=__doc__)
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0, help="0: a new one each time")
    parser.add_argument("--only", default="", help="beginning of the paths that are mutated")
    parser.add_argument("--collect", action="store_true", help="ask anew which test runs which line")
    parser.add_argument("--tests", default="tests", help="where tests are collected from")
    options = parser.parse_args()
    if options.collect or not (KEPT / "contexts.json").exists():
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
    return report(chosen, run_all(chosen))


def run_all(chosen: list[Mutant]) -> dict[Mutant, str]:
    """Mutant -> killed, survived, timeout or not run (by no test)."""
    contexts = Contexts()
    with tempfile.TemporaryDirectory(prefix="mutation-") as scratch:
        trees: queue.Queue[Path] = queue.Queue()
        for number in range(AT_ONCE):
            tree = Path(scratch) / str(number)
            shutil.copytree(ROOT, tree, ignore=LEFT_OUT, symlinks=True)
            subprocess.run([sys.executable, "-m", "compileall", "-q", str(tree)], check=False)
            trees.put(tree)

        def run(mutant: Mutant) -> str:
            tree = trees.get()
            try:
                return run_one(mutant, tree, contexts)
            finally:
                trees.put(tree)

        outcomes: dict[Mutant, str] = {}
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            running = {pool.submit(run, mutant): mutant for mutant in chosen}
            for done in concurrent.futures.as_completed(running):
                mutant = running[done]
                outcomes[mutant] = done.result()
                print(f"{len(outcomes):4} {outcomes[mutant]:9} {mutant.path}:{mutant.line} {mutant.kind}", flush=True)
        return outcomes


def run_one(mutant: Mutant, tree: Path, contexts: Contexts) -> str:
    """Put it in, run its tests, take it out."""
    file = tree / mutant.path
    text, times = file.read_text(), file.stat()
    tests = contexts.tests(mutant.path, mutant.line, exact=contexts.is_current(mutant.path, text))[:MOST_TESTS]
    if not tests:
        return "not run"
    file.write_text(mutant.apply(text))
    names = tree / "chosen-tests"
    names.write_text("\n".join(tests))
    limit_s = HANGS_S + A_TEST_S * len(tests)
    # Of CPU time as well: then an endless loop ends even where nobody is left to end it.
    command = ["/bin/sh", "-c", f'ulimit -t {limit_s:.0f}; exec "$@"', "sh"]
    command += [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--tb=no", f"@{names}"]
    environ = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        command, cwd=tree, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        code = process.wait(limit_s)
    except subprocess.TimeoutExpired:
        return "timeout"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        file.write_text(text)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))  # so that what was compiled before counts again
    if code == -signal.SIGXCPU:
        return "timeout"
    return "survived" if code in (0, 5) else "killed"


def report(chosen: list[Mutant], outcomes: dict[Mutant, str]) -> int:
    """Print what survived. 0 where nothing did."""
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
