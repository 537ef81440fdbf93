"""`ops-sidecar run`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from proxy.cli.flags import add_settings_flags, collect_flags
from proxy.cli.help import parser
from proxy.cli.problems import print_problems
from proxy.errors import SettingsError, StartError
from proxy.settings import Loaded, load


def run(argv: Sequence[str]) -> int:
    """Run the sidecar until it is told to stop; return the exit code."""
    arguments_parser = parser("run")
    add_settings_flags(arguments_parser)
    arguments = arguments_parser.parse_args(argv)
    _fill_standard_streams()
    # Until the event loop takes over signals. As process 1 of a container, we would not even receive an unhandled TERM.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        flags, wrong = collect_flags(arguments)
        first = last = load(arguments.config, environ=os.environ, flags=flags, wrong=wrong)
    except SettingsError as error:
        print_problems(error)
        return 2
    from proxy.app import run_sidecar  # only now, so that wrong settings are reported at once

    def read_again() -> Loaded:
        nonlocal last
        last = load(arguments.config, environ=os.environ, flags=flags, before=last)
        return last

    try:
        return 0 if run_sidecar(first, read_again) else 1
    except StartError as error:
        print(f"ops-sidecar: cannot start: {error}", file=sys.stderr)
        return 1


def _fill_standard_streams() -> None:
    """If the caller has closed one of them, a socket would get its number, and our lines would go there."""
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
