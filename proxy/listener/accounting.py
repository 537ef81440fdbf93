"""What is counted and logged of a routed request, in any protocol.

May know the terms that it is served on, translations and faults. Must not know connections, or how a log is written.
"""

from __future__ import annotations

from time import perf_counter, time_ns
from typing import final

from proxy.listener.terms import Terms
from proxy.participation.entry import AtApp, InFlight, Left
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.request import Request
from proxy.semantics.response import Response
from proxy.telemetry.metrics import count
from proxy.translated import Translation


@final
class Extras:
    """Of a request: what few have, and what only a console asks for."""

    __slots__ = ("connect_s", "findings", "head_s", "report_id", "request_of", "resends", "response", "waited_s")

    def __init__(self) -> None:
        self.resends = 0
        self.report_id = b""
        self.findings: tuple[str, ...] = ()
        self.request_of = ""
        # Where its time went.
        self.waited_s = -1.0  # until there was a connection to the upstream; -1: there never was
        self.connect_s = 0.0  # part of that in which its connection was being made
        self.head_s = -1.0  # until the response began, since the start; -1: it never did
        self.response: Response | None = None  # the head that came for it


class Accounted(AtApp):
    """One request on its way, with all that counters and the access log need at its end."""

    # Values that most of them never change are class attributes, for speed.
    status = 0  # of the response passed on; 0: none
    bytes_in = 0  # of content
    bytes_out = 0
    translation: Translation | None = None  # only for the access log and the span
    in_flight: InFlight | None = None  # what is remembered while it is at the app, once somebody asks
    left: Left | None = None  # its client has left before the app had answered
    rpc_status = -1  # of a gRPC call, if the upstream told one
    route = b""  # the template of its path, if the settings have one
    upstream_peer: tuple[bytes, int] = (b"", 0)  # address and port of the upstream
    extras: Extras | None = None  # while a console wants to know where its time goes, or if there are any

    terms: Terms
    request: Request
    started: float  # by `perf_counter`

    def remembered(self, given: object, now: float) -> InFlight | None:
        entry = self.terms.remember(given, now)
        if entry is not None:
            entry.exchange = self
            entry.left = self.left
            self.in_flight = entry
        return entry

    def unremembered(self, error: Exception) -> None:
        self.terms.failed(error)

    def more(self) -> Extras:
        """Its extras, from now on."""
        extras = self.extras
        if extras is None:
            extras = self.extras = Extras()
        return extras

    @property
    def resends(self) -> int:
        """Number of retries."""
        return self.extras.resends if self.extras is not None else 0

    @resends.setter
    def resends(self, resends: int) -> None:
        self.more().resends = resends

    @property
    def report_id(self) -> bytes:
        """By which a console knows it; empty until somebody needs one."""
        return self.extras.report_id if self.extras is not None else b""

    @report_id.setter
    def report_id(self, report_id: bytes) -> None:
        self.more().report_id = report_id

    @property
    def findings(self) -> tuple[str, ...]:
        """What this call of the app shows of it (`app_calls.doctor`)."""
        return self.extras.findings if self.extras is not None else ()

    @findings.setter
    def findings(self, findings: tuple[str, ...]) -> None:
        self.more().findings = findings

    @property
    def request_of(self) -> str:
        """The report id of the request at the app that this call belongs to."""
        return self.extras.request_of if self.extras is not None else ""

    @request_of.setter
    def request_of(self, report_id: str) -> None:
        self.more().request_of = report_id


def account(accounted: Accounted, refusal: Refusal | None) -> tuple[int, float]:
    """Count it; `refusal` says why it failed. Returns the status that the client got (0 for none), and the duration."""
    status = accounted.status
    if not status and refusal is not None:
        fault = refusal.fault
        if fault is not Fault.CLIENT_GONE and fault is not Fault.STOPPED:
            status = fault.status
    now = perf_counter()
    duration_s = now - accounted.started
    terms = accounted.terms
    metrics = terms.metrics
    health = terms.health
    metrics.requests[status // 100 if status < 600 else 5] += 1  # RFC 9110, 15: a status above 599 counts as 5xx
    request = accounted.request
    if terms.templates is not None:
        accounted.route = terms.templates.find(request.path)
    host = b"" if metrics.is_server else terms.span_host or request.host
    is_tls = terms.is_tls or request.scheme == "https"
    fault_label = refusal.fault.label if refusal is not None else ""
    series = metrics.durations.of((request.method, status, fault_label, request.version, accounted.route, host, is_tls))
    bucket = series.observe(duration_s)
    translation = accounted.translation
    if translation is not None and translation.span is not None:  # the example of its bucket
        span = translation.span
        series.exemplars[bucket] = duration_s, span.trace_id, span.span_id, time_ns()
    metrics.bytes_in += accounted.bytes_in
    metrics.bytes_out += accounted.bytes_out
    if refusal is not None:
        count(metrics.faults, fault_label)
        health.failed(refusal, now)
    elif health.is_failing:
        health.succeeded(now)
    return status, duration_s


def rpc_status(accounted: Accounted, refusal: Refusal | None) -> int:
    """The status of a gRPC call: the upstream's, or ours; -1: none was told."""
    if accounted.rpc_status < 0 and refusal is not None:
        return refusal.fault.grpc_status
    return accounted.rpc_status


def logged_status(status: int, refusal: Refusal | None) -> int:
    """The logged status of a request whose client got `status`: 499 if the client left, whatever it got by then."""
    return refusal.fault.status if refusal is not None and refusal.fault is Fault.CLIENT_GONE else status
