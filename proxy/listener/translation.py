"""What a listener does with a translation: counts it, logs it, and continues without it if it failed.

May know translations and their metrics.
The outermost edge of tracing: a bug below it never breaks a request (tracing fails open).
Every exception here is such a bug: the heart promises to accept any bytes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, NamedTuple

from ops_lib.propagation import Sampling, TraceContext
from proxy.telemetry.metrics import TranslationMetrics, count, count_context
from proxy.translated import NOTHING, FastTranslation, Translation

log = logging.getLogger(__name__)


def tally(metrics: TranslationMetrics, translation: Translation) -> None:
    """Add one request's translation."""
    for lossy, what in translation.losses:
        count(metrics.losses, (lossy, what))
    if isinstance(translation, FastTranslation):
        count_context(metrics, translation.winner, translation.injected)
        if translation.has_beside:
            _tally_beside(metrics, translation)
        if translation.session is not None and "session" not in translation.withheld:
            metrics.sessions_carried += 1
        return
    for injected in translation.injected:
        count(metrics.injected, injected)
    _tally_beside(metrics, translation)
    if translation.linked is not None:
        count(metrics.linked, translation.linked)
    for name in translation.carried:
        count(metrics.carried, name)
    extraction = translation.extraction
    if extraction is None:
        metrics.untraced += 1
        return
    found = extraction.winner
    if found is None:
        metrics.untraced += 1
    else:
        count(metrics.extracted, found)
        if extraction.context is None:
            metrics.bare_decisions += 1
        for loser, _ in extraction.conflicts:
            count(metrics.conflicts, (found, loser))
        for loser, _ in extraction.span_conflicts:
            count(metrics.span_conflicts, (found, loser))
    for malformed, reason in extraction.malformed:
        count(metrics.malformed, (malformed, reason))
    if extraction.session is not None and "session" not in translation.withheld:
        metrics.sessions_carried += 1
    if extraction.session_malformed is not None:
        count(metrics.sessions_malformed, extraction.session_malformed)


def _tally_beside(metrics: TranslationMetrics, translation: Translation) -> None:
    for foreign in translation.foreign:
        count(metrics.foreign, foreign)
    for cargo in translation.withheld:
        count(metrics.withheld, cargo)


def tally_trust(metrics: TranslationMetrics, rule: str, translation: Translation) -> None:
    """Add what a peer was not believed, by the rule that is about it."""
    for what in translation.refused or ("nothing",):
        count(metrics.refused, (rule, what))


def untranslated(metrics: TranslationMetrics, error: Exception) -> Translation:
    """Replaces a failed translation: the request continues without trace headers."""
    tell(metrics, error)
    return NOTHING


class LogView(NamedTuple):
    """A translation for the access log; empty for none."""

    trace_id: str = ""
    session: str = ""
    conflict: str = ""
    span_conflict: str = ""
    span_id: str = ""
    trace_flags: str = ""
    read: str = ""
    written: str = ""
    malformed: str = ""


def log_view(metrics: TranslationMetrics, translation: Translation) -> LogView:
    """`translation` for the access log."""
    try:
        context, extraction, written = translation.context, translation.extraction, ",".join(translation.injected)
    except Exception as error:  # a bug of ours: the outermost edge
        tell(metrics, error)
        return LogView()
    trace_id, span_id, flags = "", "", ""
    if context is not None:
        trace_id, span_id = context.trace_id, context.span_id
        flags = "" if context.sampling is Sampling.DEFER else "00" if context.sampling is Sampling.DENY else "01"
    if extraction is None:
        return LogView(trace_id, span_id=span_id, trace_flags=flags, written=written)
    conflict = ",".join(f"{format}:{loser.trace_id}" for format, loser in extraction.conflicts)
    span_conflict = ",".join(f"{format}:{loser.span_id}" for format, loser in extraction.span_conflicts)
    read = [said.format for said in extraction.says if said.what is not None]
    read.sort(key=lambda format: format != extraction.winner)  # starts with the winner
    malformed = [f"{format}:{reason}" for format, reason in extraction.malformed]
    if extraction.session_malformed is not None:
        malformed.append(f"session:{extraction.session_malformed}")
    if extraction.baggage_malformed is not None:
        malformed.append(f"baggage:{extraction.baggage_malformed}")
    return LogView(
        trace_id,
        extraction.session or "",
        conflict,
        span_conflict,
        span_id,
        flags,
        ",".join(read),
        written,
        ",".join(malformed),
    )


MIRROR: Final = b"mirror"
"""As `propagation.response_header`: not a name, but the caller's own format."""


def _as_b3(context: TraceContext) -> str:
    decision = {Sampling.DENY: "-0", Sampling.ACCEPT: "-1", Sampling.DEBUG: "-d"}.get(context.sampling, "")
    return f"b3: {context.trace_id[16 * context.short :]}-{context.span_id}{decision}"


def _as_jaeger(context: TraceContext) -> str:
    flags = {Sampling.DENY: 0, Sampling.DEBUG: 3}.get(context.sampling, 1)
    return f"uber-trace-id: {context.trace_id[16 * context.short :]}:{context.span_id}:0:{flags}"


_MIRRORED: Final[dict[str, Callable[[TraceContext], str]]] = {"b3": _as_b3, "b3multi": _as_b3, "jaeger": _as_jaeger}


def trace_line(metrics: TranslationMetrics, name: bytes, translation: Translation | None) -> bytes:
    """The line of a response that tells its caller the trace, in the field `name`; empty if there is none.

    `mirror`: in the first format that the caller spoke.
    """
    if translation is None:
        return b""
    try:
        context = translation.context
        if context is None:
            return b""
        if name == MIRROR:
            for format in translation.read.split(","):
                if format in _MIRRORED:
                    return _MIRRORED[format](context).encode("ascii")
            name = b"traceresponse"
        sampled = "00" if context.sampling is Sampling.DENY else "01"
        told = f"00-{context.trace_id}-{context.span_id}-{sampled}".encode("ascii")
    except Exception as error:  # a bug of ours: the outermost edge
        tell(metrics, error)
        return b""
    return b'%b: trace;desc="%b"' % (name, told) if name.lower() == b"server-timing" else name + b": " + told


def tell(metrics: TranslationMetrics, error: Exception) -> None:
    """Count it, and log the first one of its kind."""
    kind = type(error).__name__
    if kind not in metrics.errors:
        log.error("tracing failed, the request did not", exc_info=error)
    count(metrics.errors, kind)
