"""An exchange that was reported, as a Row of the API, and what the store keeps to explain it later. PURE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from proxy.console.intake.reports import Report
from proxy.explain.tokens import MALFORMED, OTHER_TRACE, read_tokens

_PROBE_PATHS: Final = frozenset(
    ("/healthz", "/readyz", "/livez", "/health", "/ready", "/live", "/metrics", "/ping", "/-/healthy", "/-/ready")
)
_PROBE_AGENTS: Final = (
    "kube-probe/",
    "prometheus/",
    "elb-healthchecker/",
    "googlehc/",
    "consul health check",
    "blackbox",
)
_NOTES: Final = {
    "another-trace": "re-minted",
    "decision-changed": "flipped",
    "dropped": "gap",
    "lost-tracestate": "lost-state",
    "lost-baggage": "lost-baggage",
    "lost-session": "lost-session",
    "stale": "stale",
    "two-stories": "conflict",
    "unread-format": "unread",
}
_LONGEST: Final = 2048

Row = dict[str, Any]


def row_of(report: Report, names: Mapping[str, str]) -> Row | None:
    """None if it has no id. `names`: services by the names of their sidecars in Via."""
    said = report.said
    rid = text(said, "ops.request.id")
    if not rid:
        return None
    service, is_inbound = report.sender.service, said.get("ops.leg") != "out"
    status = said.get("http.response.status_code")
    return {
        "id": rid,
        "at": report.at / 1e6,
        "sidecar": service,
        "leg": "in" if is_inbound else "out",
        "from": _caller(said, names) if is_inbound else service,
        "to": service if is_inbound else _callee(said),
        "method": text(said, "http.request.method"),
        "target": text(said, "url.path"),
        "status": status if isinstance(status, int) else None,
        "fault": text(said, "ops.fault") or None,
        "ms": _number(said, "ops.duration_us") / 1000,
        "in": [token.format for token in read_tokens(texts(said, "ops.formats.read")) if token.is_valid],
        "out": texts(said, "ops.formats.written"),
        "winner": text(said, "ops.winner") or None,
        "trace": report.trace.hex() or None,
        "span": report.span.hex() or None,
        "sampling": text(said, "ops.sampling") or None,
        "short": said.get("ops.short") is True,
        "session": text(said, "session.id") or None,
        "notes": _notes(said),
        "probe": is_probe(text(said, "url.path"), text(said, "user_agent.original")),
        "retries": _number(said, "ops.retries"),
    }


def is_probe(path: str, agent: str) -> bool:
    """A health check or a scrape, by its path or its agent."""
    return path in _PROBE_PATHS or agent.lower().startswith(_PROBE_AGENTS)


def is_refused(said: Mapping[str, Any]) -> bool:
    """Whether the sidecar answered before it was decided where the request goes."""
    return bool(text(said, "ops.fault")) and not text(said, "ops.upstream")


def _caller(said: Mapping[str, Any], names: Mapping[str, str]) -> str:
    peer = text(said, "ops.peer")
    return names.get(peer, f"a sidecar ({peer})") if said.get("ops.peer.kind") == "sidecar" else peer


def _callee(said: Mapping[str, Any]) -> str:
    upstream = text(said, "ops.upstream")
    return text(said, "server.address") or upstream if upstream in ("", "other") else upstream


def _notes(said: Mapping[str, Any]) -> list[str]:
    tokens = read_tokens(texts(said, "ops.formats.read"))
    notes = dict.fromkeys(
        note
        for note, holds in (
            ("refused", is_refused(said)),
            ("conflict", any(token.fate == OTHER_TRACE for token in tokens)),
            ("malformed", any(token.fate == MALFORMED for token in tokens)),
            ("debug", said.get("ops.sampling") == "debug"),
            ("deny", said.get("ops.sampling") == "deny"),
            ("defer", said.get("ops.sampling") == "defer"),
            ("bare", said.get("ops.bare") is True),
            ("64-bit", said.get("ops.short") is True),
            ("retry", _number(said, "ops.retries") > 0),
            ("egress", bool(texts(said, "ops.withheld"))),
            ("linked", text(said, "ops.linked") not in ("", "none")),
            ("carry-over", bool(texts(said, "ops.carried"))),
        )
        if holds
    )
    notes |= dict.fromkeys(_NOTES[one] for one in texts(said, "ops.findings") if one in _NOTES)
    return list(notes)


def texts(said: Mapping[str, Any], key: str) -> list[str]:
    """A list of texts; empty for anything else."""
    value = said.get(key)
    return [one[:_LONGEST] for one in value if isinstance(one, str)] if isinstance(value, list) else []


def text(said: Mapping[str, Any], key: str) -> str:
    """A text; empty for anything else."""
    value = said.get(key)
    return value[:_LONGEST] if isinstance(value, str) else ""


def _number(said: Mapping[str, Any], key: str) -> int:
    value = said.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
