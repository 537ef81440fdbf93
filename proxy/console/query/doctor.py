"""Who breaks traces: of each service one sentence, and its proof.

A sidecar sees both sides of its app. It counts what each call should have brought along, and what was missing.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from proxy.console.query.reported.checks import BY_KEY, CHECKS, FAIL, OK, WARN, Check, state, told, unread_told
from proxy.console.query.reported.peers import Peers
from proxy.console.query.words import plural
from proxy.console.store.exchanges import text
from proxy.console.store.reader import Reader
from proxy.console.store.report_counts import DAY_MS, HOUR_MS
from proxy.console.store.requests import COLUMNS, read_row
from proxy.explain.names import formats, listed
from proxy.explain.tokens import MALFORMED, OTHER_TRACE, UNREAD, read_tokens

Answer = dict[str, Any]

WINDOW_HOURS: Final = 24
_MOST_SERVICES: Final = 500
_MOST_ROWS: Final = 50_000
_PROOFS: Final = 3
_LOOKED: Final = 200  # rows of which it is seen whether they were repaired
_MOST_PEERS: Final = 50


@dataclass
class _Service:
    """What was counted of one app."""

    counts: dict[str, int] = field(default_factory=dict)
    seen: dict[str, tuple[int, int]] = field(default_factory=dict)
    speaks: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)
    given: set[str] = field(default_factory=set)
    requests: int = 0

    def sum(self, names: Sequence[str]) -> int:
        return sum(self.counts.get(name, 0) for name in names)

    def when(self, names: Sequence[str]) -> tuple[int, int]:
        """First and last of those that were counted: one at least."""
        times = [self.seen[name] for name in names if name in self.seen]
        return min(first for first, _ in times), max(last for _, last in times)


def doctor(reader: Reader, now_ns: int, *, hours: int = WINDOW_HOURS) -> Answer:
    """`hours`: the window."""
    now_ms = now_ns // 1_000_000
    since_ms = now_ms - hours * HOUR_MS
    services = _counted(reader, since_ms)
    peers = Peers(reader)
    callers = _formats(reader, services, peers, since_ms)
    findings = [
        finding
        for name, service in services.items()
        for check in CHECKS
        if (finding := _finding(reader, check, name, service, since_ms)) is not None
    ]
    findings += _of_callers(reader, callers, services, since_ms)
    findings.sort(key=lambda one: (one["severity"] != FAIL, -one["bad"]))
    return {
        "window": {"from": since_ms, "to": now_ms, "requests": sum(one.requests for one in services.values())},
        "checks": [[check.key, check.label, check.meaning] for check in CHECKS],
        "services": [_service(name, one) for name, one in services.items()],
        "findings": findings,
        "sentence": _sentence(services, findings, hours),
    }


def _counted(reader: Reader, since_ms: int) -> dict[str, _Service]:
    found = {
        name: _Service()
        for (name,) in reader.all("SELECT DISTINCT service FROM sidecars ORDER BY service LIMIT ?", (_MOST_SERVICES,))
    }
    rows = reader.all(
        "SELECT service, name, sum(count), min(first), max(last) FROM call_hours WHERE hour >= ? AND last >= ? "
        "GROUP BY service, name LIMIT ?",
        (since_ms // HOUR_MS, since_ms, _MOST_ROWS),
    )
    for service, name, count, first, last in rows:
        one = found.setdefault(service, _Service())
        one.counts[name] = count
        one.seen[name] = first, last
    return found


def _formats(
    reader: Reader, services: dict[str, _Service], peers: Peers, since_ms: int
) -> dict[tuple[str, str, str], dict[str, list[int]]]:
    """Who sent what that was not read, or two stories: (peer, service, fate) -> format -> count, first, last."""
    callers: dict[tuple[str, str, str], dict[str, list[int]]] = {}
    rows = reader.all(
        "SELECT service, leg, kind, peer, read, written, sum(count), min(first), max(last) FROM format_days "
        "WHERE day >= ? AND last >= ? GROUP BY service, leg, kind, peer, read, written LIMIT ?",
        (since_ms // DAY_MS, since_ms, _MOST_ROWS),
    )
    for service, leg, kind, peer, read, written, count, first, last in rows:
        one = services.setdefault(service, _Service())
        tokens = read_tokens(read.split(","))
        if leg == "call":
            continue
        if leg == "out":
            one.speaks |= {token.format for token in tokens if token.is_valid}
            one.unread |= {token.format for token in tokens if token.fate == UNREAD}
        else:
            one.requests += count
            one.given |= set(written.split(",")) - {""}
        who = peers.name(kind, peer) if leg == "in" else service
        is_known = any(token.is_valid for token in tokens)
        for token in tokens:
            wrong = token.fate == MALFORMED or (leg == "in" and token.fate == OTHER_TRACE)
            if wrong or (leg == "in" and token.fate == UNREAD and not is_known):
                counted = callers.setdefault((who, service, token.fate), {}).setdefault(token.format, [0, first, last])
                counted[0] += count
                counted[1] = min(counted[1], first)
                counted[2] = max(counted[2], last)
    return callers


def _finding(reader: Reader, check: Check, name: str, service: _Service, since_ms: int) -> Answer | None:
    bad, of = service.sum(check.findings), service.sum(check.of)
    if not bad:
        return None
    of = max(of, bad)
    first, last = service.when(check.findings)
    proof, repaired, looked = _proof(reader, check, name, since_ms)
    last_hop = _last_hop(reader, name, proof)
    return {
        "service": name,
        "check": check.key,
        "key": f"{name}:{check.key}",
        "severity": FAIL if state(bad, of) == FAIL else WARN,
        "sentence": told(check, name, bad, of, service.counts),
        "bad": bad,
        "of": of,
        "counted": "calls",
        "first": first,
        "last": last,
        "repaired": "none" if not repaired else "all" if repaired == looked else "some",
        "saved": _saved(check, repaired, looked),
        "fix": _fix(check, name, service),
        "breaks": last_hop,
        "proof": proof,
    }


def _saved(check: Check, repaired: int, looked: int) -> str:
    if "{repaired}" not in check.saved:
        return check.saved
    if not looked:
        return ""
    return check.saved.format(repaired=f"{repaired:,}", looked=f"{looked:,}")


def _fix(check: Check, name: str, service: _Service) -> str:
    if check.key == "format" and service.unread:
        return f"outbound.propagation.extract of {name}'s sidecar: add {', '.join(sorted(service.unread))}."
    if check.key == "same" and service.speaks and service.given and not service.speaks & service.given:
        spoken = sorted(service.speaks)
        return (
            f"{name} is given {formats(sorted(service.given))} and speaks {formats(spoken)}: perhaps it reads "
            f"nothing else. Try inbound.propagation.inject: [{', '.join(spoken)}]."
        )
    return check.cure


def _proof(reader: Reader, check: Check, name: str, since_ms: int) -> tuple[list[Answer], int, int]:
    """The newest rows that show it; how many of those looked at were repaired."""
    notes = [check.note, *(["lost-session"] if check.key == "baggage" else [])]
    test = " OR ".join("instr(notes, ?) > 0" for _ in notes)
    rows = reader.all(
        f"SELECT {COLUMNS} FROM requests WHERE sidecar = ? AND leg = 'out' AND at >= ? AND ({test}) "
        "ORDER BY at DESC LIMIT ?",
        (name, since_ms * 1_000_000, *(f" {note} " for note in notes), _LOOKED),
    )
    found = [read_row(row) for row in rows]
    repaired = sum(check.repairs in row["notes"] for row in found) if check.repairs else 0
    return found[:_PROOFS], repaired, len(found)


def _last_hop(reader: Reader, name: str, proof: Sequence[Mapping[str, Any]]) -> Answer | None:
    """Where the trace still was: the request at the app that the newest call belongs to."""
    for row in proof:
        (packed,) = reader.one("SELECT detail FROM requests WHERE rid = ?", (row["id"],)) or (None,)
        if packed is None:
            continue
        of = text(json.loads(zlib.decompress(packed)).get("report", {}), "ops.request.of")
        found = reader.one(f"SELECT {COLUMNS} FROM requests WHERE rid = ?", (of,)) if of else None
        if found is not None:
            before = read_row(found)
            spoken = f" in {formats(before['in'])}" if before["in"] else ""
            sentence = f"The last hop that had it: {before['from']} → {name}{spoken}. It breaks inside {name}."
            return {"request": before, "sentence": sentence}
    return None


def _of_callers(
    reader: Reader,
    callers: Mapping[tuple[str, str, str], Mapping[str, Sequence[int]]],
    services: Mapping[str, _Service],
    since_ms: int,
) -> list[Answer]:
    """What peers send, as the one that they call sees it."""
    findings = []
    for (who, at, fate), counted in sorted(callers.items(), key=lambda one: -max(c[0] for c in one[1].values())):
        names = sorted(counted)
        bad = max(one[0] for one in counted.values())
        check = BY_KEY["once" if fate == OTHER_TRACE else "format"]
        if who in services and who != at and services[who].sum(check.findings):
            continue  # told of itself, with better proof
        note = {OTHER_TRACE: "conflict", MALFORMED: "malformed"}.get(fate, "untraced")
        if fate == OTHER_TRACE:
            sentence = f"{who} hands {at} two different traces: {plural(bad, 'request')}."
            fix = "Two tracers write headers there. Ask for one, or let propagation.extract name the one to believe."
        elif fate == MALFORMED:
            sentence = f"{who} sends {formats(names)} that cannot be read: {plural(bad, 'request')}."
            fix = "The request says which part is wrong."
        else:
            sentence = unread_told(who, at, names, bad)
            fix = f"inbound.propagation.extract of {at}'s sidecar: add {', '.join(names)}."
        findings.append(
            {
                "service": who,
                "at": at,
                "check": check.key,
                "key": f"{who}:{at}:{check.key}:{note}",
                "severity": WARN,
                "sentence": sentence,
                "bad": bad,
                "of": max(bad, services[at].requests if at in services else bad),
                "counted": "requests",
                "first": max(since_ms, min(one[1] for one in counted.values())),
                "last": max(one[2] for one in counted.values()),
                "repaired": "all" if fate == OTHER_TRACE else "none",
                "saved": check.saved if fate == OTHER_TRACE else "",
                "fix": fix,
                "breaks": None,
                "proof": _inbound_proof(reader, at, who, note, since_ms),
            }
        )
    return findings[:_MOST_PEERS]


def _inbound_proof(reader: Reader, at: str, who: str, note: str, since_ms: int) -> list[Answer]:
    test, values = ("trace IS NULL", []) if note == "untraced" else ("instr(notes, ?) > 0", [f" {note} "])
    rows = reader.all(
        f"SELECT {COLUMNS} FROM requests WHERE sidecar = ? AND source = ? AND at >= ? AND {test} "
        "ORDER BY at DESC LIMIT ?",
        (at, who, since_ms * 1_000_000, *values, _PROOFS),
    )
    return [read_row(row) for row in rows]


def _service(name: str, service: _Service) -> Answer:
    checks = {}
    for check in CHECKS:
        bad = service.sum(check.findings)
        of = max(service.sum(check.of), bad)
        checks[check.key] = {"state": state(bad, of), "bad": bad, "of": of}
    return {
        "name": name,
        "sentence": _about(service, checks),
        "runtime": "",
        "speaks": sorted(service.speaks),
        "calls": service.sum(("examined",)),
        "checks": checks,
    }


def _about(service: _Service, checks: Mapping[str, Mapping[str, Any]]) -> str:
    ill = sorted(
        (check for check in CHECKS if checks[check.key]["state"] in (FAIL, WARN)),
        key=lambda check: (checks[check.key]["state"] != FAIL, -checks[check.key]["bad"]),
    )
    if ill:
        said = listed(check.does + ("" if checks[check.key]["state"] == FAIL else " now and then") for check in ill[:3])
        return said[0].upper() + said[1:] + "."
    if any(one["state"] == OK for one in checks.values()):
        spoken = f", in {formats(sorted(service.speaks))}" if service.speaks else ""
        return f"Passes on all that it gets{spoken}."
    if service.requests:
        return "Calls nobody by way of its sidecar, so there is nothing to compare."
    return "No request has come in this time."


def _sentence(services: Mapping[str, _Service], findings: Sequence[Mapping[str, Any]], hours: int) -> str:
    if not services:
        return "No sidecar reports yet. Set console.report.endpoint at one."
    ill = list(dict.fromkeys(one["service"] for one in findings))
    calls = sum(one.sum(("examined",)) for one in services.values())
    looked = f"{plural(calls, 'call')} of {plural(len(services), 'service')} in {hours} hours"
    if not ill:
        return f"Nobody breaks a trace: {looked} were looked at." if calls else f"Nothing to find yet: {looked}."
    who = listed(ill) if len(ill) < 4 else f"{', '.join(ill[:3])} and {len(ill) - 3} more"
    verb = "breaks" if len(ill) == 1 else "break"
    return f"{who} {verb} traces: {plural(len(findings), 'finding')}, {looked}."
