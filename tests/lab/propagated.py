"""A trace in headers, what the library reads of it, and what it writes."""

from __future__ import annotations

from typing import Any

from opentelemetry import trace as otel_trace
from opentelemetry.context import Context

import ops_lib as ops

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE_ID}-{SPAN_ID}-01"


def ids(context: Context) -> tuple[str, str]:
    """Trace id and span id of what is in force there, in hex digits."""
    found = otel_trace.get_current_span(context).get_span_context()
    return f"{found.trace_id:032x}", f"{found.span_id:016x}"


def injected(context: Context | None = None, **options: Any) -> dict[str, str]:
    """The headers that a propagator with these options writes: for `context`, or for what is in force."""
    headers: dict[str, str] = {}
    ops.ContextPropagator(**options).inject_context(headers, context)
    return headers
