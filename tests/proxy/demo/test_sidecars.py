"""The demo's sidecars as processes: what is told where one cannot be set up."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from proxy.demo.sidecars import DemoError, running


async def test_without_a_temporary_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As in a container run --read-only: what is missing and what would help, no traceback."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(DemoError, match="set TMPDIR"):
        async with running([]):
            pass
