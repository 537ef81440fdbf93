"""The tests of config/ run sidecars as the wire tests do."""

from __future__ import annotations

from lab.consoles import start_console
from lab.fixtures import logs, loop_thread, start, upstream

__all__ = ["logs", "loop_thread", "start", "start_console", "upstream"]
