"""One hop of a request, as reported by its receiver, and the checks that nothing was lost on the way.

Pure. Must not know sockets or the sidecar: it judges only what the services report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proxy.demo.dialects import W3C, Headers, Span


@dataclass(frozen=True, slots=True)
class Hop:
    """What one service saw, what it understood, and what it put on its own call."""

    service: str
    speaks: str  # the format that it understands
    path: str
    saw: Headers  # trace and session headers, exactly as received
    span: Span | None  # None: it understood no header
    session: str
    sent: Headers = ()  # empty: it made no call
    sent_span_id: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain values, for the service's answer and for `--json`."""
        span = self.span
        return {
            "service": self.service,
            "speaks": self.speaks,
            "path": self.path,
            "saw": [list(pair) for pair in self.saw],
            "trace_id": span.trace_id if span else None,
            "span_id": span.span_id if span else None,
            "sampling": span.sampling if span else None,
            "parent_id": (span.parent_id or None) if span else None,
            "tracestate": (span.state or None) if span else None,
            "session": self.session or None,
            "sent": [list(pair) for pair in self.sent],
            "sent_span_id": self.sent_span_id or None,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Hop:
        """The other way; KeyError or TypeError if `value` is not one of ours."""
        span = None
        if value["trace_id"]:
            span = Span(
                str(value["trace_id"]),
                str(value["span_id"]),
                str(value["sampling"]),
                value["parent_id"] or "",
                value["tracestate"] or "",
            )
        return cls(
            service=str(value["service"]),
            speaks=str(value["speaks"]),
            path=str(value["path"]),
            saw=tuple((str(name), str(text)) for name, text in value["saw"]),
            span=span,
            session=value["session"] or "",
            sent=tuple((str(name), str(text)) for name, text in value["sent"]),
            sent_span_id=value["sent_span_id"] or "",
        )


@dataclass(frozen=True, slots=True)
class Journey:
    """What a caller sent, and every service should receive."""

    title: str
    headers: Headers
    trace_id: str  # as the caller spelled it, 16 or 32 digits
    span_id: str
    sampling: str
    tracestate: str
    session: str


ROUTE = ("shop", "orders", "billing", "shop")


def find_losses(journey: Journey, hops: Sequence[Hop], *, sidecars_are_spans: bool = False) -> list[str]:
    """What was lost on the way, one sentence each; empty if every service saw the same trace.

    `sidecars_are_spans`: a service's parent is then its sidecar, whose parents only a collector can judge.
    """
    problems = []
    route = tuple(hop.service for hop in hops)
    if route != ROUTE:
        problems.append(f"the request went {' -> '.join(route) or 'nowhere'}, not {' -> '.join(ROUTE)}")
    caller, expected_span = "the caller", journey.span_id
    for hop in hops:
        problems += [f"{hop.service}{hop.path}: {text}" for text in _losses_of_hop(journey, hop)]
        if hop.span is not None and (hop.span.span_id != expected_span) != sidecars_are_spans:
            called = f"{caller} called from {expected_span or 'no span'}"
            between = ", and no sidecar's span is between" if sidecars_are_spans else ""
            problems.append(f"{hop.service}{hop.path}: lost its parent: span {hop.span.span_id}, but {called}{between}")
        caller, expected_span = hop.service, hop.sent_span_id
    return problems


def _losses_of_hop(journey: Journey, hop: Hop) -> list[str]:
    problems = []
    if hop.span is None:
        problems.append("lost the trace: no trace header that it understands came in")
    else:
        if hop.span.trace_id.rjust(32, "0") != journey.trace_id.rjust(32, "0"):
            problems.append(f"lost the trace: it is in {hop.span.trace_id}, the caller's is {journey.trace_id}")
        if not keeps_decision(journey.sampling, hop.span.sampling, w3c=hop.speaks == W3C.name):
            problems.append(f"lost the sampling decision: {hop.span.sampling}, the caller said {journey.sampling}")
        if hop.speaks == W3C.name and journey.tracestate not in hop.span.state:
            problems.append(
                f"lost the tracestate: {hop.span.state or 'none came'}, the caller's is {journey.tracestate}"
            )
    if hop.session != journey.session:
        problems.append(f"lost the session: {hop.session or 'none came'}, the caller's is {journey.session}")
    return problems


def keeps_decision(said: str, seen: str, *, w3c: bool) -> bool:
    """Whether `seen` is what a service should read for `said`: W3C has one bit, so debug becomes accept there."""
    return seen == ("accept" if w3c and said == "debug" else said)
