"""Values of OTLP's attributes as Python's, which JSON can say. PURE."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final

_DEEPEST: Final = 8


def plain(value: Any, depth: int = 0) -> Any:
    """An AnyValue: text, number, truth, list, object, bytes as hex digits. None if it says nothing."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "string_value":
        return value.string_value
    if kind == "double_value":
        number = value.double_value
        return number if math.isfinite(number) else str(number)
    if kind == "bytes_value":
        return value.bytes_value.hex()
    if kind in ("array_value", "kvlist_value") and depth >= _DEEPEST:
        return "…"
    if kind == "array_value":
        return [plain(one, depth + 1) for one in value.array_value.values]
    if kind == "kvlist_value":
        return attributes(value.kvlist_value.values, depth + 1)
    return getattr(value, kind)


def attributes(pairs: Iterable[Any], depth: int = 0) -> dict[str, Any]:
    """KeyValues as a dictionary; of a name that comes twice the last counts."""
    return {pair.key: plain(pair.value, depth) for pair in pairs}
