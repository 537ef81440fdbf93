"""`ops-sidecar top`: what is going on now: the newest requests, and how the console and its sidecars are."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from proxy.cli.help import parser
from proxy.cli.views.answers import sidecar_line
from proxy.cli.views.client import Console, add_console_flags, answering, console_of, show_json
from proxy.cli.views.tables import clock, cut, hop, length, table

_MOST_SIDECARS = 10
_CLEAR = "\x1b[H\x1b[2J"


def run(argv: Sequence[str]) -> int:
    """Show it again and again until Ctrl-C, or once. 0: shown; 1: the console does not answer."""
    arguments_parser = parser("top")
    arguments_parser.add_argument("filter", nargs="*", help="terms of the filter language, for the requests")
    arguments_parser.add_argument("--once", action="store_true", help="print it once, and end")
    arguments_parser.add_argument("--every", metavar="SECONDS", type=float, default=2.0, help="default 2")
    add_console_flags(arguments_parser)
    arguments = arguments_parser.parse_args(argv)
    once = arguments.once or arguments.json or not sys.stdout.isatty()

    def work() -> int:
        console = console_of(arguments)
        while True:
            size = shutil.get_terminal_size((120, 30))
            rows = 20 if once else max(5, size.lines - 6)
            said = _ask(console, " ".join(arguments.filter), rows)
            if arguments.json:
                show_json(said)
                return 0
            screen = "\n".join(cut(line, size.columns) for line in lines(said))
            print(screen if once else _CLEAR + screen, flush=True)
            if once:
                return 0
            time.sleep(max(0.2, arguments.every))

    return answering("top", work)


def _ask(console: Console, q: str, limit: int) -> dict[str, Any]:
    return {"health": console.get("/health"), "requests": console.get("/requests", q=q, limit=limit)}


def lines(said: Mapping[str, Any]) -> Iterator[str]:
    """What is shown."""
    yield said["health"]["sentence"]
    yield from (sidecar_line(one) for one in said["health"]["sidecars"][:_MOST_SIDECARS])
    found = said["requests"]
    if found["error"]:
        yield found["error"]
    rows = [
        (
            clock(row["at"]),
            cut(f"{row['from'] or '?'} → {row['to'] or '?'}", 32),
            cut(f"{row['method']} {row['target']}", 40),
            row["status"] if row["status"] is not None else "cut",
            length(row["ms"]),
            hop(row["in"], row["out"]),
            (row["trace"] or "")[:16],
            " ".join(row["notes"]),
        )
        for row in found["items"]
    ]
    if rows:
        yield ""
        yield from table(("at", "who", "request", "status", "took", "formats", "trace", "notes"), rows, right=(3, 4))
    else:
        yield found["sentence"]
