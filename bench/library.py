"""Times the library against the OpenTelemetry pieces that it replaces.

    python -m bench.library [--json] [--rounds N]

Runs are interleaved (ours, theirs, ours, ...).
The median of the rounds counts; for a ratio, the median of the pairs' ratios.
Spans are recorded by one SDK provider without exporters, the same for both, and carry the same attributes.
A row's ratio is ours / theirs, and its target the highest allowed ratio.
Imports are timed in fresh processes, as CPU time, with all public names touched.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import NamedTuple

from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Getter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, DEFAULT_ON
from opentelemetry.trace import Tracer

import ops_lib as ops

from . import codecs
from .codecs import SENDERS, twenty_headers

CALLS = 1_000  # a few ms: what else the machine does meets a pair as a whole
ROUNDS = 35
TARGET_PROPAGATION = 1 / codecs.TARGET_RATIO
IMPORTS = 7

Run = Callable[[], object]


class Row(NamedTuple):
    """One comparison. Times in microseconds per call (imports: milliseconds of CPU), medians of the rounds."""

    what: str
    ours: float
    theirs: float
    ratio: float  # ours / theirs
    target: float  # the most that `ratio` may be
    unit: str = "µs"

    @property
    def is_met(self) -> bool:
        """Whether the ratio keeps to its target."""
        return self.ratio <= self.target


@ops.trace
def _empty() -> None:
    pass


def _in(tracer: Tracer | None, run: Run) -> Callable[[int], float]:
    """Times `run` in a loop, in microseconds per call, with spans made by `tracer`."""

    def timed(calls: int) -> float:
        with ops.tracer_context(tracer):
            start = time.perf_counter()
            for _ in range(calls):
                run()
            return (time.perf_counter() - start) / calls * 1e6

    return timed


def _below_unsampled(tracer: Tracer, run: Run) -> Callable[[int], float]:
    timed = _in(tracer, run)
    headers = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"}

    def below(calls: int) -> float:
        with ops.propagated_context(extract_from=headers), ops.span("request"):
            return timed(calls)

    return below


def _spans() -> list[tuple[str, Callable[[int], float], Callable[[int], float], float]]:
    recording = TracerProvider(sampler=DEFAULT_ON).get_tracer("bench")
    dropping = TracerProvider(sampler=ALWAYS_OFF).get_tracer("bench")
    attributes = {"code.function.name": f"{_empty.__module__}.{_empty.__qualname__}"}

    def stock() -> None:
        with recording.start_as_current_span("_empty", attributes=attributes):
            pass

    def span() -> None:
        with ops.span("_empty", **attributes):
            pass

    theirs = _in(None, stock)
    return [
        ("`@ops.trace`, recorded", _in(recording, _empty), theirs, 1.0),
        ("`ops.span`, recorded", _in(recording, span), theirs, 1.0),
        ("`@ops.trace`, nothing configured", _in(None, _empty), theirs, 0.2),
        ("`@ops.trace`, sampler `always_off`", _in(dropping, _empty), theirs, 0.2),
        ("`@ops.trace`, in an unsampled trace", _below_unsampled(recording, _empty), theirs, 0.2),
    ]


class WalkingGetter(Getter[list[tuple[bytes, bytes]]]):
    """Reads a header as OpenTelemetry's ASGI instrumentation does: for each name, all pairs are walked and decoded."""

    def get(self, carrier: list[tuple[bytes, bytes]], key: str) -> list[str] | None:
        """The values of the header `key`, or None."""
        key = key.lower()
        return [value.decode() for name, value in carrier if name.decode().lower() == key] or None

    def keys(self, carrier: list[tuple[bytes, bytes]]) -> list[str]:
        """The names."""
        return [name.decode() for name, _ in carrier]


