"""How each demo service reads and writes its trace headers: the few lines that real services have.

Pure. Must not use `ops_lib` or `proxy`: these are the *other* side of the wire, and so they check ours.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

SESSION = "X-Mirascope-Session-Id"

# All possible trace, baggage and session headers: a service also shows those that it should not have received.
_TRACE_HEADER = re.compile(
    r"traceparent|tracestate|baggage|b3|x[-_]b3[-_].*|uber[-_]trace[-_]id|uberctx[-_].*|jaeger[-_].*"
    r"|(x[-_])?mirascope[-_]session[-_]id",
    re.IGNORECASE,
)

Headers = tuple[tuple[str, str], ...]


class Span(NamedTuple):
    """The place of a service in the trace, spelled as in its format."""

    trace_id: str
    span_id: str
    sampling: str  # "accept", "deny", "debug", "defer", if the format can say it
    parent_id: str = ""
    state: str = ""  # W3C tracestate, passed on unchanged


@dataclass(frozen=True, slots=True)
class Dialect:
    """One format, as a service speaks it.
    `read` takes a mapping with lower-case names; None if it finds nothing known.
    """

    name: str
    label: str  # for people
    read: Callable[[Mapping[str, str]], Span | None]
    write: Callable[[Span], Headers]


def is_trace_header(name: str) -> bool:
    """Whether a header belongs to tracing or the session, in any known format."""
    return _TRACE_HEADER.fullmatch(name) is not None


def new_trace() -> Span:
    """What a tracer makes when it understands no header: a new trace. This is how traces get cut."""
    return Span(secrets.token_hex(16), secrets.token_hex(8), "accept")


def child(span: Span) -> Span:
    """The span from which the service makes its call."""
    return span._replace(span_id=secrets.token_hex(8), parent_id=span.span_id)


def _read_w3c(headers: Mapping[str, str]) -> Span | None:
    match = re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", headers.get("traceparent", ""))
    if match is None:
        return None
    trace_id, span_id, flags = match.groups()
    return Span(trace_id, span_id, "accept" if int(flags, 16) & 1 else "deny", "", headers.get("tracestate", ""))


def _write_w3c(span: Span) -> Headers:
    flags = "01" if span.sampling == "accept" else "00"
    own = (("traceparent", f"00-{span.trace_id}-{span.span_id}-{flags}"),)
    return (*own, ("tracestate", span.state)) if span.state else own


def _read_b3_multi(headers: Mapping[str, str]) -> Span | None:
    trace_id, span_id = headers.get("x-b3-traceid", ""), headers.get("x-b3-spanid", "")
    if not trace_id or not span_id:
        return None
    sampled = {"1": "accept", "0": "deny"}.get(headers.get("x-b3-sampled", ""), "defer")
    sampling = "debug" if headers.get("x-b3-flags") == "1" else sampled
    return Span(trace_id, span_id, sampling, headers.get("x-b3-parentspanid", ""))


def _write_b3_multi(span: Span) -> Headers:
    headers = [("X-B3-TraceId", span.trace_id), ("X-B3-SpanId", span.span_id)]
    if span.parent_id:
        headers.append(("X-B3-ParentSpanId", span.parent_id))
    if span.sampling == "debug":
        headers.append(("X-B3-Flags", "1"))
    elif span.sampling != "defer":
        headers.append(("X-B3-Sampled", "1" if span.sampling == "accept" else "0"))
    return tuple(headers)


def _read_jaeger(headers: Mapping[str, str]) -> Span | None:
    match = re.fullmatch(
        r"([0-9a-f]{1,32}):([0-9a-f]{1,16}):[0-9a-f]{1,16}:([0-9a-f]{1,2})", headers.get("uber-trace-id", "")
    )
    if match is None:
        return None
    trace_id, span_id, flags = match.groups()
    return Span(trace_id, span_id, {1: "accept", 3: "debug"}.get(int(flags, 16) & 3, "deny"))


def _write_jaeger(span: Span) -> Headers:
    flags = {"accept": 1, "debug": 3}.get(span.sampling, 0)
    return (("uber-trace-id", f"{span.trace_id}:{span.span_id}:{span.parent_id or 0}:{flags}"),)


W3C = Dialect("tracecontext", "traceparent, tracestate", _read_w3c, _write_w3c)
B3_MULTI = Dialect("b3multi", "X-B3-TraceId and so on", _read_b3_multi, _write_b3_multi)
JAEGER = Dialect("jaeger", "uber-trace-id", _read_jaeger, _write_jaeger)
