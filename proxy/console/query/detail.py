"""One request as its sidecar reported it: headers in groups, what was understood, and a verdict. PURE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ops_lib.propagation import KNOWN_FORMATS, Format, Propagator, Sampling
from proxy.console.store.exchanges import is_refused, text, texts
from proxy.explain.groups import Facts, Header, groups, verdict
from proxy.explain.names import loss_name
from proxy.explain.tokens import read_tokens

Answer = dict[str, Any]

_METHODS: Final = {
    "header": "a header that both have",
    "process": "the process that holds both connections",
    "single": "a single request in flight at the app",
}


def detail(row: Mapping[str, Any], said: Mapping[str, Any]) -> Answer:
    """What GET /requests/{id} adds to the Row. `said`: the attributes of the report."""
    came, went = _headers(said, "ops.headers.in"), _headers(said, "ops.headers.out")
    facts = _facts(said)
    found = groups(came, went, facts)
    extraction = Propagator(extract=_read(facts)).extract(_fields(came))
    record = extraction.context
    linked = facts.linked
    return {
        "groups": found,
        "passed": [{"name": name, "value": "", "masked": True} for name in texts(said, "ops.headers.other")],
        "added": [{"name": name, "value": ""} for name in texts(said, "ops.headers.added")],
        "removed": [],
        "response": [{"name": name, "value": "", "masked": True} for name in texts(said, "ops.headers.response")],
        "record": {
            "trace": record.trace_id,
            "span": record.span_id,
            "sampling": record.sampling.name.lower(),
            "short": record.short,
            "random": record.random,
            "parent": record.parent_id,
            "state": record.tracestate,
            **({"made": True} if facts.bare else {}),
        }
        if record is not None
        else None,
        "bare": _decision(extraction.decision),
        "conflicts": [
            {"winner": facts.winner, "loser": format, "trace": other.trace_id, "span": other.span_id}
            for format, other in extraction.conflicts
        ],
        "lost": list(dict.fromkeys(loss_name(what) for _, what in facts.lost)),
        "link": f"Joined to the request at the app by {_METHODS.get(linked, linked)}."
        if linked and linked != "none"
        else None,
        "timing": _timing(said),
        "findings": texts(said, "ops.findings"),
        "request_of": text(said, "ops.request.of") or None,
        "fault_detail": text(said, "ops.fault.detail") or None,
        "sentence": _sentence(row, said, facts, verdict(facts, found)),
    }


def _sentence(row: Mapping[str, Any], said: Mapping[str, Any], facts: Facts, told: str) -> str:
    if is_refused(said):
        return f"The sidecar answered itself, and nothing was sent on: {row['fault']}."
    if row["fault"]:
        return f"{told} The sidecar answered itself: {row['fault']}."
    return told


def _timing(said: Mapping[str, Any]) -> Answer | None:
    """In milliseconds, phase by phase; None: it never had a connection to the upstream, or its sidecar is older."""
    queue, connect, head = (_ms(said, f"ops.{phase}_us") for phase in ("queue", "connect", "head"))
    if queue is None:
        return None
    rest = (_ms(said, "ops.duration_us") or 0.0) - queue - (connect or 0.0) - (head or 0.0)
    body = max(0.0, round(rest, 3)) if head is not None else None  # whole microseconds, as they came
    return {"queue": queue, "connect": connect, "head": head, "body": body}


def _ms(said: Mapping[str, Any], key: str) -> float | None:
    value = said.get(key)
    return value / 1000 if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _facts(said: Mapping[str, Any]) -> Facts:
    lost = [one.partition(":") for one in texts(said, "ops.lost")]
    return Facts(
        tokens=read_tokens(texts(said, "ops.formats.read")),
        written=tuple(texts(said, "ops.formats.written")),
        winner=text(said, "ops.winner"),
        sampling=text(said, "ops.sampling"),
        bare=said.get("ops.bare") is True,
        has_own_span=bool(text(said, "ops.parent")),
        lost=tuple((format, what) for format, _, what in lost),
        carried=tuple(texts(said, "ops.carried")),
        linked=text(said, "ops.linked"),
        withheld=tuple(texts(said, "ops.withheld")),
        refused=tuple(texts(said, "ops.refused")),
        is_restarted=bool(text(said, "ops.link")),
    )


def _headers(said: Mapping[str, Any], key: str) -> list[Header]:
    found = [one.partition(": ") for one in texts(said, key)]
    return [(name, value) for name, _, value in found]


def _fields(headers: list[Header]) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for name, value in headers:
        fields.setdefault(name.lower(), []).append(value)
    return fields


def _read(facts: Facts) -> list[Format]:
    """The formats as the sidecar read them: the winner first."""
    read = [Format(token.format) for token in facts.tokens if token.is_valid and token.format in KNOWN_FORMATS]
    read.sort(key=lambda format: format != facts.winner)
    return read or [Format.TRACECONTEXT]


def _decision(decision: Sampling | None) -> str | None:
    return decision.name.lower() if decision is not None else None
