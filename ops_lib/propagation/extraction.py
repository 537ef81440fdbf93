"""What one request says in all formats together, and what goes out for it. Only values."""

from __future__ import annotations

from typing import NamedTuple

from .baggage import Baggage
from .context import Malformed, Sampling, TraceContext
from .formats import Format, Loss
from .precedence import Said


class Extraction(NamedTuple):
    """All that the headers of one request say."""

    context: TraceContext | None = None
    decision: Sampling | None = None  # a bare decision, only if context is None
    winner: Format | None = None  # whose context or decision it is
    says: tuple[Said, ...] = ()  # the formats that were present, in the order of extraction
    conflicts: tuple[tuple[Format, TraceContext], ...] = ()  # losers of another trace
    malformed: tuple[tuple[Format, Malformed], ...] = ()
    session: str | None = None
    session_malformed: Malformed | None = None
    baggage: Baggage | None = None
    baggage_malformed: Malformed | None = None
    span_conflicts: tuple[tuple[Format, TraceContext], ...] = ()  # losers that name another span


class Injection(NamedTuple):
    """What goes out, and which parts of the extraction it cannot say."""

    headers: tuple[tuple[str, str], ...]
    losses: tuple[tuple[Format, Loss], ...]
    context: TraceContext | None = None  # the context in the headers; made up for some bare decisions
    formats: tuple[Format, ...] = ()  # the formats that went out


NOTHING = Extraction()
"""The extraction of a request without any of our headers."""
