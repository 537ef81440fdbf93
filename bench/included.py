"""The other two benchmarks, codecs and library, as tables of this one.

May know that `bench.codecs` and `bench.library` have `rows()`. A module that is missing or cannot be
imported is skipped by name.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

from bench.report import Table

_MODULES = {"codecs": "bench.codecs", "library": "bench.library"}


def tables(announce: Callable[[str], None]) -> tuple[list[Table], dict[str, str]]:
    """The tables of what is there, and the reason for each that is not; `announce` hears a name before its timing."""
    found: list[Table] = []
    absent: dict[str, str] = {}
    for name, path in _MODULES.items():
        try:
            module = importlib.import_module(path)
        except ImportError as error:
            absent[name] = str(error)
            continue
        announce(name)
        found.extend(module.rows())
    return found, absent
