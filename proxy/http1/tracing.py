"""The outermost edge of tracing: a bug of ours behind it never breaks a request (tracing fails open).

May know translations and their metrics. Whatever is raised here is ours: the heart promises to take any bytes.
"""

from __future__ import annotations

import logging

from proxy.telemetry.metrics import TranslationMetrics, count
from proxy.translate import NOTHING, Translation

log = logging.getLogger(__name__)


def untranslated(metrics: TranslationMetrics, error: Exception) -> Translation:
    """What stands for a translation that failed: the request goes on with no trace header at all."""
    _tell(metrics, error)
    return NOTHING


def trace_and_session(metrics: TranslationMetrics, translation: Translation) -> tuple[str, str]:
    """Trace id and session for the access log; empty for none."""
    try:
        context, extraction = translation.context, translation.extraction
    except Exception as error:  # a bug of ours: the outermost edge
        _tell(metrics, error)
        return "", ""
    return context.trace_id if context is not None else "", (extraction.session or "") if extraction is not None else ""


def _tell(metrics: TranslationMetrics, error: Exception) -> None:
    """Count it, and log the first of its kind."""
    kind = type(error).__name__
    if kind not in metrics.errors:
        log.error("tracing failed, the request did not", exc_info=error)
    count(metrics.errors, kind)
