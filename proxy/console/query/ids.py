"""Ids of traces as people give them. PURE."""

from __future__ import annotations

import re
from typing import Final

_TRACE: Final = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{16}")


def trace_bytes(text: str) -> bytes | None:
    """32 hex digits, or 16 of a 64-bit id; None if it is neither."""
    return bytes.fromhex(text.zfill(32)) if _TRACE.fullmatch(text) else None
