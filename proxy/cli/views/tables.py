"""Tables, bars and times for a terminal. PURE."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Final

_SHORT: Final = {"tracecontext": "w3c", "b3multi": "b3m", "jaeger": "jgr", "grpc-trace-bin": "bin"}


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], *, right: Iterable[int] = ()) -> list[str]:
    """Lines with columns as wide as they need. `right`: columns whose text is flush right."""
    texts = [list(heads), *([printable(str(one)) for one in row] for row in rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(heads))]
    flush = set(right)
    return [
        "  ".join(
            cell.rjust(width) if column in flush else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in texts
    ]


def printable(text: str) -> str:
    """Text of strangers: nothing that a terminal would obey."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def cut(text: str, width: int) -> str:
    """At most `width` characters."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def clock(ms: float) -> str:
    """The time of day, local."""
    return time.strftime("%H:%M:%S", time.localtime(ms / 1000))


def counted(number: int, one: str) -> str:
    """`1 trace`, `2 traces`."""
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


def length(ms: float) -> str:
    """`0.6 ms`, `214 ms`, `1.2 s`."""
    return f"{ms:.1f} ms" if ms < 9.95 else f"{ms:.0f} ms" if ms < 999.5 else f"{ms / 1000:.1f} s"


def hop(read: Sequence[str], written: Sequence[str]) -> str:
    """`b3 → w3c`."""
    return f"{_formats(read)} → {_formats(written)}"


def _formats(names: Sequence[str]) -> str:
    return "+".join(_SHORT.get(name, name) for name in names) or "–"


def bar(start: float, ms: float, total: float, width: int) -> str:
    """A span on a line of `width` characters that stands for `total` milliseconds."""
    if total <= 0:
        return "█" * width
    first = min(width - 1, max(0, int(start / total * width)))
    size = max(1, min(width - first, round(ms / total * width)))
    return " " * first + "█" * size
