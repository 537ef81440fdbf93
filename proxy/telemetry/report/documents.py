"""What is reported periodically, as JSON. PURE: values in, text out.

docs/console.md has the shapes. Readers ignore what they do not know, so keys may be added, and never change meaning.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from proxy.plan import ListenerPlan, Plan, UpstreamPlan
from proxy.plan.participation import EgressPlan
from proxy.telemetry.durations import BOUNDS_S, total
from proxy.telemetry.metrics import ExchangeMetrics, Metrics
from proxy.telemetry.otlp.exporter import ExportCounts
from proxy.telemetry.process import ProcessUsage
from proxy.telemetry.report.channel import Channel
from proxy.telemetry.state import Phase, State

_MOST_UPSTREAMS = 500


class Setting(NamedTuple):
    """One key as it takes effect, without secrets."""

    key: str
    value: object
    default: object
    source: str  # default, file, env, flag
    where: str
    hot: bool  # takes effect at a reload


class AppCalls(NamedTuple):
    """What the app did with contexts, since the start."""

    calls: Mapping[str, int]  # by finding, and `examined`
    expected: Mapping[str, int]  # by what a call should have had, how many there were
    seen: Mapping[str, tuple[float, float]]  # by finding: first and last, seconds since the epoch


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def counts(channel: Channel, calls: AppCalls, *, number: int, now_s: float, is_final: bool, place: str) -> str:
    """Who speaks what, and what the app did: cumulative since the start. `number`: of this report, from 1 on."""
    return _text(
        {
            "seq": number,
            "since": _ms(channel.started),
            "now": _ms(now_s),
            "interval": channel.interval_s,
            "final": is_final,
            "place": place,
            "formats": channel.formats.listed(),
            "calls": calls.calls,
            "expected": calls.expected,
            "seen": {finding: [_ms(first), _ms(last)] for finding, (first, last) in calls.seen.items()},
            "exchanges": {"seen": channel.seen, "reported": channel.reported, "dropped": channel.sent().dropped},
        }
    )


def proofs(proofs: Mapping[str, Mapping[str, Any]]) -> str:
    """The last proof of each finding, as it may be shown."""
    return _text({finding: {**proof, "at": _ms(proof["at"])} for finding, proof in proofs.items()})


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


def settings(entries: Iterable[Setting]) -> str:
    """Every key with its source."""
    return _text([entry._asdict() for entry in entries])


def plan(plan: Plan, name: str, addresses: Mapping[str, Sequence[str]]) -> str:
    """The plan in force. `name`: ours in Via; `addresses`: by listener, where it is bound."""
    return _text(
        {
            "generation": plan.generation,
            "via": name,
            "listeners": [_listener(one, addresses.get(one.name, ())) for one in plan.listeners],
            "upstreams": [
                _upstream(listener, upstream) for listener in plan.listeners for upstream in listener.router.upstreams()
            ][:_MOST_UPSTREAMS],
        }
    )


def _listener(listener: ListenerPlan, addresses: Sequence[str]) -> dict[str, object]:
    extract = list(dict.fromkeys(e for one in listener.router.upstreams() for e in one.propagation.extract))
    return {
        "name": listener.name,
        "leg": "in" if listener.direction == "inbound" else "out",
        "addresses": list(addresses),
        "extract": extract,
        "trust": [rule.name for rule in listener.trust],
    }


def _upstream(listener: ListenerPlan, upstream: UpstreamPlan) -> dict[str, object]:
    how = upstream.propagation
    return {
        "listener": listener.name,
        "name": upstream.name,
        "target": upstream.target.authority if upstream.target is not None else None,
        "extract": list(how.extract),
        "inject": list(how.inject),
        "mode": how.mode,
        "baggage": how.baggage,
        "on_defer": how.on_defer,
        "lossless": how.lossless,
        "clear": list(how.clear),
        "session_inject": how.session_inject,
        "session_extract": list(how.session_extract),
        "session_bridge": how.session_bridge,
        "egress": _egress(listener.egress),
    }


def _egress(egress: EgressPlan) -> dict[str, list[str] | None]:
    lists = {"trace": egress.trace, "session": egress.session, "baggage": egress.baggage}
    return {cargo: [str(one) for one in hosts] if hosts is not None else None for cargo, hosts in lists.items()}


def health(
    state: State,
    metrics: Metrics,
    *,
    version: str,
    process: ProcessUsage,
    spans: ExportCounts,
    spans_to: str,
    channel: Channel,
    reports_to: str,
    dropped_lines: Mapping[str, int],
) -> str:
    """How it is now. Counters are cumulative: rates are for the reader, who has the report before."""
    exporters: list[dict[str, Any]] = []
    if spans_to:
        exporters.append(_exporter(f"spans to {spans_to}", spans.exported, spans.dropped, spans.waiting_bytes))
    sent = channel.sent()
    exporters.append(_exporter(f"reports to {reports_to}", sent.sent, sent.dropped, sent.waiting_bytes))
    for stream, lost in dropped_lines.items():
        if lost:
            exporters.append(_exporter(stream, None, {"queue-full": lost}, 0))
    return _text(
        {
            "phase": str(state.phase),
            "ready": state.phase is Phase.READY,
            "version": version,
            "started": _ms(state.started_time_s),
            "generation": state.generation,
            "cpu_s": round(process.cpu_s, 3),
            "rss_bytes": process.resident_bytes,
            "fds": process.open_fds,
            "buckets_s": list(BOUNDS_S),
            "exchanges": [
                {"listener": listener, "upstream": upstream, **_exchanges(one)}
                for (listener, upstream), one in metrics.exchanges.items()
            ],
            "listeners": [
                {
                    "name": name,
                    "open": one.connections_open,
                    "limit": one.connections_limit,
                    "total": one.connections_total,
                    "refused": sum(one.connections_refused.values()),
                }
                for name, one in metrics.listeners.items()
            ],
            "upstreams": [
                {
                    "name": name,
                    "open": one.connections_open,
                    "idle": one.connections_idle,
                    "limit": one.connections_limit,
                    "queued": one.queued,
                    "connects": one.connects,
                    "reused": one.reused,
                    "failures": dict(one.connect_failures),
                }
                for name, one in metrics.upstreams.items()
            ],
            "exporters": exporters,
            "reloads": [
                {"at": _ms(one.at_s), "ok": bool(one.generation), "generation": one.generation, "message": one.message}
                for one in state.reloads
            ],
        }
    )


def _exporter(name: str, sent: int | None, dropped: Mapping[str, int], waiting_bytes: int) -> dict[str, Any]:
    return {"name": name, "sent": sent, "dropped": dict(dropped), "waiting_bytes": waiting_bytes}


def _exchanges(metrics: ExchangeMetrics) -> dict[str, Any]:
    durations = total(metrics.durations.series.values())
    return {"requests": list(metrics.requests), "counts": list(durations.counts), "sum_s": round(durations.sum_s, 6)}
