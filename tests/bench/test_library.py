"""The library's benchmark runs, and its ratios keep a wide distance from failing for good reason."""

from __future__ import annotations

import pytest

from bench import library


def test_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few calls only: a first look, not a measurement. What is unrecorded stays well below what is recorded."""
    monkeypatch.setattr(library, "CALLS", 300)
    monkeypatch.setattr(library, "import_row", lambda rounds: library.Row("import", 1.0, 1.0, 1.0, 1.3, "ms"))
    rows = {row.what: row for row in library.rows(15)}  # so that the median is not of a machine busy with other things
    assert rows["`@ops.trace`, nothing configured"].ratio < 0.5
    assert rows["`@ops.trace`, in an unsampled trace"].ratio < 0.5
    assert library.table(list(rows.values())).count("\n") == len(rows) + 1
