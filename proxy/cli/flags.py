"""Flags that set settings, shared by `run` and `check`. Knows their names and keys, not their meaning."""

from __future__ import annotations

import argparse
from pathlib import Path

from ops_lib.propagation import FORMATS
from proxy.errors import SettingsProblem
from proxy.settings import Flag

QUICK_FLAGS = {
    "inbound": ("inbound.listen", "ADDR,...|off", "where callers come in (default 0.0.0.0:9080)"),
    "app": (
        "inbound.app",
        "URL",
        "the app: http://host:port, https://... or unix:/path (default http://127.0.0.1:8080)",
    ),
    "outbound": ("outbound.listen", "ADDR,...|off", "where the app's own calls go out (default 127.0.0.1:9081)"),
    "admin": ("admin.listen", "ADDR|off", "health and metrics (default 127.0.0.1:9082)"),
    "extract": (
        "propagation.extract",
        "LIST",
        f"formats to read, the first valid one wins: {','.join(FORMATS)}",
    ),
    "inject": (
        "propagation.inject",
        "LIST",
        "formats to write, unless a listener or upstream sets its own (default tracecontext)",
    ),
    "mode": (
        "propagation.mode",
        "MODE",
        "translate (ids stay), participate (the sidecar adds its own span), or auto (default)",
    ),
    "log-level": ("log.level", "LEVEL", "debug, info, warning or error"),
    "access-log": ("log.access", "off|text|json", "one line per request on standard output (default off)"),
}


def add_settings_flags(parser: argparse.ArgumentParser) -> None:
    """Add --config, the quick flags and --set."""
    parser.add_argument(
        "--config", metavar="FILE", type=Path, help="settings file (default: none, or OPS_SIDECAR_CONFIG)"
    )
    for name, (key, metavar, text) in QUICK_FLAGS.items():
        parser.add_argument(f"--{name}", metavar=metavar, help=f"{text}; the key {key}")
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="any key by its dotted path; repeatable"
    )


def collect_flags(arguments: argparse.Namespace) -> tuple[list[Flag], list[SettingsProblem]]:
    """The given flags, quick ones first, so that --set wins; and a problem for each --set without `=`."""
    flags = []
    for name, (key, _, _) in QUICK_FLAGS.items():
        value = getattr(arguments, name.replace("-", "_"))
        if value is not None:
            flags.append(Flag(tuple(key.split(".")), value, f"flag --{name}"))
    wrong = []
    for pair in arguments.set:
        key, equals, value = pair.partition("=")
        steps = tuple(step.strip() for step in key.split("."))
        if not equals or not all(steps):
            wrong.append(SettingsProblem("--set", pair, "command line", "expected --set key.path=value"))
        else:
            flags.append(Flag(steps, value, f"flag --set {key.strip()}"))
    return flags, wrong
