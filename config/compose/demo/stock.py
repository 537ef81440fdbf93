"""Stock: an old gRPC service that knows one kind of trace metadata, x-b3-traceid and so on, and passes nothing on.

    python stock.py 127.0.0.1:8080        demo.Stock/Take: bytes in, JSON out

What it answers has the shape of a hop in proxy/demo/hops.py. Messages are plain bytes: no generated code is needed.
"""

from __future__ import annotations

import json
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc

TRACE_METADATA = (
    "traceparent",
    "tracestate",
    "baggage",
    "b3",
    "x-b3-",
    "uber-trace-id",
    "grpc-trace-bin",
    "x-mirascope-",
)
STOP_S = 5.0


def take(request: bytes, context: grpc.ServicerContext) -> bytes:
    """One item less; tells what came with the call."""
    metadata = [(name, value) for name, value in context.invocation_metadata() if isinstance(value, str)]
    known = dict(metadata)
    decision = {"1": "accept", "0": "deny"}.get(known.get("x-b3-sampled", ""), "defer")
    hop = {
        "service": "stock",
        "speaks": "b3multi",
        "path": "/demo.Stock/Take",
        "saw": [list(pair) for pair in metadata if pair[0].startswith(TRACE_METADATA)],
        "trace_id": known.get("x-b3-traceid"),
        "span_id": known.get("x-b3-spanid"),
        "sampling": "debug" if known.get("x-b3-flags") == "1" else decision,
        "parent_id": known.get("x-b3-parentspanid"),
        "tracestate": None,
        "session": known.get("x-mirascope-session-id"),
        "sent": [],
        "sent_span_id": None,
    }
    return json.dumps(hop).encode()


def main(listen: str) -> None:
    """Serve until SIGTERM."""
    handlers = grpc.method_handlers_generic_handler("demo.Stock", {"Take": grpc.unary_unary_rpc_method_handler(take)})
    server = grpc.server(ThreadPoolExecutor(4), handlers=[handlers])
    server.add_insecure_port(listen)
    server.start()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    server.stop(STOP_S).wait()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main(*sys.argv[1:])
