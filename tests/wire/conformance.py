"""Runs the conformance folder against the sidecar and holds it to the bar of that folder's README. `make conformance`.

Knows the command line of the sidecar and the runners' report files, nothing of the inside. The folder is not part of
the project:
where it is missing this ends well, but says that nothing was checked.

    python tests/wire/conformance.py FOLDER

The bar: no UNSAFE, VIOLATION or HUNG at any level; no CHECK or OVERSTRICT at level must; each LENIENT and each CHECK
or OVERSTRICT
below must stands by name in lenient.json, with its reason; vectors of tier consensus pass whole, the others pass or
stand there too.
A name that stands in lenient.json and needs no excuse any more is an error as well, so that the list never outlives
its reasons.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FORMATS = ("tracecontext", "b3", "jaeger")
SIDECAR = shlex.join(
    [sys.executable, "-P", "-m", "proxy", "run", "--outbound", "off", "--admin", "off", "--set", "reload.watch=false"]
)
NEVER = {"UNSAFE", "VIOLATION", "HUNG"}


def main(folder: Path) -> int:
    """Run everything; 0 where the bar is met."""
    if not (folder / "run_attacks.py").is_file():
        print(f"conformance: NOT CHECKED, nothing is known of the bar: there is no folder {folder}", file=sys.stderr)
        return 0
    excuses: dict[str, str] = json.loads((HERE / "lenient.json").read_text())
    failures, used = attacks(folder, excuses)
    for name in FORMATS:
        more_failures, more_used = vectors(folder, name, excuses)
        failures += more_failures
        used |= more_used
    failures += [f"{name}: excused in lenient.json, but passes" for name in sorted(set(excuses) - used)]
    for failure in failures:
        print("FAILED", failure)
    print(
        "conformance:", f"{len(failures)} failures" if failures else "the bar is met", f"({len(used)} excused by name)"
    )
    return 1 if failures else 0


def attacks(folder: Path, excuses: dict[str, str]) -> tuple[list[str], set[str]]:
    """The raw messages of http_attacks.jsonl. Returns (failures, names whose excuse was needed)."""
    command = f"{SIDECAR} --inbound 127.0.0.1:{{port}} --app {{upstream}} --set inbound.propagation.inject=tracecontext"
    results = run([str(folder / "run_attacks.py"), "--proxy-cmd", command])
    failures, used = [], set()
    for result in results:
        name, level, verdict = result["name"], result["level"], result["verdict"]
        if verdict == "PASS":
            continue
        if verdict in NEVER or (level == "must" and verdict != "LENIENT") or name not in excuses:
            failures.append(
                f"{verdict} {level} {name}: client {result['client_status']} {result['flags']} {result['checks']}"
            )
        else:
            used.add(name)
    print("attacks:", dict(Counter(f"{result['level']} {result['verdict']}" for result in results)))
    return failures, used


def vectors(folder: Path, name: str, excuses: dict[str, str]) -> tuple[list[str], set[str]]:
    """The propagation vectors of one format, behind a sidecar that makes a span of its own."""
    command = f"{SIDECAR} --inbound 127.0.0.1:{{port}} --app {{upstream}} --mode participate --extract {extracts(name)}"
    results = run([str(folder / "run_vectors.py"), "--format", name, "--proxy-cmd", command])
    failures, used = [], set()
    for result in results:
        excuse = f"{name}:{result['id']}"
        if result["ok"]:
            continue
        if result["tier"] == "consensus" or excuse not in excuses:
            failures.append(f"{result['tier']} {excuse}: {result['bad']} {str(result['headers'])[:200]}")
        else:
            used.add(excuse)
    print(
        f"vectors {name}:",
        dict(Counter(f"{result['tier']} {'ok' if result['ok'] else 'differs'}" for result in results)),
    )
    return failures, used


def extracts(name: str) -> str:
    """The formats that a vector file of `name` is written in."""
    return "b3,b3multi" if name == "b3" else name


def run(arguments: list[str]) -> list[dict[str, Any]]:
    """Run one of the folder's runners and read its report."""
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.json"
        subprocess.run(
            [sys.executable, *arguments, "--json", str(report)], check=False, timeout=900, stdout=subprocess.DEVNULL
        )
        return json.loads(report.read_text())


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
