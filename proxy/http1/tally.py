"""Counts what a translation found and wrote. May know metrics and translations, nothing else."""

from __future__ import annotations

from proxy.telemetry.metrics import TranslationMetrics, count
from proxy.translate import FastTranslation, Translation


def tally(metrics: TranslationMetrics, translation: Translation) -> None:
    """Add one request's translation."""
    counts = metrics.injected
    for injected in translation.injected:
        counts[injected] = counts.get(injected, 0) + 1
    for lossy, what in translation.losses:
        count(metrics.losses, (lossy, what))
    if isinstance(translation, FastTranslation):
        count(metrics.extracted, translation.winner)
        if translation.has_session:
            metrics.sessions_carried += 1
        return
    extraction = translation.extraction
    if extraction is None:
        metrics.untraced += 1
        return
    winner = extraction.winner
    if winner is None:
        metrics.untraced += 1
    else:
        count(metrics.extracted, winner)
        if extraction.context is None:
            metrics.bare_decisions += 1
        for loser, _ in extraction.conflicts:
            count(metrics.conflicts, (winner, loser))
    for malformed, reason in extraction.malformed:
        count(metrics.malformed, (malformed, reason))
    if extraction.session is not None:
        metrics.sessions_carried += 1
    if extraction.session_malformed is not None:
        count(metrics.sessions_malformed, extraction.session_malformed)
