"""The commands of `ops-sidecar`, their help, and the exit codes.

0 done, 1 could not start or had to cut, 2 wrong arguments or settings.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from proxy.cli.help import COMMANDS, DESCRIPTION, EPILOG

OF_KUBERNETES = frozenset({"cryptography", "ruamel"})
NEEDS_EXTRA = OF_KUBERNETES | {
    "aiohttp",
    "google",
    "h11",
    "mcp",
    "httptools",
    "uvloop",
    "pydantic",
    "pydantic_core",
    "pydantic_settings",
    "yaml",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        try:
            return _run(arguments)
        finally:
            if sys.stdout:
                sys.stdout.flush()  # here, where it can be caught, not when the interpreter ends
    except BrokenPipeError:  # `ops-sidecar check | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def _run(arguments: list[str]) -> int:
    """The same, for a standard output that stays open."""
    parser = argparse.ArgumentParser(
        prog="ops-sidecar", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        commands.add_parser(name, help=command.summary, add_help=False)
    if arguments[:1] == ["--version"]:
        arguments[0] = "version"
    chosen = parser.parse_args(arguments[:1]).command
    try:
        return int(import_module(f"proxy.cli.{COMMANDS[chosen].module or chosen}").run(arguments[1:]))
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if missing not in NEEDS_EXTRA:
            raise
        extras = "sidecar,kubernetes" if missing in OF_KUBERNETES else "sidecar,mcp" if missing == "mcp" else "sidecar"
        print(
            f"ops-sidecar: `{chosen}` needs the package {missing}, which is not installed.\n"
            f"Install the sidecar with its dependencies:  pip install 'ops-sidecar[{extras}]'",
            file=sys.stderr,
        )
        return 2
