"""One trace as OTLP, as it came: what GET /traces/{id}?format=otlp gives, and any OTLP receiver reads."""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from proxy.console.intake.otlp_json import write_json
from proxy.console.query.ids import trace_bytes
from proxy.console.query.trace import MOST_SPANS
from proxy.console.store.reader import Reader
from proxy.console.store.schema import SHIFT


def download(reader: Reader, trace_id: str) -> dict[str, Any] | None:
    """OTLP/JSON; None: the trace is not here."""
    wanted = trace_bytes(trace_id)
    if wanted is None:
        return None
    found = reader.one("SELECT key FROM traces WHERE trace = ? AND spans > 0", (wanted,))
    if found is None:
        return None
    (key,) = found
    rows = reader.all(
        "SELECT resource, scope, body FROM spans WHERE id >= ? AND id < ? LIMIT ?",
        (key << SHIFT, key + 1 << SHIFT, MOST_SPANS),
    )
    request = ExportTraceServiceRequest()
    groups: dict[int, Any] = {}
    scopes: dict[tuple[int, str], Any] = {}
    seen: set[bytes] = set()
    for resource, scope, body in rows:
        if body in seen:  # a batch that was sent twice
            continue
        seen.add(body)
        if resource not in groups:
            (stored,) = reader.one("SELECT body FROM resources WHERE id = ?", (resource,)) or (b"",)
            groups[resource] = request.resource_spans.add()
            groups[resource].resource.ParseFromString(stored)
        if (resource, scope) not in scopes:
            scopes[resource, scope] = groups[resource].scope_spans.add()
            scopes[resource, scope].scope.name = scope
        scopes[resource, scope].spans.add().ParseFromString(body)
    return write_json(request)