def _propagation() -> list[tuple[str, Callable[[int], float], Callable[[int], float], float]]:
    """Extract and inject, all four formats each way and baggage, from 20 headers in three kinds of carrier.

    `asgi`: pairs of bytes, as a server hands them over; theirs reads them as its own instrumentation does.
    `asgi, dict first`: theirs is given a dict made of the pairs, which nothing of theirs does.
    `dict`: one that is ready, with names in lower case; theirs looks up exact names only, ours looks at all 20.
    `mixed, dict`: all these senders by turns.
    """
    stock = codecs.stock()
    ours = ops.ContextPropagator(extract="composite", inject="composite")
    getter = WalkingGetter()
    found = []
    for sender in SENDERS:
        headers = {name.lower(): value for name, value in twenty_headers(sender).items()}
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]

        def raw_ours(raw: list[tuple[bytes, bytes]] = raw) -> None:
            ours.inject_context({}, ours.extract_context(raw))

        def raw_stock(raw: list[tuple[bytes, bytes]] = raw) -> None:
            stock.inject({}, stock.extract(raw, Context(), getter))

        def raw_stock_dict(raw: list[tuple[bytes, bytes]] = raw) -> None:
            carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}
            stock.inject({}, stock.extract(carrier, Context()))

        def dict_ours(headers: dict[str, str] = headers) -> None:
            ours.inject_context({}, ours.extract_context(headers))

        def dict_stock(headers: dict[str, str] = headers) -> None:
            stock.inject({}, stock.extract(headers, Context()))

        what = f"extract + inject, {sender}"
        found.append((f"{what}, asgi", _in(None, raw_ours), _in(None, raw_stock), TARGET_PROPAGATION))
        found.append((f"{what}, asgi, dict first", _in(None, raw_ours), _in(None, raw_stock_dict), TARGET_PROPAGATION))
        found.append((f"{what}, dict", _in(None, dict_ours), _in(None, dict_stock), TARGET_PROPAGATION))

    every = itertools.cycle([{n.lower(): v for n, v in twenty_headers(sender).items()} for sender in SENDERS])
    turns = itertools.cycle([{n.lower(): v for n, v in twenty_headers(sender).items()} for sender in SENDERS])

    def mixed_ours() -> None:
        ours.inject_context({}, ours.extract_context(next(every)))

    def mixed_stock() -> None:
        stock.inject({}, stock.extract(next(turns), Context()))

    found.append(("extract + inject, mixed, dict", _in(None, mixed_ours), _in(None, mixed_stock), TARGET_PROPAGATION))
    return found


def _import_ms(statement: str, environ: dict[str, str]) -> float:
    """Milliseconds of CPU that a fresh interpreter spends on `statement`, beyond its own start."""

    def spent(code: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True, env=environ)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return (spent(statement) - spent("pass")) * 1e3


IMPORT_OURS = "import ops_lib as ops; [getattr(ops, name) for name in ops.__all__]"
IMPORT_THEIRS = "import opentelemetry.sdk.trace"


def import_row(rounds: int = IMPORTS) -> Row:
    """`import ops_lib`, all its names touched, against `import opentelemetry.sdk.trace`; both from bytecode."""
    with tempfile.TemporaryDirectory() as cache:
        environ = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else what is run from its sources would be compiled each time
        _import_ms(IMPORT_OURS, environ), _import_ms(IMPORT_THEIRS, environ)
        pairs = [(_import_ms(IMPORT_OURS, environ), _import_ms(IMPORT_THEIRS, environ)) for _ in range(rounds)]
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    return Row("import, all names touched", ours, theirs, ours / theirs, 1.3, "ms")


def rows(rounds: int = ROUNDS) -> list[Row]:
    """One row per comparison, each measured in `rounds` interleaved rounds."""
    found = []
    for what, ours, theirs, target in [*_spans(), *_propagation()]:
        ours(CALLS), theirs(CALLS)  # warm up
        pairs = [(ours(CALLS), theirs(CALLS)) for _ in range(rounds)]
        mine, stock = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(mine / stock for mine, stock in pairs)
        found.append(Row(what, mine, stock, ratio, target))
    return [*found, import_row(min(rounds, IMPORTS))]


def table(found: list[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| what | ours | OpenTelemetry | ours / theirs | at most |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.what} | {row.ours:.2f} {row.unit} | {row.theirs:.2f} {row.unit} | {row.ratio:.2f} | {row.target:g} |"
        for row in found
    ]
    return "\n".join(lines)


def main() -> int:
    """Prints the rows; exit code 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="one JSON object per line instead of a table")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="interleaved rounds per row")
    options = parser.parse_args()
    found = rows(options.rounds)
    if options.json:
        for row in found:
            print(json.dumps(row._asdict()))
    else:
        print(table(found))
    return 0 if all(row.is_met for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
