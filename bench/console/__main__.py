"""`make bench-console`: what one console takes, how fast it answers, and what it costs the sidecar beside it.

Spans are sent as sidecars and SDKs send them: OTLP over HTTP, in batches of 512, over one connection.
CPU time is that of the console's process. Answers are timed without what its threads waited for a core that other work
had. Figures depend on the machine; read them as what one core does. The growth of the 99th percentile is judged only
where cores are free, as it would be that of other work.
Ends with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from bench.console import beside
from bench.console.process import Console
from bench.console.spans import BATCH, bodies, renewed

LEAST_SPANS_PER_S: Final = 5_000
MOST_MS: Final = 100.0  # of a question, 95 of 100 times
MOST_GROWTH_MS: Final = 1.0  # of the data plane's 99th percentile
QUESTIONS: Final = (
    ("list", "/traces"),
    ("list, second page", "/traces?before={next}"),
    ("search by service", "/traces?q=service:billing"),
    ("search by error", "/traces?q=status:error"),
    ("search by duration", "/traces?q=dur:>150ms"),
    ("search by session", "/traces?q=session:{session}"),
    ("search by text, often found", "/traces?q=checkout"),
    ("search by text, never found", "/traces?q=no-such-text"),
    ("waterfall", "/traces/{trace}"),
    ("requests", "/requests"),
    ("requests with b3", "/requests?q=in:b3"),
    ("search by gap", "/traces?q=is:gap"),
    ("sessions", "/sessions"),
    ("one session", "/sessions/{session}"),
)


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=1_000_000, help="spans in the store (default a million)")
    parser.add_argument("--rounds", type=int, default=20, help="times that each question is asked (default 20)")
    parser.add_argument("--only", choices=("store", "beside"), help="measure one of both")
    parser.add_argument("--beside-rounds", type=int, default=10, help="with and without a console (default 10)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the console ends with us
    figures: dict[str, Any] = {}
    if arguments.only != "beside":
        with tempfile.TemporaryDirectory() as folder, Console(Path(folder) / "bench.db") as console:
            figures = _fill(console, arguments.spans)
            figures["answers_ms"] = _ask(console, arguments.rounds)
            figures["file_bytes"] = (Path(folder) / "bench.db").stat().st_size
    if arguments.only != "store":
        busy = os.getloadavg()[0]
        figures["beside"] = {**beside.measure(arguments.beside_rounds), "is_quiet": busy < (os.cpu_count() or 1)}
    missed = _missed(figures)
    if arguments.json:
        print(json.dumps({**figures, "missed": missed}, indent=2))
    else:
        _show(figures)
        print("\n".join(f"MISSED: {one}" for one in missed) or "all targets are met")
    return 1 if missed else 0


def _show(figures: dict[str, Any]) -> None:
    if "spans" in figures:
        rate, for_cpu = figures["spans_per_s"], figures["spans_per_cpu_s"]
        print(f"{figures['spans']:,} spans taken and written in {figures['s']:.1f} s, {rate:,.0f} a second;")
        print(f"{for_cpu:,.0f} for each second of CPU time; {figures['file_bytes'] / 1e6:,.0f} MB on disk\n")
        print(f"{'question':32} {'median':>10} {'p95':>10}")
        for name, (median, p95) in figures["answers_ms"].items():
            print(f"{name:32} {median:7.1f} ms {p95:7.1f} ms")
    if "beside" in figures:
        found = figures["beside"]
        print(f"\na sidecar with {beside.RATE} requests a second, p99 of each round in ms")
        print(f"  alone                             {found['alone_p99_ms']}")
        print(f"  console beside, {beside.SPANS_PER_S} spans a second  {found['beside_p99_ms']}")
        doubt = "" if found["is_quiet"] else ", not judged: other work has the cores"
        print(f"  growth, median of the rounds      {found['growth_ms']:+.2f} ms{doubt}")


def _missed(figures: dict[str, Any]) -> list[str]:
    missed = []
    if figures.get("spans_per_cpu_s", LEAST_SPANS_PER_S) < LEAST_SPANS_PER_S:
        missed.append(
            f"{figures['spans_per_cpu_s']:,.0f} spans for a second of CPU time, at least {LEAST_SPANS_PER_S:,}"
        )
    for name, (_, p95) in figures.get("answers_ms", {}).items():
        if p95 > MOST_MS:
            missed.append(f"{name}: p95 {p95:.0f} ms, at most {MOST_MS:.0f}")
    found = figures.get("beside", {})
    growth_ms = found.get("growth_ms", 0.0)
    if growth_ms >= MOST_GROWTH_MS and found["is_quiet"]:
        missed.append(f"p99 of the data plane grows by {growth_ms:.2f} ms, less than {MOST_GROWTH_MS:g} is asked")
    return missed


def _fill(console: Console, wanted: int) -> dict[str, Any]:
    made = list(bodies(20))
    cpu, began, sent = console.cpu_s(), time.perf_counter(), 0
    making = 0.0
    while sent < wanted:
        before = time.perf_counter()
        body = renewed(made[(sent // BATCH) % len(made)])
        making += time.perf_counter() - before
        console.send(body)
        sent += BATCH
    while console.get("/health")[1]["console"]["store"]["waiting_bytes"]:
        time.sleep(0.05)
    took = time.perf_counter() - began - making
    used = console.cpu_s() - cpu
    return {"spans": sent, "s": took, "spans_per_s": sent / took, "cpu_s": used, "spans_per_cpu_s": sent / used}


def _ask(console: Console, rounds: int) -> dict[str, tuple[float, float]]:
    first = console.get("/traces?limit=100")[1]
    session = console.get("/sessions?limit=50")[1]["items"][-1]["id"]
    values = {"next": first["next"], "trace": first["items"][50]["id"], "session": session}
    found = {}
    for name, path in QUESTIONS:
        took = sorted(console.get(path.format(**values))[0] for _ in range(rounds))
        found[name] = (statistics.median(took), took[math.ceil(len(took) * 0.95) - 1])  # by nearest rank
    return found


if __name__ == "__main__":
    sys.exit(main())
