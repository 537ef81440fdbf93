"""The bounds and times of the console that no page promises, copied by hand: a change of one is a change here.

Most are tried at their edge in the tests of their module, by the constant's name.
"""

from __future__ import annotations

import importlib

import pytest

BOUNDS: dict[str, dict[str, object]] = {
    "proxy.console.forward.forwarder": {"_QUIET_S": 60.0, "_OVERHEAD_BYTES": 500},
    "proxy.console.intake.decode": {"MOST_RESOURCE_BYTES": 65_536, "_OVERHEAD_BYTES": 600, "_LONGEST": 256},
    "proxy.console.intake.reports": {"_MOST_BODY_BYTES": 4_194_304, "_LONGEST": 256},
    "proxy.console.intake.shapes": {"_LONGEST": 4096, "_MOST": 5000, "_LARGEST": 1 << 53},
    "proxy.console.intake.values": {"_DEEPEST": 8},
    "proxy.console.query.doctor": {
        "WINDOW_HOURS": 24, "_MOST_SERVICES": 500, "_MOST_ROWS": 50_000, "_PROOFS": 3, "_LOOKED": 200,
        "_MOST_PEERS": 50,
    },
    "proxy.console.query.health": {"_MOST_SERVICES": 200},
    "proxy.console.query.migration": {"WINDOW_DAYS": 14, "_DAYS": 28, "_MOST_ROWS": 200_000, "_MOST_CELLS": 5000},
    "proxy.console.query.pages": {
        "MOST": 500, "USUAL": 100, "BUDGET_S": 0.25, "_STRETCH": 10_000, "_FEW": 50, "_LARGEST": 1 << 62,
    },
    "proxy.console.query.plans": {"_MOST_SERVICES": 100, "_MOST": 500},
    "proxy.console.query.reported.coverage": {"_MOST": 2000, "_MOST_SIDECARS": 5000},
    "proxy.console.query.reported.peers": {"_MOST": 5000},
    "proxy.console.query.shadow": {"_MOST": 500, "_MOST_EXAMPLES": 8},
    "proxy.console.query.sidecars": {"_MOST": 200, "_BUSY": 10.0, "_ENDED_NS": 600 * 10**9},
    "proxy.console.query.trace": {"MOST_SPANS": 20_000, "MOST_LOGS": 5000},
    "proxy.console.run": {"_STDERR": 2, "_QUEUE_LINES": 10_000, "_STOP_S": 10.0, "_FLUSH_S": 5.0},
    "proxy.console.server.api": {"_THREADS": 2, "_MOST_WAITING": 32, "_WRITTEN_S": 10.0, "_MOST_LOGIN_BYTES": 4096},
    "proxy.console.server.grpc": {
        "_MOST_CONNECTIONS": 1000, "_MOST_HEADER_BYTES": 32_768, "_LAST_BYTES_S": 3.0, "_MOST_DISCARDED": 1_048_576,
        "_STOP_S": 1.0,
    },
    "proxy.console.server.grpc_call": {"_READ_S": 60.0},
    "proxy.console.server.guard": {"_YEAR_S": 31_536_000},
    "proxy.console.server.http": {"_KEEPALIVE_S": 75.0, "_SHUTDOWN_S": 1.0},
    "proxy.console.server.intake": {
        "_MOST_REMEMBERED": 512, "_REMEMBERED_S": 600.0, "_MOST_HELD_BYTES": 134_217_728, "_READ_S": 60.0,
    },
    "proxy.console.server.stream": {
        "_MOST_KEPT": 2000, "_MOST_WAITING": 1000, "_MOST_READERS": 64, "_BEAT_S": 15.0, "_PATIENCE_S": 10.0,
    },
    "proxy.console.store.exchanges": {"_LONGEST": 2048},
    "proxy.console.store.open": {"_PAGE_BYTES": 8192, "_BUSY_S": 5.0, "_CACHE_KIB": 32_768, "_WAL_PAGES": 4096},
    "proxy.console.store.reader": {"LIMIT_S": 5.0, "_STEPS": 20_000},
    "proxy.console.store.report_counts": {"_MOST_IN_ALL": 300_000, "_LOOK_EVERY": 32, "_MOST_NAMES": 200},
    "proxy.console.store.requests": {"_LONGEST_TARGET": 2048},
    "proxy.console.store.retention": {"_AIM": 0.95, "_STEP": 200},
    "proxy.console.store.schema": {"APPLICATION_ID": 0x4F505343, "SHIFT": 20, "MOST_IN_TRACE": 131_072},
    "proxy.console.store.senders": {
        "_MOST_SIDECARS": 5000, "_MOST_RATES": 60, "_MOST_GAPS": 2000, "_MOST_SERVICES": 2000,
        "_KEPT_NS": 60 * 86_400 * 10**9,
    },
    "proxy.console.store.summary": {"_MOST_FORMATS": 16, "_LONGEST": 300, "_MOST_SERVICES": 100},
    "proxy.console.store.traces": {"_MOST_SUMMARIES": 4096, "_MOST_IDS": 400_000, "_MOST_SOURCES": 2048},
    "proxy.console.store.writer": {"_MOST_RECORDS": 5000, "_AGE_EVERY_S": 5.0, "_QUIET_S": 60.0},
}  # fmt: skip


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, found in BOUNDS.items() for name in found])
def test_a_bound_is_what_was_reviewed(module: str, name: str) -> None:
    assert getattr(importlib.import_module(module), name) == BOUNDS[module][name]
