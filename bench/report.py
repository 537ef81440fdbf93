"""From samples to medians, tables and targets. PURE.

May know samples and peers. Must not measure or write files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.measure import Sample
from bench.peers import PEERS, Peer

QUIET_SHARE = 0.05  # of the proxy's core; with more for others, CPU caches are shared and figures drift


@dataclass(frozen=True, slots=True)
class Target:
    """One promise: `value` must not pass `limit` (or must reach it, where `at_least`)."""

    what: str
    value: float
    limit: float
    at_least: bool = False
    unit: str = "×"

    @property
    def is_met(self) -> bool:
        """Does the promise hold?"""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def line(self) -> str:
        """`PASS  1.20× (at most 1.50×)  CPU per request beside nginx`."""
        bound = "at least" if self.at_least else "at most"
        verdict = "PASS" if self.is_met else "MISS"
        return f"{verdict}  {self.value:.2f}{self.unit} ({bound} {self.limit:.2f}{self.unit})  {self.what}"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of another benchmark (codecs, library) with its targets."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    targets: tuple[Target, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """The medians of one peer over the rounds."""

    peer: Peer
    rounds: int
    cpu_us: float
    cpu_user_us: float
    cpu_us_low: float
    cpu_us_high: float
    requests_per_s: float
    p50_ms: float
    p99_ms: float
    rss_idle_mb: float
    rss_load_mb: float
    exported_per_request: float
    steady_p99_ms: float
    foreign_share: float  # the worst round


def summarise(samples: Sequence[Sample]) -> list[Summary]:
    """One summary for each peer that has samples, the cheapest first."""
    summaries = []
    for peer in PEERS:
        mine = [sample for sample in samples if sample.peer == peer.key]
        if not mine:
            continue
        cpu = [sample.cpu_us for sample in mine]
        summaries.append(
            Summary(
                peer=peer,
                rounds=len(mine),
                cpu_us=median(cpu),
                cpu_user_us=median(sample.cpu_user_us for sample in mine),
                cpu_us_low=min(cpu),
                cpu_us_high=max(cpu),
                requests_per_s=median(sample.requests_per_s for sample in mine),
                p50_ms=median(sample.p50_ms for sample in mine),
                p99_ms=median(sample.p99_ms for sample in mine),
                rss_idle_mb=median(sample.rss_idle_bytes for sample in mine) / 1e6,
                rss_load_mb=median(sample.rss_load_bytes for sample in mine) / 1e6,
                exported_per_request=median(sample.exported_bytes / sample.requests for sample in mine),
                steady_p99_ms=median(sample.steady_p99_ms for sample in mine),
                foreign_share=max(sample.foreign_share for sample in mine),
            )
        )
    return sorted(summaries, key=lambda summary: summary.cpu_us)


def proxy_targets(summaries: Sequence[Summary]) -> list[Target]:
    """The promises of the data plane that can be judged from these rows.

    Judged is the compiled sidecar, and the pure one where there is no other; otherwise the pure ones are named beside.
    """
    rows = {summary.peer.key: summary for summary in summaries}
    ours = rows.get("sidecar", rows.get("sidecar-pure"))
    if ours is None:
        return []
    named = (("sidecar-pure", "in pure Python"), ("sidecar-jit", "with its JIT"))
    beside = [(rows[key], how) for key, how in named if key in rows and rows[key] is not ours]

    def cpu_beside(other: Summary, what: str, limit: float) -> Target:
        pure = ", ".join(f"{how} {row.cpu_us / other.cpu_us:.2f}×" for row, how in beside)
        what = f"CPU per request beside {what}" + (f"; {pure}" if pure else "")
        return Target(what, ours.cpu_us / other.cpu_us, limit)

    targets = []
    for key, limit in (("nginx", 1.2), ("envoy", 0.4)):
        if key in rows:
            targets.append(cpu_beside(rows[key], rows[key].peer.title, limit))
    others = [row for row in summaries if row.peer.work == "translates" and row.peer.compiled is None]
    if others:
        best = min(others, key=lambda row: row.cpu_us)
        targets.append(cpu_beside(best, f"the cheapest other that translates ({best.peer.title})", 0.3))
    targets += _span_targets(rows)
    if "envoy" in rows:
        ratio = ours.rss_idle_mb / rows["envoy"].rss_idle_mb
        targets.append(Target("memory (RSS) of an idle sidecar beside Envoy's", ratio, 1.0))
    return targets


def _span_targets(rows: Mapping[str, Summary]) -> list[Target]:
    """One span per request, beside the cheapest tracer: the dearer direction is judged.

    Pure Python is judged on the Python that runs it best; what it takes without a JIT is named beside.
    """
    tracers = [rows[key] for key in ("envoy-otel", "traefik-otel", "caddy-otel") if key in rows]
    targets = []
    if tracers:
        best = min(tracers, key=lambda row: row.cpu_us)
        beside = f"beside the cheapest tracer ({best.peer.title})"
        ratios = {ending: _dearer(rows, ending) / best.cpu_us for ending in ("", "-pure", "-jit")}
        compiled, pure, jit = ratios.values()
        if compiled:
            targets.append(Target(f"CPU per request with one span each, compiled, {beside}", compiled, 0.35))
        if pure or jit:
            how = "in pure Python with its JIT" if jit else "in pure Python"
            without = f"; without the JIT {pure:.2f}×" if jit and pure else ""
            targets.append(Target(f"CPU per request with one span each, {how}, {beside}{without}", jit or pure, 0.5))
    nginx, spans = rows.get("nginx"), rows.get("sidecar-spans", rows.get("sidecar-spans-pure"))
    if nginx is not None and spans is not None and nginx.steady_p99_ms:
        more = spans.steady_p99_ms - nginx.steady_p99_ms
        targets.append(Target("p99 at 2000 requests/s, one span each, above nginx's", more, 0.5, unit=" ms"))
    return targets


def _dearer(rows: Mapping[str, Summary], ending: str) -> float:
    """CPU of the dearer direction with a span; 0 if none was measured."""
    keys = (f"sidecar-spans{ending}", f"sidecar-spans-outbound{ending}")
    return max((rows[key].cpu_us for key in keys if key in rows), default=0.0)


_MEMORY = ("RSS idle MB", "RSS loaded MB", "exported B / request")


def proxy_table(summaries: Sequence[Summary], versions: Mapping[str, str]) -> Table:
    """The table of the proxies."""
    nginx = next((row.cpu_us for row in summaries if row.peer.key == "nginx"), None)
    head = (
        "proxy",
        "CPU µs / request",
        "(min–max)",
        "user",
        "× nginx",
        "requests/s",
        "p50 ms",
        "p99 ms",
        "p99 ms steady",
        *_MEMORY,
    )
    rows = []
    for row in summaries:
        version = versions.get(row.peer.key, "")
        rows.append(
            (
                f"{row.peer.title} ({version})" if version else row.peer.title,
                f"{row.cpu_us:.1f}",
                f"{row.cpu_us_low:.1f}–{row.cpu_us_high:.1f}",
                f"{row.cpu_user_us:.1f}",
                f"{row.cpu_us / nginx:.2f}" if nginx else "",
                f"{row.requests_per_s:,.0f}",
                f"{row.p50_ms:.2f}",
                f"{row.p99_ms:.2f}",
                f"{row.steady_p99_ms:.2f}" if row.steady_p99_ms else "",
                f"{row.rss_idle_mb:.0f}",
                f"{row.rss_load_mb:.0f}",
                f"{row.exported_per_request:.0f}" if row.peer.exports else "",
            )
        )
    return Table("Proxies", head, tuple(rows))


def render(table: Table) -> str:
    """A Markdown table with its columns aligned, so that it reads well on a terminal too. Numbers stand right."""
    cells = (table.head, *table.rows)
    widths = [max(len(row[column]) for row in cells) for column in range(len(table.head))]
    lines = [
        "| "
        + " | ".join(_pad(cell, width, index) for index, (cell, width) in enumerate(zip(row, widths, strict=True)))
        + " |"
        for row in cells
    ]
    rule = (
        "|"
        + "|".join("-" * (width + 2) if index == 0 else "-" * (width + 1) + ":" for index, width in enumerate(widths))
        + "|"
    )
    return "\n".join((lines[0], rule, *lines[1:]))


def _pad(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if column == 0 else cell.rjust(width)
