"""Numbers and times in sentences. PURE."""

from __future__ import annotations


def plural(number: int, one: str, many: str = "") -> str:
    """`1 span`, `1,234 spans`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration(ms: float) -> str:
    """`0.6 ms`, `214 ms`, `1.2 s`, `3 min 5 s`. What rounds to 10 ms is `10 ms`, not `10.0 ms`."""
    if ms < 9.95:
        return f"{ms:.1f} ms"
    if ms < 999.5:
        return f"{ms:.0f} ms"
    if ms < 59_950:
        return f"{ms / 1000:.1f} s"
    seconds = round(ms / 1000)
    return f"{seconds // 60} min {seconds % 60} s"
