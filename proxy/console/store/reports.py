"""What sidecars report beside their spans: the tables, and the writer of each kind of report."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from proxy.console.intake.reports import Report

TABLES: Final = ""


def write_reports(connection: sqlite3.Connection, reports: Sequence[Report], now_ns: int) -> Sequence[dict[str, Any]]:
    """Store them, in the writer's transaction; return the rows that are new, for the live stream."""
    return ()


def trim_reports(connection: sqlite3.Connection, oldest_ns: int) -> None:
    """Forget what is older."""
