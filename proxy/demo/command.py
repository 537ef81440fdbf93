"""`ops-sidecar demo`: its arguments, its signals, its exit code.

The outermost edge of the demo: only this module reads the environment, writes to standard output and catches failures.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

from proxy.demo import show
from proxy.demo.journeys import modern_caller, old_caller, travel
from proxy.demo.see import DemoConsole, running_console
from proxy.demo.services import SERVICES
from proxy.demo.sidecars import DemoError, first_gone
from proxy.demo.table import Style
from proxy.demo.topology import running_topology

KEEP_PORT = 9080
FORMATS = ("tracecontext", "b3", "b3multi", "jaeger", "composite")  # as docs/settings.md has them

_DESCRIPTION = """\
Run three services with three formats on loopback, each beside a real sidecar:
a shop that speaks W3C, a legacy order service that only knows B3 multi headers,
and a billing service that only knows uber-trace-id. Two requests go shop -> orders ->
billing and back to the shop. Shows the headers of every hop, and any losses."""

_EPILOG = """\
To see it fail, give a sidecar the wrong format of its service:
  ops-sidecar demo --inject orders=jaeger

exit codes:
  0 every hop kept the trace, the decision and the session (also after Ctrl-C with --keep)
  1 a hop lost one of them, or the demo failed   2 wrong arguments
  128 + n ended by signal n"""


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments; exits with 2 if they are wrong."""
    parser = argparse.ArgumentParser(
        prog="ops-sidecar demo",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--keep",
        action="store_true",
        help="leave it running after the two requests, with curl commands to try; Ctrl-C ends it",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of the story")
    parser.add_argument(
        "--port",
        type=int,
        help=f"where the shop's sidecar listens (default: any free port; with --keep {KEEP_PORT} if it is free)",
    )
    parser.add_argument(
        "--inject",
        action="append",
        default=[],
        metavar="SERVICE=FORMATS",
        help="give the sidecar of shop, orders or billing another format than its service understands",
    )
    parser.add_argument(
        "--export",
        metavar="URL",
        default="",
        help="record spans at sidecars and services, and send them to the OTLP collector at URL, "
        "such as http://127.0.0.1:4318 (Jaeger, Tempo and the OpenTelemetry Collector listen there)",
    )
    options = parser.parse_args(argv)
    inject = {name: service.dialect.name for name, service in SERVICES.items()}
    for item in options.inject:
        name, equals, formats = item.partition("=")
        if not equals or name not in inject or not formats:
            parser.error(f"--inject {item}: expected SERVICE=FORMATS, SERVICE one of {', '.join(inject)}")
        wanted = [one.strip().lower() for one in formats.split(",")]
        unknown = [one for one in wanted if one not in FORMATS]
        if unknown:
            parser.error(f"--inject {item}: {unknown[0]!r} is not a format; expected some of {', '.join(FORMATS)}")
        inject[name] = ",".join(wanted)
    options.inject = inject
    if options.port is not None and not 0 <= options.port <= 65535:
        parser.error(f"--port {options.port}: expected 0 to 65535")
    return options


def run(argv: Sequence[str] | None) -> int:
    """Run the demo; see the epilog for the exit codes."""
    options = parse(argv)
    try:
        return asyncio.run(_until_signal(_demo(options), kept_is_clean=options.keep))
    except DemoError as error:
        print(f"ops-sidecar demo: {error}", file=sys.stderr)
        return 1


async def _until_signal(work: Coroutine[Any, Any, int], *, kept_is_clean: bool) -> int:
    """Await `work`; INT, TERM and HUP cancel it, which ends every process that it started, and give the exit code."""
    task = asyncio.ensure_future(work)
    received: list[int] = []

    def on_signal(number: int) -> None:
        received.append(number)
        task.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, on_signal, number)
    try:
        return await task
    except asyncio.CancelledError:
        if not received:
            raise
        return 0 if kept_is_clean and received[0] == signal.SIGINT else 128 + received[0]


async def _demo(options: argparse.Namespace) -> int:
    style = _style()
    async with contextlib.AsyncExitStack() as stack:
        seen: DemoConsole | None = None
        if options.keep and not options.export:
            seen = await stack.enter_async_context(running_console())
        collector = seen.receives if seen is not None else options.export
        entry = f"127.0.0.1:{_entry_port(options)}"
        topology = await stack.enter_async_context(
            running_topology(options.inject, entry, collector, reports=seen is not None)
        )
        if not options.json:
            _print(show.intro(topology, options.inject, style))
        reports = []
        for number, journey in enumerate((modern_caller(), old_caller()), start=1):
            report = await travel(topology, journey)
            reports.append(report)
            if not options.json:
                _print(show.journey(report, number, style, brief=number > 1))
        kept_all = not any(report.problems for report in reports)
        if options.json:
            document = {"ok": kept_all, "requests": [report.to_json() for report in reports]}
            if options.keep:
                document["entry"] = topology.entry
            if seen is not None:
                document["console"] = seen.page
            _print([json.dumps(document, indent=2)])
        if not options.json:
            _print(show.kept(topology, style) if options.keep else show.closing(style))
        if options.keep:
            if seen is not None and not options.json:
                _print(show.where_to_see(seen.trace(reports[0].journey.trace_id), style))
            gone = await first_gone(list(topology.sidecars.values()))
            raise DemoError(f"the sidecar of {gone.name} ended with exit code {gone.process.returncode}\n{gone.tail()}")
    return 0 if kept_all else 1


def _entry_port(options: argparse.Namespace) -> int:
    if options.port is not None:
        return int(options.port)
    if not options.keep:
        return 0
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", KEEP_PORT)):
        return KEEP_PORT
    return 0


def _style() -> Style:
    """Colour on a terminal only, and never if NO_COLOR (any value) or TERM=dumb asks for none."""
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    encoding = (sys.stdout.encoding or "ascii").lower()
    return Style(colour=colour, unicode=encoding.replace("-", "").startswith("utf"))


def _print(lines: Iterable[str]) -> None:
    print("\n".join(lines), flush=True)
