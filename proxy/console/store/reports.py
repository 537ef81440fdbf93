"""What sidecars report beside their spans: the tables, and the writer of each kind of report.

Counters of a sidecar are cumulative since its start. Here their growth is added up by service, so that they add up
over replicas and restarts, and a report that was lost is made good by the next.
Nothing of a report raises: it comes from outside.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from proxy.console.intake.reports import COUNTS, EXCHANGE, Report
from proxy.console.store import report_counts, senders
from proxy.console.store.exchanges import row_of
from proxy.console.store.requests import put_request

log = logging.getLogger(__name__)

TABLES: Final = senders.TABLES + report_counts.TABLES

_DOCUMENTS: Final = {"ops.plan": "plan", "ops.settings": "settings", "ops.health": "health", "ops.shadow": "shadow"}


def write_reports(connection: sqlite3.Connection, reports: Sequence[Report], now_ns: int) -> Sequence[dict[str, Any]]:
    """Store them, in the writer's transaction; return the rows that are new, for the live stream."""
    rows: list[dict[str, Any]] = []
    names = senders.services_by_name(connection) if any(one.kind == EXCHANGE for one in reports) else {}
    for report in reports:
        try:
            if report.kind == EXCHANGE:
                row = row_of(report, names)
                if row is not None and put_request(connection, row, {"report": report.said}):
                    rows.append(row)
            elif report.kind == COUNTS:
                if senders.heard(connection, report, now_ns):
                    report_counts.add(connection, report, now_ns)
            elif report.kind in _DOCUMENTS:
                senders.keep(connection, report.sender, _DOCUMENTS[report.kind], report.said, now_ns)
            else:
                report_counts.keep_proofs(connection, report)
        except (ValueError, TypeError, KeyError, OverflowError, AttributeError) as error:
            log.debug("a report of %s cannot be read: %s", report.sender.instance, type(error).__name__)
    return rows


def trim_reports(connection: sqlite3.Connection, oldest_ns: int) -> None:
    """Counters have an age and bounds of their own, which do not follow that of traces."""
