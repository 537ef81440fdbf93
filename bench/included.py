"""The other two benchmarks, codecs and library, as tables of this one.

May know that `bench.codecs` and `bench.library` have `rows()`, `table(rows)` in Markdown, and a target for each ratio.
"""

from __future__ import annotations

from collections.abc import Callable

from bench import codecs, library
from bench.report import Table, Target


def tables(announce: Callable[[str], None]) -> list[Table]:
    """Both tables; `announce` hears a name before its timing begins."""
    announce("codecs")
    coded = codecs.rows()
    slowest = min(coded, key=lambda row: row.worst_ratio)
    what = f"codecs faster than OpenTelemetry's, extract + inject on 20 headers, the worst sender ({slowest.sender})"
    codec_target = Target(what, slowest.worst_ratio, codecs.TARGET_RATIO, at_least=True)
    announce("library")
    called = library.rows()
    return [
        _table("Codecs", codecs.table(coded), (codec_target,), codecs),
        _table(
            "Library",
            library.table(called),
            tuple(Target(f"library: {row.what}", row.ratio, row.target) for row in called),
            library,
        ),
    ]


def _table(title: str, markdown: str, targets: tuple[Target, ...], module: object) -> Table:
    """Cells out of a Markdown table, to be aligned like the others; the module's own words below it."""
    head, _rule, *rows = (
        tuple(cell.strip() for cell in line.strip().strip("|").split("|")) for line in markdown.splitlines()
    )
    words = [part.replace("\n", " ") for part in (module.__doc__ or "").split("\n\n") if "python -m" not in part]
    return Table(title, head, tuple(rows), targets, " ".join(words).strip())
