"""What is counted and logged of a request that has got its route, whatever protocol it came in.

May know the terms that it is served on, translations and faults. Must not know connections, nor how a log is written.
"""

from __future__ import annotations

from time import perf_counter

from proxy.listener.terms import Terms
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.request import Request
from proxy.telemetry.metrics import count
from proxy.translate import Translation


class Accounted:
    """One request on its way: all that a counter or the access log wants to know of it in the end."""

    # What most of them never change is an attribute of the class. To set it on each would cost 0.5 µs.
    status = 0  # of the response that was passed on; 0: none was
    bytes_in = 0  # of content
    bytes_out = 0
    translation: Translation | None = None  # remembered for the access log and the span alone
    resends = 0  # how often it was sent again
    upstream_peer: tuple[bytes, int] = (b"", 0)  # address and port of whoever was asked

    terms: Terms
    request: Request
    method: bytes
    started: float  # by `perf_counter`


def account(accounted: Accounted, refusal: Refusal | None) -> tuple[int, float]:
    """Count it; `refusal` says why it failed. The status that the client got, 0 for nothing, and how long it took."""
    status = accounted.status
    if not status and refusal is not None:
        fault = refusal.fault
        if fault is not Fault.CLIENT_GONE and fault is not Fault.STOPPED:
            status = fault.status
    now = perf_counter()
    duration_s = now - accounted.started
    metrics = accounted.terms.metrics
    health = accounted.terms.health
    metrics.requests[min(status // 100, 5)] += 1  # RFC 9110, 15: whatever is beyond 599 is a 5xx
    metrics.durations.observe(duration_s)
    metrics.bytes_in += accounted.bytes_in
    metrics.bytes_out += accounted.bytes_out
    if refusal is not None:
        count(metrics.faults, refusal.fault.label)
        health.failed(refusal, now)
    elif health.is_failing:
        health.succeeded(now)
    return status, duration_s


def logged_status(status: int, refusal: Refusal | None) -> int:
    """What a log says of a request whose client got `status`: 499 if it left, whatever it had got by then."""
    return refusal.fault.status if refusal is not None and refusal.fault is Fault.CLIENT_GONE else status
