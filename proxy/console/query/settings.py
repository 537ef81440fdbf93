"""The settings in force at each sidecar that reports, with where each came from."""

from __future__ import annotations

from typing import Any

from proxy.console.store.reader import Reader


def settings(reader: Reader, now_ns: int) -> dict[str, Any]:
    """Each instance with its settings."""
    return {"sidecars": [], "sentence": "No sidecar reports yet: set console.report.endpoint there."}
