"""Answers for agents: each question as a text that is bounded, with a link to the page. The words are the API's.

An agent pays for every token. An answer has at most `MOST_BYTES` in UTF-8: less than 2,000 tokens with ids and digits,
and in scripts of which each character is a token.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

from proxy.cli.views.client import Console
from proxy.cli.views.tables import clock, counted, cut, hop, length, printable
from proxy.cli.views.trace import in_order

MOST_BYTES: Final = 4_000
_MOST_LIMIT: Final = 25
_FEW_SPANS: Final = 30  # of more, errors are told first: the tree may be cut
_FIELDS: Final = ("http.request.method", "url.path", "http.response.status_code", "error.type", "exception.message")


def traces(console: Console, filter: str, limit: int) -> str:
    """Traces that fit, newest first."""
    said = console.get("/traces", q=filter, limit=_within(limit))
    rows = [_trace_line(row) for row in said["items"]]
    return bounded([said["error"], said["sentence"], *rows], console.page("/traces", q=filter))


def trace(console: Console, trace_id: str) -> str:
    """The spans of one trace, as a tree; errors first to be said."""
    said = console.get(f"/traces/{quote(trace_id, safe='')}")
    if said is None:
        return f"The trace {cut(trace_id, 40)} is not at this console."
    errors = [
        f"ERROR in {span['service']} {span['name']} {length(span['ms'])}{_facts(span)}"
        for span in said["spans"]
        if span["status"] == "error"
    ]
    spans = [
        f"{'  ' * min(depth, 10)}{_status(span)}{span['service']} {span['name']} {length(span['ms'])}"
        f"{_formats(span)}{_facts(span)}"
        for depth, span in in_order(said["spans"])
    ]
    first = errors[:10] if len(spans) > _FEW_SPANS else []
    logs = [
        f"log of {span['name']}: {cut(one['body'], 120)}" for span in said["spans"] for one in span.get("logs", ())[:3]
    ]
    return bounded([said["sentence"], *first, *spans, *logs[:10]], console.page(f"/traces/{said['id']}"))


def requests(console: Console, filter: str, limit: int) -> str:
    """Requests as sidecars saw them, with the formats in and out."""
    said = console.get("/requests", q=filter, limit=_within(limit))
    rows = [
        f"{row['id']} {row['from'] or '?'} -> {row['to'] or '?'} {row['method']} {cut(row['target'], 60)} "
        f"{row['status'] or 'cut'} {length(row['ms'])} [{hop(row['in'], row['out'])}]{_notes(row)}"
        for row in said["items"]
    ]
    return bounded([said["error"], said["sentence"], *rows], console.page("/live", q=filter))


def request(console: Console, request_id: str) -> str:
    """Why the headers of one request came out as they did."""
    said = console.get(f"/requests/{quote(request_id, safe='')}")
    if said is None:
        return f"The request {cut(request_id, 40)} is not at this console."
    lines = [said["sentence"], said.get("fault_detail"), _timing(said)]
    for group in said["groups"]:
        lines.append(f"{group['verdict']}: {group['title']}. {' '.join(group['why'])}")
        lines += [f"  in  {_header(one)}" for one in group["ins"]]
        lines += [f"  out {_header(one)}" for one in group["outs"]]
    return bounded(lines, console.page(f"/requests/{said['id']}"))


def doctor(console: Console) -> str:
    """Who breaks traces, and what to set."""
    said = console.get("/doctor")
    lines = [said["sentence"]]
    for one in said["findings"]:
        saved = f" {one['saved']}" if one["saved"] else ""
        lines.append(f"{one['sentence']} {one['bad']:,} of {one['of']:,} {one['counted']}.{saved} Cure: {one['fix']}")
    lines += [f"{one['name']}: {one['sentence']}" for one in said["services"]]
    return bounded(lines, console.page("/doctor"))


def migration(console: Console) -> str:
    """What can be switched off."""
    said = console.get("/migration")
    lines = [said["sentence"], said["gap"] if said["gap"] != said["sentence"] else None]
    for one in said["verdicts"]:
        lost = f" Would be lost: {'; '.join(one['lost'])}." if one["lost"] else ""
        lines.append(f"{one['sentence']} {one['why']}{lost} Setting: {one['change']}")
    lines += [f"Shadow: {one['sentence']}" for one in said["shadow"]]
    return bounded(lines, console.page("/migration"))


def explain(console: Console, headers: str) -> str:
    """What pasted headers say, and what would go out."""
    said = console.post("/explain", {"text": headers})
    lines = [said["error"], said["sentence"]]
    lines += [f"{one['format']}: {one['verdict']}" for one in said["says"] if not one.get("absent")]
    lines += [f"{group['title']}. {' '.join(group['why'])}" for group in said["groups"]]
    for one in said["to"]:
        lines.append(f"{one['sidecar']} to {one['name']}:")
        lines += [f"  {_header(header)}" for header in one["headers"]]
        lines += [f"  cannot be said: {'; '.join(one['lost'])}"] if one["lost"] else []
    return bounded(lines, console.page("/explain"))


def health(console: Console) -> str:
    """How the console and its sidecars are."""
    said = console.get("/health")
    store = said["console"]["store"]
    lines = [said["sentence"], f"store: {store['bytes']:,} of {store['limit_bytes']:,} bytes, {store['kind']}"]
    lines += [f"refused {number}: {what}" for what, number in said["console"]["refused"].items()]
    lines += [f"sidecar {sidecar_line(one)}" for one in said["sidecars"]]
    return bounded(lines, console.page("/settings"))


def sessions(console: Console, filter: str, limit: int) -> str:
    """Sessions, by their last trace."""
    said = console.get("/sessions", q=filter, limit=_within(limit))
    rows = [
        f"{cut(row['id'], 80)}: {counted(row['traces'], 'trace')}, {counted(row['requests'], 'request')}, "
        f"{counted(row['errors'], 'error')}, over {length(row['last'] - row['first'])}, "
        f"{', '.join(row['services'][:8])}"
        for row in said["items"]
    ]
    return bounded([said["error"], said["sentence"], *rows], console.page("/sessions", q=filter))


def session(console: Console, name: str) -> str:
    """What one session did, in order of time."""
    said = console.get(f"/sessions/{quote(name, safe='')}")
    if said is None:
        return f"The session {cut(name, 80)} is not at this console."
    rows = [
        f"{clock(row['start'])} {_trace_line(row)}"
        for row in sorted(said["traces"], key=lambda row: float(row["start"]))
    ]
    return bounded([said["sentence"], *rows], console.page(f"/sessions/{quote(name, safe='')}"))


def settings(console: Console, service: str) -> str:
    """What is set at each sidecar, other than by default, and by whom."""
    said = console.get("/settings")
    lines = [said["sentence"]]
    for one in said["sidecars"]:
        if service and service.lower() not in one["service"].lower():
            continue
        lines.append(f"{one['service']} {one['instance']} {one['version']}:")
        lines += [
            f"  {entry['key']}={cut(entry['value'], 120)} ({entry['where'] or entry['source']})"
            for entry in one["settings"]
            if entry["source"] != "default"
        ]
        lines += [
            f"  refused reload: {cut(each['message'], 200)}" for each in one["health"]["reloads"] if not each["ok"]
        ]
    return bounded(lines, console.page("/settings"))


def sidecar_line(one: Mapping[str, Any]) -> str:
    """How one sidecar is, in a line."""
    facts = [
        (one["silent"] or "").rstrip(".") or ("" if one["running"] else "ended"),
        f"{one['requests_per_s']:g} requests/s" if one["requests_per_s"] is not None else "",
        f"p99 ≤ {length(one['p99_ms'])}" if one["p99_ms"] is not None else "",
        f"{one['overhead_us']} µs CPU each" if one["overhead_us"] is not None else "",
        f"{one['rss_mb']:g} MB",
        "" if one["ready"] or not one["running"] else "not ready",
    ]
    return f"{one['service']} {one['instance']}: {', '.join(fact for fact in facts if fact)}"


def bounded(lines: Iterable[str | None], link: str) -> str:
    """As many lines as fit, how many are missing, and the link."""
    kept: list[str] = []
    link = cut(link, 300)
    room = MOST_BYTES - len(link.encode()) - 80
    said = [printable(line) for line in lines if line]
    for number, line in enumerate(said):
        line = cut(line, 600)
        if len(line.encode()) + 1 > room:
            kept.append(f"({len(said) - number} more lines; narrow the question, or open the page)")
            break
        room -= len(line.encode()) + 1
        kept.append(line)
    return "\n".join([*kept, f"Page: {link}"])


def _within(limit: int) -> int:
    return max(1, min(_MOST_LIMIT, limit))


def _status(span: Mapping[str, Any]) -> str:
    if span.get("missing"):
        return "OUTSIDE " if span.get("outside") else "MISSING "
    return "ERROR " if span["status"] == "error" else ""


def _formats(span: Mapping[str, Any]) -> str:
    return f" [{hop(span.get('in', ()), span.get('out', ()))}]" if span.get("in") or span.get("out") else ""


def _facts(span: Mapping[str, Any]) -> str:
    if span["status"] != "error":
        return ""
    said = [f"{key}={cut(str(span['attrs'][key]), 80)}" for key in _FIELDS if key in span["attrs"]]
    message = span.get("message")
    facts = [*said, *([cut(message, 120)] if message else [])]
    return f" {', '.join(facts)}" if facts else ""


def _trace_line(row: Mapping[str, Any]) -> str:
    root = f"{row['root']['service']} {cut(row['title'], 60)}"
    return f"{row['id']} {length(row['ms'])}, {counted(row['errors'], 'error')}, {root}{_notes(row)}"


def _notes(row: Mapping[str, Any]) -> str:
    return f" ({', '.join(row['notes'])})" if row["notes"] else ""


def _timing(said: Mapping[str, Any]) -> str | None:
    phases = said["timing"] or {}
    told = [f"{phase} {length(ms)}" for phase, ms in phases.items() if ms is not None]
    return f"Time {length(said['ms'])}: {', '.join(told)}." if told else None


def _header(one: Mapping[str, Any]) -> str:
    return f"{one['name']}: {''.join(part['text'] for part in one['parts'])}"
