"""Who still sends and needs which format, and what can be switched off."""

from __future__ import annotations

from typing import Any

from proxy.console.store.reader import Reader


def migration(reader: Reader, now_ns: int) -> dict[str, Any]:
    """Peer and format with counts, and a verdict on each."""
    sentence = "No sidecar reports yet: set console.report.endpoint there."
    return {
        "window_days": 14,
        "requests": 0,
        "formats": [],
        "cells": [],
        "verdicts": [],
        "sentence": sentence,
        "gap": sentence,
    }
