"""The sidecars that report, each with its health: rates are those between its last two reports."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from proxy.console.query.words import duration
from proxy.console.store.reader import Reader
from proxy.console.store.senders import FAREWELL, RUNNING, patience_ns

Answer = dict[str, Any]

_MOST: Final = 200
_BUSY: Final = 10.0  # requests a second; below, most of the CPU time is not that of requests
_ENDED_NS: Final = 600_000_000_000  # so long one that said farewell is shown


def sidecars(reader: Reader, now_ns: int) -> list[Answer]:
    """Each instance with the health that it reported last; those that run first."""
    rows = reader.all(
        "SELECT instance, service, name, host, version, newer, seen, interval_ms, ended, exchanges, health, health_at, "
        "earlier, earlier_at, plan, rates FROM sidecars WHERE health IS NOT NULL AND (ended = ? OR seen > ?) "
        "ORDER BY ended, service, seen DESC LIMIT ?",
        (RUNNING, now_ns - _ENDED_NS, _MOST),
    )
    return [_sidecar(row, now_ns) for row in rows]


def _sidecar(row: Sequence[Any], now_ns: int) -> Answer:
    instance, service, name, host, version, newer, seen, interval_ms, ended = row[:9]
    exchanges, health, health_at, earlier, earlier_at, plan, rates = row[9:]
    now, before = _read(health), _read(earlier)
    is_late = ended == RUNNING and now_ns - seen > patience_ns(interval_ms)
    return {
        "service": service,
        "instance": name if name != instance else f"{host}-{instance[:6]}" if host else instance,
        "id": instance,
        "version": version,
        "newer": bool(newer),
        "at": health_at / 1e6,
        "running": ended == RUNNING,
        "silent": f"Nothing was heard of it for {duration((now_ns - seen) / 1e6)}." if is_late else None,
        "farewell": ended == FAREWELL,
        "reports": _read(exchanges),
        "rps": json.loads(rates) if rates else [],
        **_health(now, before, (health_at - earlier_at) / 1e9 if earlier else 0.0, _read(plan)),
    }


def _read(text: str | None) -> Answer:
    found: Answer = json.loads(text) if text else {}
    return found


def _health(now: Answer, before: Answer, passed_s: float, plan: Answer) -> Answer:
    is_same = before.get("started") == now.get("started")
    if not is_same:
        before, passed_s = {}, 0.0
    durations = _grown(now, before)
    bounds = now.get("buckets_s") or []
    cpu_s = now.get("cpu_s", 0) - before.get("cpu_s", 0)
    requests = sum(durations)
    return {
        "ready": now.get("ready") is True,
        "phase": now.get("phase"),
        "started": now.get("started"),
        "generation": now.get("generation"),
        "rss_mb": round(now.get("rss_bytes", 0) / 1048576, 1),
        "fds": now.get("fds"),
        "cpu_percent": round(100 * cpu_s / passed_s, 1) if passed_s > 0 else None,
        "requests_per_s": round(requests / passed_s, 1) if passed_s > 0 else None,
        "overhead_us": round(1e6 * cpu_s / requests) if passed_s > 0 and requests >= _BUSY * passed_s else None,
        "p50_ms": _percentile(durations, bounds, 0.5),
        "p99_ms": _percentile(durations, bounds, 0.99),
        "listeners": _listeners(now, plan),
        "upstreams": _upstreams(now, before, plan, bounds),
        "exporters": [_exporter(one) for one in now.get("exporters", ())],
        "reloads": [_reload(one) for one in reversed(now.get("reloads", ()))],
    }


def _grown(now: Answer, before: Answer, upstream: str | None = None) -> list[int]:
    """How many exchanges came into each bucket of durations between two reports."""
    total: list[int] = []
    earlier = {(one["listener"], one["upstream"]): one for one in before.get("exchanges", ())}
    for one in now.get("exchanges", ()):
        if upstream is not None and one["upstream"] != upstream:
            continue
        counts = one.get("counts", [])
        was = earlier.get((one["listener"], one["upstream"]), {}).get("counts", [])
        total += [0] * (len(counts) - len(total))
        for number, count in enumerate(counts):
            total[number] += count - (was[number] if number < len(was) else 0)
    return total


def _percentile(counts: Sequence[int], bounds: Sequence[Any], share: float) -> float | None:
    """The upper bound of the bucket that has it, in ms."""
    total = sum(counts)
    if total <= 0:
        return None
    reached = 0
    for count, bound in zip(counts, bounds, strict=False):
        reached += count
        if reached >= share * total:
            return float(bound) * 1000
    return float(bounds[-1]) * 1000 if bounds else None


def _listeners(now: Answer, plan: Answer) -> list[Answer]:
    bound = {one.get("name"): one for one in plan.get("listeners", ())}
    found = []
    for one in now.get("listeners", ()):
        known = bound.get(one.get("name"), {})
        targets = [each for each in plan.get("upstreams", ()) if each.get("listener") == one.get("name")]
        to = targets[0].get("target") if len(targets) == 1 else "by Host"
        found.append(
            {
                "name": one.get("name"),
                "address": ", ".join(map(str, known.get("addresses") or [])),
                "open": one.get("open"),
                "total": one.get("total"),
                "refused": one.get("refused"),
                "to": to or "as requested",
            }
        )
    return found


def _upstreams(now: Answer, before: Answer, plan: Answer, bounds: Sequence[Any]) -> list[Answer]:
    planned = {one.get("name"): one for one in plan.get("upstreams", ())}
    found = []
    for one in now.get("upstreams", ()):
        name = one.get("name")
        failures = one.get("failures", {})
        connects, reused = one.get("connects", 0), one.get("reused", 0)
        found.append(
            {
                "name": name,
                "target": planned.get(name, {}).get("target") or "as requested",
                "inject": planned.get(name, {}).get("inject") or [],
                "open": one.get("open"),
                "idle": one.get("idle"),
                "max": one.get("limit"),
                "queued": one.get("queued"),
                "reused": round(reused / (reused + connects), 3) if reused + connects else None,
                "failures": sum(failures.values()),
                "p99_ms": _percentile(_grown(now, before, str(name)), bounds, 0.99),
                "why": ", ".join(f"{fault} × {count}" for fault, count in failures.items()) or None,
            }
        )
    return found


def _reload(one: Answer) -> Answer:
    is_start = one.get("message") == "started"
    return {**one, "generation": one.get("generation") or None, "by": "start" if is_start else "reload"}


def _exporter(one: Answer) -> Answer:
    dropped = one.get("dropped", {})
    lost = sum(dropped.values())
    return {
        "name": one.get("name"),
        "state": "warn" if lost else "ok",
        "sent": one.get("sent"),
        "dropped": lost,
        "queued": one.get("waiting_bytes"),
        "note": ", ".join(f"{reason} × {count}" for reason, count in dropped.items()) or None,
    }
