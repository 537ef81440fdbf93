"""The wire tests use every fixture of the lab."""

from __future__ import annotations

from lab.fixtures import billing, collector, deaf, exporting, logs, loop_thread, start, upstream, wire, wired

__all__ = ["billing", "collector", "deaf", "exporting", "logs", "loop_thread", "start", "upstream", "wire", "wired"]
