"""Times the codecs alone: extract and inject over 20 headers, ours against the stock OpenTelemetry propagators.

    python -m bench.codecs [--json] [--rounds N]

Both read all four formats (tracecontext, b3 in one header and in several, Jaeger) and baggage from the same 20 headers,
and write them all. Theirs in a composite propagator, the way `OTEL_PROPAGATORS=tracecontext,b3,b3multi,jaeger,baggage`
sets it up. Runs are interleaved, the median of the rounds counts, for a ratio that of the rounds' own. The target, in
every column: at least 4 times faster.

raw: pairs of bytes in, pairs of bytes out, as a proxy has them. Ours is the sidecar's translator. Theirs needs the
headers as text in lower case, so that is made first, once.

dict: a dict of text in, another out, through the library (`ContextPropagator`). Our names are in lower case, as theirs
miss any other spelling in a dict; ours finds whatever spelling, by what it remembers of names, never of values.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.b3 import B3MultiFormat, B3SingleFormat
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.jaeger import JaegerPropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ops_lib import ContextPropagator
from ops_lib.propagation import FORMATS
from proxy.plan import PropagationPlan
from proxy.translate import Translator

TARGET_RATIO = 4.0
CALLS = 500  # a few ms: what else the machine does meets a round as a whole
ROUNDS = 35

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID = "00f067aa0ba902b7"
PARENT_ID = "05e3ac9a4f6e3b90"

# What a browser behind a CDN sends, without any header of tracing.
PLAIN = {
    "Host": "shop.example.com",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-US,en;q=0.5",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Referer": "https://shop.example.com/cart",
    "Content-Type": "application/json",
    "Content-Length": "280",
    "Origin": "https://shop.example.com",
    "Connection": "keep-alive",
    "Cookie": "sid=3b1f0a7c9d; theme=dark; consent=1",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "same-origin",
    "Priority": "u=4",
    "Cache-Control": "no-cache",
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Proto": "https",
    "X-Request-Id": "0e2b6a52-7bd1-4a53-a6a7-0f6a5d1d3a11",
    "Via": "1.1 edge",
}

_B3MULTI = {"x-b3-traceid": TRACE_ID, "x-b3-spanid": SPAN_ID, "x-b3-sampled": "1"}

SENDERS = {
    "tracecontext": {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01"},
    "tracecontext, random flag": {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-03"},  # as the OpenTelemetry SDK sends it
    "tracecontext with tracestate": {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01", "tracestate": "congo=t61rcWkgMzE"},
    "tracecontext with baggage": {
        "traceparent": f"00-{TRACE_ID}-{SPAN_ID}-03",
        "baggage": "userId=alice,serverNode=DF-28,isProduction=false",
    },
    "tracecontext with session": {
        "traceparent": f"00-{TRACE_ID}-{SPAN_ID}-03",
        "x-mirascope-session-id": "demo-session",  # nothing to OpenTelemetry
    },
    "b3": {"b3": f"{TRACE_ID}-{SPAN_ID}-1"},
    "b3multi": _B3MULTI,
    "b3multi with parent": {**_B3MULTI, "x-b3-parentspanid": PARENT_ID},
    "b3multi with parent, 64 bits": {**_B3MULTI, "x-b3-traceid": TRACE_ID[16:], "x-b3-parentspanid": PARENT_ID},
    "jaeger": {"uber-trace-id": f"{TRACE_ID}:{SPAN_ID}:0:1"},
    "composite": {  # all at once
        "traceparent": f"00-{TRACE_ID}-{SPAN_ID}-03",
        "b3": f"{TRACE_ID}-{SPAN_ID}-1",
        **_B3MULTI,
        "uber-trace-id": f"{TRACE_ID}:{SPAN_ID}:0:1",
    },
    "none": {},
}


class Row(NamedTuple):
    """One comparison. Times in microseconds per extract + inject, medians of the rounds."""

    sender: str
    ours_us: float
    theirs_us: float
    ratio: float  # theirs / ours
    dict_ours_us: float
    dict_theirs_us: float
    dict_ratio: float

    @property
    def worst_ratio(self) -> float:
        """That of the two which the target is for."""
        return min(self.ratio, self.dict_ratio)


def twenty_headers(sender: str) -> dict[str, str]:
    """20 headers, those of `sender` at the end, where a client library puts them."""
    trace = SENDERS[sender]
    kept = dict(list(PLAIN.items())[: 20 - len(trace)])
    return kept | trace


def stock() -> CompositePropagator:
    """Theirs, for the same formats as ours."""
    return CompositePropagator(
        [
            TraceContextTextMapPropagator(),
            B3SingleFormat(),
            B3MultiFormat(),
            JaegerPropagator(),
            W3CBaggagePropagator(),
        ]
    )


def _ours_dict(headers: dict[str, str]) -> Callable[[], None]:
    propagator = ContextPropagator(extract=FORMATS, inject=FORMATS)

    def run() -> None:
        propagator.inject_context({}, propagator.extract_context(headers))

    return run


def _theirs_dict(headers: dict[str, str]) -> Callable[[], None]:
    propagator = stock()

    def run() -> None:
        propagator.inject({}, propagator.extract(headers, Context()))

    return run


def _ours_raw(headers: dict[str, str]) -> Callable[[], None]:
    translator = Translator(PropagationPlan(extract=FORMATS, inject=FORMATS))
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    owned = {name: translator.owns(name) for name, _ in raw}  # the data plane remembers the answers, too

    def run() -> None:
        translator.translate([pair for pair in raw if owned[pair[0]]])

    return run


def _theirs_raw(headers: dict[str, str]) -> Callable[[], None]:
    propagator = stock()
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]

    def run() -> None:
        carrier = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw}
        out: dict[str, str] = {}
        propagator.inject(out, propagator.extract(carrier, Context()))
        [(name.encode(), value.encode()) for name, value in out.items()]

    return run


def _time_us(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    for _ in range(CALLS):
        run()
    return (time.perf_counter() - start) / CALLS * 1e6


def rows(rounds: int = ROUNDS) -> list[Row]:
    """One row per sender, each measured in `rounds` interleaved rounds."""
    found = []
    for sender in SENDERS:
        headers = twenty_headers(sender)
        runs = [_ours_raw(headers), _theirs_raw(headers), _ours_dict(headers), _theirs_dict(headers)]
        for run in runs:
            _time_us(run)  # warm up
        times = [[_time_us(run) for run in runs] for _ in range(rounds)]
        raw, their_raw, own, their_own = (statistics.median(column) for column in zip(*times, strict=True))
        raw_ratio = statistics.median(theirs / ours for ours, theirs, _, _ in times)
        own_ratio = statistics.median(theirs / ours for _, _, ours, theirs in times)
        found.append(Row(sender, raw, their_raw, raw_ratio, own, their_own, own_ratio))
    return found


def table(found: list[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| 20 headers, from | raw: ours, µs | OpenTelemetry, µs | ratio | dict: ours, µs | OpenTelemetry, µs | ratio |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {row.sender} | {row.ours_us:.1f} | {row.theirs_us:.1f} | {row.ratio:.1f}× "
            f"| {row.dict_ours_us:.1f} | {row.dict_theirs_us:.1f} | {row.dict_ratio:.1f}× |"
            for row in found
        ),
    ]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Prints the table; 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="interleaved rounds, of which the median counts")
    options = parser.parse_args(arguments)
    found = rows(options.rounds)
    print(json.dumps([row._asdict() for row in found], indent=1) if options.json else table(found))
    missed = [row.sender for row in found if row.worst_ratio < TARGET_RATIO]
    if missed:
        print(f"below {TARGET_RATIO}×: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
