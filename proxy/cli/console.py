"""`ops-sidecar console`: receives traces, keeps them, shows them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from proxy.address import Address
from proxy.cli.help import parser
from proxy.cli.problems import print_problems
from proxy.errors import SettingsError, SettingsProblem, StartError
from proxy.plan.console import ConsolePlan, from_json
from proxy.settings import Flag, load

_USUAL = Address("127.0.0.1", 9083)
_NICENESS = 5  # beside a sidecar: where cores are short, requests come first
_FLAGS = {
    "listen": ("listen", "ADDR", "the page and its API (default 127.0.0.1:9083)"),
    "otlp": ("otlp", "ADDR|off", "where OTLP is received, over HTTP and gRPC (default 127.0.0.1:4318)"),
    "store": ("store", "FILE", "keep everything in this file (default: in memory, gone at the end)"),
    "store-bytes": ("store_bytes", "SIZE", "most that is kept (default 256MiB in memory, 2GiB in a file)"),
    "token": ("token", "TOKEN|off", "asked for by page and API (default: none on loopback, else made up)"),
    "forward": ("forward.endpoint", "URL", "also send all that comes to this collector, as it came"),
}


def run(argv: Sequence[str]) -> int:
    """Run the console until it is told to stop; return the exit code."""
    arguments_parser = parser("console")
    arguments_parser.add_argument(
        "--config", metavar="FILE", type=Path, help="settings file (default: none, or OPS_SIDECAR_CONFIG)"
    )
    for name, (key, metavar, text) in _FLAGS.items():
        arguments_parser.add_argument(f"--{name}", metavar=metavar, help=f"{text}; the key console.{key}")
    arguments_parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="any key; repeatable")
    arguments_parser.add_argument("--beside-sidecar", action="store_true", help=argparse.SUPPRESS)
    arguments = arguments_parser.parse_args(argv)
    if arguments.beside_sidecar:
        os.nice(_NICENESS)
    try:
        plan = from_json(sys.stdin.readline()) if arguments.beside_sidecar else _plan(arguments)
    except SettingsError as error:
        print_problems(error)
        return 2
    from proxy.console.run import run_console, wait_for_end_of_input  # only now: wrong settings are told at once

    try:
        run_console(plan, until=wait_for_end_of_input() if arguments.beside_sidecar else None)
    except StartError as error:
        print(f"ops-sidecar console: cannot start: {error}", file=sys.stderr)
        return 1
    return 0


def _plan(arguments: argparse.Namespace) -> ConsolePlan:
    """Raises SettingsError."""
    from proxy.plan.compile_console import console_plan

    flags = []
    wrong = []
    for name, (key, _, _) in _FLAGS.items():
        value = getattr(arguments, name.replace("-", "_"))
        if value is not None:
            flags.append(Flag(("console", *key.split(".")), value, f"flag --{name}"))
    for pair in arguments.set:
        key, equals, value = pair.partition("=")
        steps = tuple(step.strip() for step in key.split("."))
        if not equals or not all(steps):
            wrong.append(SettingsProblem("--set", pair, "command line", "expected --set key.path=value"))
        else:
            flags.append(Flag(steps, value, f"flag --set {key.strip()}"))
    settings = load(arguments.config, environ=os.environ, flags=flags, wrong=wrong).settings
    plan = console_plan(settings, _USUAL)
    assert plan is not None
    return plan
