"""Numbers and times in sentences. PURE."""

from __future__ import annotations


def plural(number: int, one: str, many: str = "") -> str:
    """`1 span`, `1,234 spans`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration(ms: float) -> str:
    """`0.6 ms`, `214 ms`, `1.2 s`, `3 min 5 s`."""
    if ms < 10:
        return f"{ms:.1f} ms"
    if ms < 1000:
        return f"{ms:.0f} ms"
    if ms < 60_000:
        return f"{ms / 1000:.1f} s"
    return f"{int(ms // 60_000)} min {int(ms % 60_000 // 1000)} s"
