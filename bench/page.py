"""The words of docs/benchmarks.md around its tables, and the raw data beside it.

May know report, and how often proxies are loaded. Must not measure or judge.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from string import Template

from bench.measure import Sample
from bench.peers import ROOT
from bench.report import QUIET_SHARE, Table, Target, render
from bench.rounds import TURNS

PAGE = ROOT / "docs" / "benchmarks.md"
DATA = ROOT / "bench" / "results" / "last.json"
_WORDS = ROOT / "bench" / "page.md"


@dataclass(frozen=True, slots=True)
class Run:
    """One whole benchmark: what it was taken on and what came out."""

    date: str
    machine: Mapping[str, str]
    versions: Mapping[str, str]  # peer key -> version
    rounds: int
    seconds: float
    samples: Sequence[Sample]
    proxies: Table
    others: Sequence[Table]
    targets: Sequence[Target]
    missing: Mapping[str, str]  # peer key -> why it has no row


def page(run: Run) -> str:
    """docs/benchmarks.md: the words of page.md with this run's figures."""
    machine = run.machine
    facts = ("{cores} cores of {processor}, {memory}, {kernel}, Python {python}, wrk {wrk}").format_map(machine)
    notes = [f"- no row for {key}: {why}" for key, why in run.missing.items()]
    noisy = sorted({sample.peer for sample in run.samples if sample.foreign_share > QUIET_SHARE})
    if noisy:
        notes.append(f"- not quiet: other work ran on the proxy's core while measuring {', '.join(noisy)}")
    others = "\n".join(
        f"## {table.title}\n\n{render(table)}\n{table.note and chr(10) + table.note + chr(10)}" for table in run.others
    )
    return Template(_WORDS.read_text()).substitute(
        date=run.date,
        machine=facts,
        proxies="\n".join((render(run.proxies), *(["", *notes] if notes else []))),
        targets="\n".join(_target_line(target) for target in run.targets),
        others=others,
        rounds=run.rounds,
        turns=TURNS,
        seconds=f"{run.seconds:g}",
        sidecar_python=machine["sidecar_python"],
    )


def _target_line(target: Target) -> str:
    verdict, _, rest = target.line().partition("  ")
    return f"- **{verdict}** {rest}"


def write(run: Run, page_path: Path = PAGE, data_path: Path = DATA) -> None:
    """Writes the page and the raw data."""
    page_path.write_text(page(run))
    data_path.parent.mkdir(exist_ok=True)
    data = {
        "date": run.date,
        "machine": dict(run.machine),
        "versions": dict(run.versions),
        "seconds": run.seconds,
        "missing": dict(run.missing),
        "targets": [asdict(target) | {"is_met": target.is_met} for target in run.targets],
        "samples": [asdict(sample) for sample in run.samples],
        "tables": [asdict(table) for table in run.others],
    }
    data_path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
