"""The spans that the demo's services report of themselves: OTLP as JSON, to whatever collector is named.

Old tracers sent other forms to other collectors. This stands for them: a trace has no gap where a service made a span.
A collector that is gone changes nothing.
"""

from __future__ import annotations

from typing import Any

import aiohttp

from proxy.demo.dialects import Span

REPORT_TIMEOUT_S = 5.0
_SERVER = 2  # SpanKind


def document(service: str, name: str, span: Span, start_ns: int, end_ns: int) -> dict[str, Any]:
    """One server span, as `POST /v1/traces` takes it. `span` is the service's own."""
    told = {
        "traceId": span.trace_id.rjust(32, "0"),
        "spanId": span.span_id,
        "parentSpanId": span.parent_id,
        "name": name,
        "kind": _SERVER,
        "startTimeUnixNano": str(start_ns),
        "endTimeUnixNano": str(end_ns),
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "demo"}, "spans": [told]}]}]}


async def report(session: aiohttp.ClientSession, collector: str, content: dict[str, Any]) -> bool:
    """Send it to `collector`, the base URL of an OTLP receiver. Whether that took it."""
    timeout = aiohttp.ClientTimeout(total=REPORT_TIMEOUT_S)
    try:
        async with session.post(f"{collector.rstrip('/')}/v1/traces", json=content, timeout=timeout) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
