"""The settings as JSON: what `ops-sidecar check --json` prints, and the admin listener shows. Pure."""

from __future__ import annotations

from proxy.settings.effective import effective
from proxy.settings.reading import Loaded
from proxy.settings.unused import without_effect


def as_json(loaded: Loaded, *, changed: bool = False) -> dict[str, object]:
    """Every key with its value and source, without secrets, and the keys that have no effect.

    `changed`: only what differs from the defaults.
    """
    return {
        "file": str(loaded.file) if loaded.file is not None else None,
        "settings": [entry._asdict() for entry in effective(loaded) if entry.changed or not changed],
        "notes": [one._asdict() for one in without_effect(loaded)],
    }
