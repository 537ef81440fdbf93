"""Receipts: a FastAPI service with the `ops` library, which continues the trace and makes spans of its own.

    uvicorn receipts:app --host 127.0.0.1 --port 8080

What it answers has the shape of proxy/demo/hops.py.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from opentelemetry.trace import SpanKind

import ops_lib as ops

TRACE_HEADERS = ("traceparent", "tracestate", "baggage", "b3", "x-b3-", "uber-trace-id", "uberctx-", "x-mirascope-")

ops.configure(service_name="receipts")  # OTEL_EXPORTER_OTLP_ENDPOINT says where spans go
app = FastAPI()


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"service": "receipts"}


@ops.trace
async def write_receipt(item: str) -> str:
    return f"receipt for a {item}"


@app.post("/receipts")
async def receipts(request: Request) -> dict[str, Any]:
    """The last stop: what came in, as one hop."""
    with ops.propagated_context(extract_from=request.headers), ops.span("POST /receipts", kind=SpanKind.SERVER):
        await write_receipt("book")
        return {"hops": [hop(request)], "errors": []}


def hop(request: Request) -> dict[str, Any]:
    """What this service saw, and what the library understood."""
    saw = [[name, value] for name, value in request.headers.items() if name.startswith(TRACE_HEADERS)]
    parent = request.headers.get("traceparent", "---").split("-")
    session = ops.current_session()
    return {
        "service": "receipts",
        "speaks": "tracecontext",
        "path": request.url.path,
        "saw": saw,
        "trace_id": parent[1] or None,
        "span_id": parent[2] or None,
        "sampling": "accept" if parent[3] in ("01", "03") else "deny",
        "parent_id": None,
        "tracestate": request.headers.get("tracestate"),
        "session": session.id if session else None,
        "sent": [],
        "sent_span_id": None,
    }
