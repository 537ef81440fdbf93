"""The settings in force at each sidecar that reports, with where each came from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from proxy.console.query.sidecars import sidecars
from proxy.console.query.words import plural
from proxy.console.store.reader import Reader

Answer = dict[str, Any]


def settings(reader: Reader, now_ns: int) -> Answer:
    """Each instance with its settings and its health."""
    found = sidecars(reader, now_ns)
    made = []
    for one in found:
        (kept,) = reader.one("SELECT settings FROM sidecars WHERE instance = ?", (one["id"],)) or (None,)
        entries = json.loads(kept) if kept else []
        made.append(
            {
                "service": one["service"],
                "instance": one["instance"],
                "version": one["version"],
                "at": one["at"],
                "silent": one["silent"],
                "settings": [_entry(entry) for entry in entries],
                "health": one,
            }
        )
    return {"sidecars": made, "sentence": _sentence(found)}


def _entry(entry: Answer) -> Answer:
    return {
        "where": "",
        "hot": False,
        **entry,
        "value": _text(entry.get("value")),
        "default": _text(entry.get("default")),
    }


def _text(value: object) -> str:
    """As one writes it after `--set key=`."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return str(value)


def _sentence(found: Sequence[Answer]) -> str:
    if not found:
        return "No sidecar reports yet: set console.report.endpoint there."
    ill = [one for one in found if one["silent"]]
    refused = [one for one in found if one["reloads"] and not one["reloads"][0].get("ok")]
    newer = [one for one in found if one["newer"]]
    running = sum(one["running"] for one in found)
    words = [f"{plural(running, 'sidecar reports', 'sidecars report')}."]
    if ill:
        words.append(f"{plural(len(ill), 'is', 'are')} silent: {', '.join(one['instance'] for one in ill[:3])}.")
    if refused:
        words.append(f"The last reload was refused at {', '.join(one['instance'] for one in refused[:3])}.")
    if newer:
        words.append(
            f"{plural(len(newer), 'sidecar is', 'sidecars are')} newer than this console, which shows what it knows."
        )
    return " ".join(words)
