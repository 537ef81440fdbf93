"""Texts that users read, held against files in which they were reviewed."""

from __future__ import annotations

import difflib
import os
from pathlib import Path


def check_text(said: str, file: Path) -> None:
    """`said` is what `file` has. To accept a change, run the test with OPS_ACCEPT=1 and review the file's diff."""
    if os.environ.get("OPS_ACCEPT"):
        file.write_text(said, encoding="utf-8")
    known = file.read_text(encoding="utf-8")
    changed = difflib.unified_diff(known.splitlines(), said.splitlines(), file.name, "now", lineterm="")
    assert said == known, "\n".join(changed)
