"""One trace with its spans, its logs, and what is missing of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from proxy.console.intake.decode import SIDECAR_SCOPE
from proxy.console.intake.values import attributes, plain
from proxy.console.query.gaps import gaps, missing_spans
from proxy.console.query.ids import trace_bytes
from proxy.console.query.traces import COLUMNS, row_of
from proxy.console.query.words import duration, plural
from proxy.console.store.reader import Reader
from proxy.console.store.schema import SHIFT
from proxy.console.store.summary import GAP

Answer = dict[str, Any]

MOST_SPANS: Final = 20_000  # of one answer
MOST_LOGS: Final = 5_000
_KINDS: Final = ("internal", "internal", "server", "client", "producer", "consumer")
_STATUS: Final = ("unset", "ok", "error")
_WHY: Final = {
    "conflict": "Another format said another trace; this one lost.",
    "restart": "The caller's trace was not believed; a new one began here.",
    "candidate": "The app forwarded nothing; this request may be the one that made the call.",
}
_OF_RESOURCE: Final = ("service.instance.id", "service.version", "host.name", "k8s.pod.name", "deployment.environment")


def trace(reader: Reader, trace_id: str) -> Answer | None:
    """The trace as the page draws it; None: it is not here."""
    found = _find(reader, trace_id)
    if found is None:
        return None
    key, row = found
    stored = reader.all(
        "SELECT id, resource, scope, body FROM spans WHERE id >= ? AND id < ? LIMIT ?",
        (key << SHIFT, key + 1 << SHIFT, MOST_SPANS),
    )
    resources = _resources(reader, {one[1] for one in stored})
    start_ns = round(row["start"] * 1e6)
    spans: dict[str, Answer] = {}
    for _, resource, scope, body in stored:
        span = _span(Span.FromString(body), resources.get(resource, {}), scope, start_ns)
        spans.setdefault(span["id"], span)  # a batch that was sent twice
    truncated = max(0, row["spans_count"] - len(stored))
    _add_logs(reader, key, spans, start_ns)
    _add_requests(reader, row["id"], spans)
    missing = [] if truncated else missing_spans(spans)
    shown = [*missing, *spans.values()]
    if not truncated:
        row["notes"] = [*(note for note in row["notes"] if note != GAP), *([GAP] if gaps(missing) else [])]
    row["services"] = _services(spans.values())
    return {
        **row,
        "spans": sorted(shown, key=lambda span: span["start"]),
        "truncated": truncated,
        "sentence": _sentence(row, spans, missing, truncated),
    }


def _find(reader: Reader, trace_id: str) -> tuple[int, Answer] | None:
    """Its key and its row; None: it is not here."""
    wanted = trace_bytes(trace_id)
    if wanted is None:
        return None
    row = reader.one(f"SELECT started, key, {COLUMNS} FROM traces WHERE trace = ? AND spans > 0", (wanted,))
    return (row[1], row_of(row)) if row is not None else None


def _resources(reader: Reader, ids: Iterable[int]) -> dict[int, Answer]:
    found: dict[int, Answer] = {}
    wanted = list(ids)
    for at in range(0, len(wanted), 500):
        some = wanted[at : at + 500]
        marks = ", ".join("?" * len(some))
        rows = reader.all(f"SELECT id, service, body FROM resources WHERE id IN ({marks}) LIMIT 500", some)
        for number, service, body in rows:
            said = attributes(Resource.FromString(body).attributes)
            found[number] = {"service": service, "said": {k: said[k] for k in _OF_RESOURCE if k in said}}
    return found


def _span(span: Any, resource: Mapping[str, Any], scope: str, start_ns: int) -> Answer:
    said = attributes(span.attributes)
    made: Answer = {
        "id": span.span_id.hex(),
        "parent": span.parent_span_id.hex() or None,
        "service": resource.get("service", "unknown_service"),
        "name": span.name,
        "kind": _KINDS[span.kind] if span.kind < len(_KINDS) else "internal",
        "start": (span.start_time_unix_nano - start_ns) / 1e6,
        "ms": max(0, span.end_time_unix_nano - span.start_time_unix_nano) / 1e6,
        "status": _STATUS[span.status.code] if span.status.code < 3 else "unset",
        "attrs": {**said, **resource.get("said", {})},
        "events": [
            {
                "at": (event.time_unix_nano - span.start_time_unix_nano) / 1e6,
                "name": event.name,
                "attrs": attributes(event.attributes),
            }
            for event in span.events
        ],
        "links": [_link(link) for link in span.links],
        "scope": scope,
    }
    if span.status.message:
        made["message"] = span.status.message
    if span.trace_state:
        made["trace_state"] = span.trace_state
    if scope == SIDECAR_SCOPE:
        if " " not in span.name and (path := said.get("http.route") or said.get("url.path")):
            made["name"] = f"{span.name} {path}"
        made["in"] = said.get("ops.formats.read") or []
        made["out"] = said.get("ops.formats.written") or []
    return made


def _link(link: Any) -> Answer:
    said = attributes(link.attributes)
    reason = str(said.get("ops.link", ""))
    return {"trace": link.trace_id.hex(), "span": link.span_id.hex(), "why": _WHY.get(reason, reason or "A link."),
            "attrs": said}  # fmt: skip


def _add_logs(reader: Reader, key: int, spans: Mapping[str, Answer], start_ns: int) -> None:
    rows = reader.all(
        "SELECT body FROM logs WHERE id >= ? AND id < ? LIMIT ?", (key << SHIFT, key + 1 << SHIFT, MOST_LOGS)
    )
    for (body,) in rows:
        record = LogRecord.FromString(body)
        span = spans.get(record.span_id.hex())
        if span is not None:
            at = record.time_unix_nano or record.observed_time_unix_nano
            said = plain(record.body)
            span.setdefault("logs", []).append(
                {
                    "at": (at - start_ns) / 1e6,
                    "severity": record.severity_text or _severity(record.severity_number),
                    "body": said if isinstance(said, str) else "" if said is None else str(said),
                    "attrs": attributes(record.attributes),
                }
            )
    for span in spans.values():
        if "logs" in span:
            span["logs"].sort(key=lambda one: one["at"])


def _severity(number: int) -> str:
    """The names of logs.proto's ranges of four."""
    names = ("", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
    return names[min(6, (number + 3) // 4)]


def _add_requests(reader: Reader, trace_id: str, spans: Mapping[str, Answer]) -> None:
    rows = reader.all("SELECT rid, span FROM requests WHERE trace = ? LIMIT ?", (bytes.fromhex(trace_id), MOST_SPANS))
    for rid, span_id in rows:
        span = spans.get(span_id.hex()) if span_id is not None else None
        if span is not None:
            span["request"] = rid


def _services(spans: Iterable[Answer]) -> list[Answer]:
    counted: dict[str, int] = {}
    for span in spans:
        counted[span["service"]] = counted.get(span["service"], 0) + 1
    return [{"name": name, "spans": number} for name, number in counted.items()]


def _sentence(row: Answer, spans: Mapping[str, Answer], missing: list[Answer], truncated: int) -> str:
    said = f"{duration(row['ms'])}, {plural(len(spans), 'span')} of {plural(len(row['services']), 'service')}"
    failed = [span for span in spans.values() if span["status"] == "error"]
    if failed:
        parents = {span["parent"] for span in failed}
        origin = next((span for span in failed if span["id"] not in parents), failed[0])
        said += f"; the first error began at {origin['service']}, {origin['name']}"
    inside = gaps(missing)
    if len(inside) < len(missing):
        said += "; it began at a caller that sent no span"
    if inside:
        said += f"; {plural(len(inside), 'parent was', 'parents were')} never reported"
    if truncated:
        said += f"; {plural(truncated, 'further span is', 'further spans are')} not shown"
    return said + "."
