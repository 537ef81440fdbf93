"""Answers for agents: each question as a text that is bounded, with a link to the page. The words are the API's.

An agent pays for every token. An answer has at most `MOST_CHARACTERS`: with ids and digits less than 2,000 tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from proxy.cli.views.client import Console
from proxy.cli.views.tables import cut, hop, length, printable
from proxy.cli.views.trace import in_order

MOST_CHARACTERS: Final = 4_000
_MOST_LIMIT: Final = 25
_FIELDS: Final = ("http.request.method", "url.path", "http.response.status_code", "error.type", "exception.message")


def traces(console: Console, filter: str, limit: int) -> str:
    """Traces that fit, newest first."""
    said = console.get("/traces", q=filter, limit=_within(limit))
    rows = [
        f"{row['id']} {length(row['ms'])}, {row['errors']} errors, {row['root']['service']} {cut(row['title'], 60)}"
        f"{_notes(row)}"
        for row in said["items"]
    ]
    return bounded([said["error"], said["sentence"], *rows], console.page(f"/traces?q={filter}"))


def trace(console: Console, trace_id: str) -> str:
    """The spans of one trace, as a tree; errors first to be said."""
    said = console.get(f"/traces/{trace_id}")
    if said is None:
        return f"The trace {cut(trace_id, 40)} is not at this console."
    spans = [
        f"{'  ' * min(depth, 10)}{_status(span)}{span['service']} {span['name']} {length(span['ms'])}"
        f"{_formats(span)}{_facts(span)}"
        for depth, span in in_order(said["spans"])
    ]
    logs = [
        f"log of {span['name']}: {cut(one['body'], 120)}" for span in said["spans"] for one in span.get("logs", ())[:3]
    ]
    return bounded([said["sentence"], *spans, *logs[:10]], console.page(f"/traces/{said['id']}"))


def requests(console: Console, filter: str, limit: int) -> str:
    """Requests as sidecars saw them, with the formats in and out."""
    said = console.get("/requests", q=filter, limit=_within(limit))
    rows = [
        f"{row['id']} {row['from'] or '?'} -> {row['to'] or '?'} {row['method']} {cut(row['target'], 60)} "
        f"{row['status'] or 'cut'} {length(row['ms'])} [{hop(row['in'], row['out'])}]{_notes(row)}"
        for row in said["items"]
    ]
    return bounded([said["error"], said["sentence"], *rows], console.page(f"/live?q={filter}"))


def request(console: Console, request_id: str) -> str:
    """Why the headers of one request came out as they did."""
    said = console.get(f"/requests/{request_id}")
    if said is None:
        return f"The request {cut(request_id, 40)} is not at this console."
    lines = [said["sentence"]]
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
        lines.append(f"{one['sentence']} {one['bad']:,} of {one['of']:,} calls. {one['saved']} Cure: {one['fix']}")
    lines += [f"{one['name']}: {one['sentence']}" for one in said["services"]]
    return bounded(lines, console.page("/doctor"))


def migration(console: Console) -> str:
    """What can be switched off."""
    said = console.get("/migration")
    lines = [said["sentence"], said["gap"] if said["gap"] != said["sentence"] else None]
    for one in said["verdicts"]:
        lost = f" Would be lost: {'; '.join(one['lost'])}." if one["lost"] else ""
        lines.append(f"{one['sentence']} {one['why']}{lost} Setting: {one['change']}")
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
    lines += [f"sidecar {one.get('service')} {one.get('instance')}" for one in said["sidecars"]]
    return bounded(lines, console.page("/settings"))


def bounded(lines: Iterable[str | None], link: str) -> str:
    """As many lines as fit, how many are missing, and the link."""
    kept: list[str] = []
    room = MOST_CHARACTERS - len(link) - 60
    said = [printable(line) for line in lines if line]
    for number, line in enumerate(said):
        line = cut(line, 600)
        if len(line) + 1 > room:
            kept.append(f"({len(said) - number} more lines; narrow the question, or open the page)")
            break
        room -= len(line) + 1
        kept.append(line)
    return "\n".join([*kept, f"Page: {cut(link, 300)}"])


def _within(limit: int) -> int:
    return max(1, min(_MOST_LIMIT, limit))


def _status(span: Mapping[str, Any]) -> str:
    return "ERROR " if span["status"] == "error" else "MISSING " if span.get("missing") else ""


def _formats(span: Mapping[str, Any]) -> str:
    return f" [{hop(span.get('in', ()), span.get('out', ()))}]" if span.get("in") or span.get("out") else ""


def _facts(span: Mapping[str, Any]) -> str:
    if span["status"] != "error":
        return ""
    said = [f"{key}={cut(str(span['attrs'][key]), 80)}" for key in _FIELDS if key in span["attrs"]]
    message = span.get("message")
    return " " + ", ".join([*said, *([cut(message, 120)] if message else [])])


def _notes(row: Mapping[str, Any]) -> str:
    return f" ({', '.join(row['notes'])})" if row["notes"] else ""


def _header(one: Mapping[str, Any]) -> str:
    return f"{one['name']}: {''.join(part['text'] for part in one['parts'])}"
