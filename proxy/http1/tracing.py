"""The outermost edge of tracing: a bug of ours behind it never breaks a request (tracing fails open).

May know translations and their metrics. Whatever is raised here is ours: the heart promises to take any bytes.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from proxy.telemetry.metrics import TranslationMetrics, count
from proxy.translate import NOTHING, Translation

log = logging.getLogger(__name__)


def untranslated(metrics: TranslationMetrics, error: Exception) -> Translation:
    """What stands for a translation that failed: the request goes on with no trace header at all."""
    _tell(metrics, error)
    return NOTHING


class Traced(NamedTuple):
    """What the access log says of a translation; empty for none."""

    trace_id: str = ""
    session: str = ""
    conflict: str = ""


def traced(metrics: TranslationMetrics, translation: Translation) -> Traced:
    """What the access log says of `translation`."""
    try:
        context, extraction = translation.context, translation.extraction
    except Exception as error:  # a bug of ours: the outermost edge
        _tell(metrics, error)
        return Traced()
    trace_id = context.trace_id if context is not None else ""
    if extraction is None:
        return Traced(trace_id)
    conflict = ",".join(f"{format}:{loser.trace_id}" for format, loser in extraction.conflicts)
    return Traced(trace_id, extraction.session or "", conflict)


def _tell(metrics: TranslationMetrics, error: Exception) -> None:
    """Count it, and log the first of its kind."""
    kind = type(error).__name__
    if kind not in metrics.errors:
        log.error("tracing failed, the request did not", exc_info=error)
    count(metrics.errors, kind)
