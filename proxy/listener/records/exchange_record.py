"""Records for the access log: of an exchange that is over, or of a request that was refused before it became one.

May know what is accounted, and faults. The log decides how to write a record. Without a log, none is made.
"""

from __future__ import annotations

from proxy.listener.accounting import Accounted, rpc_status
from proxy.listener.translation import LogView, log_view
from proxy.semantics.faults import Refusal
from proxy.semantics.request import CALL, Request
from proxy.telemetry.access_log import AccessRecord


def exchange_record(
    accounted: Accounted, client: bytes, status: int, duration_s: float, refusal: Refusal | None
) -> AccessRecord:
    """Of an exchange. `client`: its address; `status`: see `logged_status`; `refusal`: why it failed."""
    translation = accounted.translation
    told = log_view(accounted.terms.metrics.translation, translation) if translation is not None else LogView()
    return AccessRecord(
        listener=accounted.terms.listener,
        upstream=accounted.terms.upstream,
        client=client.decode("ascii"),
        method=accounted.request.method.decode("ascii"),
        path=_path(accounted.request.path),
        status=status,
        bytes_in=accounted.bytes_in,
        bytes_out=accounted.bytes_out,
        duration_s=duration_s,
        trace_id=told.trace_id,
        session=told.session,
        conflict=told.conflict,
        span_conflict=told.span_conflict,
        span_id=told.span_id,
        trace_flags=told.trace_flags,
        read=told.read,
        written=told.written,
        malformed=told.malformed,
        grpc_status=_grpc_status(accounted, refusal),
        error=refusal.fault.label if refusal is not None else "",
        detail=refusal.detail if refusal is not None else "",
    )


def refused_record(
    listener: str, client: bytes, request: Request | None, status: int, refusal: Refusal | None
) -> AccessRecord:
    """Of a request that never became an exchange: refused, answered here, or a CONNECT. `request`: None if
    unreadable.
    """
    return AccessRecord(
        listener=listener,
        upstream="",
        client=client.decode("ascii"),
        method=request.method.decode("ascii") if request is not None else "",
        path=_path(request.path) if request is not None else "",
        status=status,
        bytes_in=0,
        bytes_out=0,
        duration_s=0.0,
        trace_id="",
        session="",
        conflict="",
        span_conflict="",
        error=refusal.fault.label if refusal is not None else "",
        detail=refusal.detail if refusal is not None else "",
    )


def _grpc_status(accounted: Accounted, refusal: Refusal | None) -> str:
    """Of a gRPC call: the upstream's, or ours."""
    if accounted.request.pace != CALL:
        return ""
    status = rpc_status(accounted, refusal)
    return str(status) if status >= 0 else ""


def _path(target: bytes) -> str:
    """A request target without its query, which may hold secrets."""
    return target.partition(b"?")[0].decode("latin-1")
