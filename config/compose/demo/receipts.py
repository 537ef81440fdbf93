"""Receipts: a FastAPI service with the `ops` library, which continues the trace and makes spans of its own.

    uvicorn receipts:app --host 127.0.0.1 --port 8080

STOCK names a gRPC service (stock.py) that is asked for each receipt: the sidecar's listener for it.
OTEL_EXPORTER_OTLP_ENDPOINT says where spans go. What it answers has the shape of proxy/demo/hops.py.
"""

from __future__ import annotations

import json
import os
from typing import Any

import grpc
from fastapi import FastAPI, Request, Response
from opentelemetry.trace import SpanKind

import ops_lib as ops

TRACE_HEADERS = ("traceparent", "tracestate", "baggage", "b3", "x-b3-", "uber-trace-id", "uberctx-", "x-mirascope-")
TIMEOUT_S = 10.0

ops.configure(service_name="receipts")
ops.instrument("grpc")  # before the channel is made: its calls carry the trace
app = FastAPI()
stock = grpc.insecure_channel(os.environ["STOCK"]) if os.environ.get("STOCK") else None


@app.get("/healthz")
def healthz() -> dict[str, str]:
    return {"service": "receipts"}


@ops.trace
def take_from_stock(item: str) -> list[dict[str, Any]]:
    """Asks the gRPC service; gives the hop that it tells."""
    if stock is None:
        return []
    answer: bytes = stock.unary_unary("/demo.Stock/Take")(item.encode(), timeout=TIMEOUT_S)
    return [json.loads(answer)]


@app.post("/receipts")
def receipts(request: Request, response: Response) -> dict[str, Any]:
    """What came in, as one hop, and what the stock service saw, as another."""
    with ops.propagated_context(extract_from=request.headers), ops.span("POST /receipts", kind=SpanKind.SERVER):
        hops = [hop(request)]
        try:
            hops += take_from_stock("book")
        except grpc.RpcError as error:
            response.status_code = 502
            return {"hops": hops, "errors": [f"receipts: stock did not answer: {error}"]}
        return {"hops": hops, "errors": []}


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
