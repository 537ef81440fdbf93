"""Counts what a translation found and wrote. May know metrics and translations, nothing else."""

from __future__ import annotations

from proxy.telemetry.metrics import TranslationMetrics, count
from proxy.translate import Translation


def tally(metrics: TranslationMetrics, translation: Translation) -> None:
    """Add one request's translation."""
    for injected in translation.injected:
        count(metrics.injected, injected.value)
    for lossy, what in translation.losses:
        count(metrics.losses, (lossy.value, what.value))
    extraction = translation.extraction
    if extraction is None:
        metrics.untraced += 1
        return
    winner = extraction.winner
    if winner is None:
        metrics.untraced += 1
    else:
        count(metrics.extracted, winner.value)
        if extraction.context is None:
            metrics.bare_decisions += 1
        for loser, _ in extraction.conflicts:
            count(metrics.conflicts, (winner.value, loser.value))
    for malformed, reason in extraction.malformed:
        count(metrics.malformed, (malformed.value, str(reason)))
    if extraction.session is not None:
        metrics.sessions_carried += 1
    if extraction.session_malformed is not None:
        count(metrics.sessions_malformed, str(extraction.session_malformed))
