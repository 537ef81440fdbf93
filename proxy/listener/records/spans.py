"""The span of an exchange: made at its end, if it is recorded and exported.

May know what is accounted, translations, and where spans go.
A bug in here never breaks an exchange: tracing fails open, and failures are counted.
"""

from __future__ import annotations

import logging
from time import time_ns
from typing import Final, final

from proxy.listener.accounting import Accounted, rpc_status
from proxy.participation.linking import CONFIDENCE
from proxy.participation.own_span import OwnSpan
from proxy.plan import UpstreamPlan
from proxy.semantics.faults import Refusal
from proxy.semantics.request import CALL
from proxy.telemetry.metrics import count
from proxy.telemetry.otlp.attributes import number, string, strings
from proxy.telemetry.otlp.buffer import Outlet
from proxy.telemetry.otlp.query import redact
from proxy.telemetry.otlp.span import (
    CLIENT,
    NOT_RPC,
    SERVER,
    SharedParts,
    SpanEncoder,
    link,
    trace_state,
)
from proxy.translate import Translator
from proxy.translated import FastTranslation, Translation

log = logging.getLogger(__name__)

_MOST_LINKS: Final = 16
_NANOSECONDS: Final = 1_000_000_000


@final
class Spans:
    """Makes the spans of all listeners. One per data plane."""

    __slots__ = ("_shared", "outlet")

    def __init__(self, outlet: Outlet) -> None:
        self.outlet = outlet
        self._shared = SharedParts()

    def encoder(self, plan: UpstreamPlan, translator: Translator, *, listener: str, is_inbound: bool) -> SpanEncoder:
        """For the spans of one route."""
        return SpanEncoder(
            self._shared,
            kind=SERVER if is_inbound else CLIENT,
            listener=listener,
            upstream=plan.name,
            written=() if plan.propagation.mirror else translator.injected,
            query=redact if plan.spans.query else None,
        )

    def record(
        self, accounted: Accounted, peer: tuple[bytes, int], status: int, duration_s: float, refusal: Refusal | None
    ) -> None:
        """An exchange is over. `peer`: address and port of the peer, on the span's side."""
        translation = accounted.translation
        buffer = self.outlet.buffer
        if translation is None or translation.span is None or buffer is None:
            return
        try:
            buffer.add(_encoded(accounted, translation, translation.span, peer, status, duration_s, refusal))
        except Exception as error:  # a bug of ours: the outermost edge
            errors = accounted.terms.metrics.translation.errors
            kind = type(error).__name__
            if kind not in errors:
                log.error("a span was lost, but not its exchange", exc_info=error)
            count(errors, kind)


def _encoded(
    accounted: Accounted,
    translation: Translation,
    own: OwnSpan,
    peer: tuple[bytes, int],
    status: int,
    duration_s: float,
    refusal: Refusal | None,
) -> bytes:
    terms = accounted.terms
    request = accounted.request
    version = request.version
    is_usual = isinstance(translation, FastTranslation) and accounted.extras is None and not terms.mirrors
    # In the order of the parameters, without their names, for speed.
    return terms.span_encoder.encode(
        own.trace_id,
        own.span_id,
        own.parent_id,
        own.flags,
        translation.read,
        request.method,
        request.path,
        accounted.route,
        terms.is_tls or request.scheme == "https",
        b"2" if version == b"2.0" else version,
        status,
        refusal.fault.label if refusal is not None else "",
        terms.span_host or request.host,
        peer,
        request.field(b"user-agent"),
        translation.session,
        accounted.bytes_in,
        accounted.bytes_out,
        time_ns(),
        int(duration_s * _NANOSECONDS),
        b"" if is_usual and not own.tracestate and not translation.losses else _more(accounted, translation, own),
        rpc_status(accounted, refusal) if request.pace == CALL else NOT_RPC,
    )


def _more(accounted: Accounted, translation: Translation, own: OwnSpan) -> bytes:
    """Parts that few spans have."""
    more = trace_state(own.tracestate) if own.tracestate else b""
    if accounted.terms.mirrors and translation.injected:
        more += strings("ops.formats.written", [format.encode("ascii") for format in translation.injected])
    if accounted.resends:
        more += number("http.request.resend_count", accounted.resends)
    if translation.losses:
        more += strings("ops.lost", [f"{format}:{what}".encode("ascii") for format, what in translation.losses])
    if isinstance(translation, FastTranslation):
        return more
    if translation.linked is not None:
        more += string("ops.link.method", translation.linked.encode("ascii"))
        more += string("ops.link.confidence", CONFIDENCE[translation.linked].encode("ascii"))
        for context in translation.candidates:
            more += link(context.trace_id.encode("ascii"), context.span_id.encode("ascii"), "candidate")
    if translation.carried:
        more += strings("ops.carried_over", [what.encode("ascii") for what in translation.carried])
    if translation.link is not None:
        context = translation.link
        more += link(context.trace_id.encode("ascii"), context.span_id.encode("ascii"), "restart")
    extraction = translation.extraction
    if extraction is None:
        return more
    if extraction.malformed:
        malformed = [f"{format}:{reason}".encode("ascii") for format, reason in extraction.malformed]
        more += strings("ops.malformed", malformed)
    for _, loser in extraction.conflicts[:_MOST_LINKS]:
        more += link(loser.trace_id.encode("ascii"), loser.span_id.encode("ascii"), "conflict")
    return more
