"""The command line: `python -m bench`, or `make bench`.

May know everything here. Prints progress while it runs, then the tables and targets; writes docs/benchmarks.md after a
full run.
"""

from __future__ import annotations

import argparse
import datetime
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType

from bench import included, machine, page
from bench.children import ChildError
from bench.measure import Sample, bench
from bench.peers import PEERS, Peer, find
from bench.report import QUIET_SHARE, Table, proxy_table, proxy_targets, render, summarise
from bench.rounds import TURNS, Rounds, lasts_s

ROUNDS, SECONDS, WARM_UP_S = 5, 5.0, 1.0


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options; see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--rounds",
        type=int,
        default=ROUNDS,
        help=f"in each, every proxy is measured, {TURNS} times in turns where a target compares it (default {ROUNDS})",
    )
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help=f"length of one measurement (default {SECONDS:g})"
    )
    parser.add_argument(
        "--only", type=re.compile, metavar="REGEX", help="only the proxies whose key it finds; see --list"
    )
    parser.add_argument("--quick", action="store_true", help="two rounds of two seconds: noisy")
    parser.add_argument("--list", action="store_true", help="who takes part, and who is not installed")
    parser.add_argument("--no-proxies", action="store_true", help="only the codecs and the library")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md even though the run is partial")
    options = parser.parse_args(argv)
    if options.quick:
        options.rounds, options.seconds = 2, 2.0
    if options.rounds < 1 or options.seconds < 1:
        parser.error(f"--rounds and --seconds must be at least 1, got {options.rounds} and {options.seconds:g}")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark; 0, or 1 when it could not run or `--check` found a target missed."""
    options = arguments(argv)
    chosen = (
        [] if options.no_proxies else [peer for peer in PEERS if options.only is None or options.only.search(peer.key)]
    )
    missing = {peer.key: f"{peer.program}: not there" for peer in chosen if find(peer.program) is None}
    if options.list:
        for peer in PEERS:
            print(f"{peer.key:18}{peer.work:12}{find(peer.program) or 'not installed'}")
        return 0
    for needed in () if options.no_proxies else ("wrk", "nginx"):
        if find(needed) is None:
            print(f"{needed} is needed to measure proxies; it is in every distribution's packages", file=sys.stderr)
            return 1
    signal.signal(signal.SIGTERM, _leave)
    for key, why in missing.items():
        print(f"skipped: {key}: {why}")
    present = [peer for peer in chosen if peer.key not in missing]
    samples: list[Sample] = []
    if present:
        estimate_s = lasts_s(present, rounds=options.rounds, seconds=options.seconds, warm_up_s=WARM_UP_S)
        print(f"{len(present)} proxies, {options.rounds} rounds: about {estimate_s / 60:.0f} minutes", flush=True)
        try:
            with bench() as running:
                samples, failed = Rounds(
                    running,
                    present,
                    rounds=options.rounds,
                    seconds=options.seconds,
                    warm_up_s=WARM_UP_S,
                    progress=_progress(),
                ).run()
        except ChildError as error:
            print(f"cannot measure: {error}", file=sys.stderr)
            return 1
        missing |= failed
    others = [] if options.only else included.tables(lambda name: print(f"timing {name} ...", flush=True))
    return _conclude(options, samples, others, missing, present)


def _conclude(
    options: argparse.Namespace,
    samples: Sequence[Sample],
    others: Sequence[Table],
    missing: dict[str, str],
    present: Sequence[Peer],
) -> int:
    """Prints the tables and targets, writes the page after a full run, and chooses the exit code."""
    summaries = summarise(samples)
    versions = {peer.key: machine.version(peer.program, find(peer.program) or "", peer.package) for peer in present}
    versions = {key: found for key, found in versions.items() if found}
    proxies = proxy_table(summaries, versions)
    targets = [*proxy_targets(summaries), *(target for table in others for target in table.targets)]
    for table in (proxies, *others):
        if table.rows:
            print(f"\n{table.title}\n{render(table)}")
    print()
    for target in targets:
        print(target.line())
    for key, why in missing.items():
        print(f"no figures for {key}: {why}")
    noisy = sorted({sample.peer for sample in samples if sample.foreign_share > QUIET_SHARE})
    if noisy:
        print(f"not quiet: other work ran on the proxy's core while measuring {', '.join(noisy)}")
    full = options.only is None and not options.quick and not options.no_proxies
    if full or options.write:
        facts = machine.describe() | {"wrk": machine.version("wrk", shutil.which("wrk") or "wrk")}
        date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
        run = page.Run(
            date=date,
            machine=facts,
            versions=versions,
            rounds=options.rounds,
            seconds=options.seconds,
            samples=samples,
            proxies=proxies,
            others=others,
            targets=targets,
            missing=missing,
        )
        page.write(run)
        print(f"written: {page.PAGE}, {page.DATA}")
    ours_failed = any(peer.key.startswith("sidecar") and peer.key in missing for peer in present)
    missed = any(not target.is_met for target in targets)
    return 1 if ours_failed or (options.check and missed) else 0


def _progress() -> Callable[[Sample | str, int, int], None]:
    """Prints one line per run, with the time that is left."""
    start = time.monotonic()

    def show(news: Sample | str, done: int, total: int) -> None:
        left_s = (time.monotonic() - start) / done * (total - done)
        if isinstance(news, str):
            text = f"FAILED {news}"
        else:
            text = f"{news.peer:18}{news.cpu_us:7.1f} µs{news.requests_per_s:9,.0f}/s  p99 {news.p99_ms:6.2f} ms"
            if news.foreign_share > QUIET_SHARE:
                text += f"  (not quiet: {news.foreign_share:.0%} of the core used by others)"
        print(f"[{done:3}/{total}, {left_s / 60:4.1f} min left] {text}", flush=True)

    return show


def _leave(_signal: int, _frame: FrameType | None) -> None:
    """TERM ends us like Ctrl-C: through every `with`, so that no child stays."""
    raise SystemExit(143)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
