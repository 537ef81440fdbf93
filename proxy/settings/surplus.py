"""Removes unknown keys beyond those that are reported, before pydantic sees them. Pure.

For speed: pydantic makes an error for each at once, and blocks the process meanwhile.
"""

from __future__ import annotations

from typing import Any

from proxy.settings.problems import keys_at, model_at
from proxy.settings.yaml_file import Path


def without_surplus(data: Any, most: int, path: Path = ()) -> tuple[Any, int]:
    """`data` with at most `most` unknown keys in each section, and how many were removed."""
    if isinstance(data, list):
        found = [without_surplus(item, most, (*path, str(number))) for number, item in enumerate(data)]
        return [item for item, _ in found], sum(more for _, more in found)
    if not isinstance(data, dict) or model_at(path) is None:
        return data, 0
    known = set(keys_at(path))
    kept: dict[str, Any] = {}
    unknown = taken = 0
    for key, value in data.items():
        if key in known:
            kept[key], more = without_surplus(value, most, (*path, key))
            taken += more
        elif unknown < most:
            kept[key] = value
            unknown += 1
        else:
            taken += 1
    return kept, taken
