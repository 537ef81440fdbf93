"""The library's benchmark runs whole. How fast anything is, `make bench` says, on a machine that does nothing else."""

from __future__ import annotations

import pytest

from bench import library


def test_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few calls only: each comparison is made, and each finds its line in the table."""
    monkeypatch.setattr(library, "CALLS", 300)
    monkeypatch.setattr(library, "import_row", lambda rounds: library.Row("import", 1.0, 1.0, 1.0, 1.3, "ms"))
    rows = {row.what: row for row in library.rows(3)}
    assert {"`@ops.trace`, nothing configured", "`@ops.trace`, in an unsampled trace"} < set(rows)
    assert all(row.ours > 0 and row.theirs > 0 and row.ratio > 0 for row in rows.values())
    assert library.table(list(rows.values())).count("\n") == len(rows) + 1
