"""`ops-sidecar check`: shows whether the settings are valid, and how they take effect."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from proxy.cli.flags import add_settings_flags, collect_flags
from proxy.cli.help import parser
from proxy.cli.problems import print_problems
from proxy.errors import SettingsError, SettingsProblem
from proxy.plan.compile import compile_plan
from proxy.settings import Loaded, load
from proxy.settings.effective import Entry, effective
from proxy.settings.shown import as_json
from proxy.settings.unused import without_effect


def run(argv: Sequence[str]) -> int:
    """Read the settings as `run` would; print them, or every problem. 0: valid; 2: not."""
    arguments_parser = parser("check")
    arguments_parser.add_argument("file", metavar="FILE", type=Path, nargs="?", help="the same as --config FILE")
    add_settings_flags(arguments_parser)
    arguments_parser.add_argument("--changed", action="store_true", help="show only what differs from the defaults")
    arguments_parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = arguments_parser.parse_args(argv)
    if arguments.file is not None and arguments.config is not None:
        arguments_parser.error("give FILE or --config, not both")
    try:
        loaded = _load(arguments.file or arguments.config, arguments)
    except SettingsError as error:
        if arguments.json:
            problems = [one._asdict() for one in error.problems]
            print(json.dumps({"valid": False, "problems": problems}, indent=2))
        else:
            print_problems(error)
        return 2
    if arguments.json:
        print(json.dumps({"valid": True, **as_json(loaded, changed=arguments.changed)}, indent=2))
    else:
        _print(loaded, [entry for entry in effective(loaded) if not arguments.changed or entry.changed])
        for one in without_effect(loaded):
            print(f"note: {one}", file=sys.stderr)
    return 0


def _load(file: Path | None, arguments: argparse.Namespace) -> Loaded:
    flags, wrong = collect_flags(arguments)
    loaded = load(file, environ=os.environ, flags=flags, wrong=wrong)
    try:
        compile_plan(loaded.settings, 1)
    except OSError as error:
        raise SettingsError((SettingsProblem("tls", "", "certificates", str(error)),)) from None
    return loaded


def _print(loaded: Loaded, entries: Sequence[Entry]) -> None:
    rows = [(f"{entry.key} = {_text(entry.value)}", entry.source) for entry in entries]
    width = min(max((len(left) for left, _ in rows), default=0), 72)
    for left, source in rows:
        print(f"{left:<{width}}  # {source}")
    print(f"\nvalid: {loaded.file}" if loaded.file is not None else "\nvalid (no file)")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(value)}]"
    return "-" if value is None else str(value)
