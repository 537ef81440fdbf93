"""PURE: the trace, session and baggage headers of one request in, those for the next hop out.

May know the plan and the heart. Must not know sockets, clocks or the event loop. Hot: called for every request that
carries a header of ours, so names are encoded once and looked up by their exact spelling first.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from ops_lib.propagation import (
    Extraction,
    Fields,
    Format,
    Loss,
    Propagator,
    RandomBits,
    Sampling,
    TraceContext,
    child,
    new_context,
    new_span_id,
)

from .plan import PropagationPlan


class Translation(NamedTuple):
    """What goes out for one request, and what is to be counted."""

    headers: list[tuple[bytes, bytes]]  # to append to the outgoing head
    extraction: Extraction | None  # None: the request had no header of ours at all
    injected: tuple[Format, ...]  # the formats that went out
    losses: tuple[tuple[Format, Loss], ...]
    context: TraceContext | None  # what went out


class Translator:
    """One per (listener, upstream): the propagator of one PropagationPlan, over raw headers."""

    __slots__ = ("_formats", "_names", "_participates", "_propagator", "_random_bits")

    def __init__(self, plan: PropagationPlan, *, random_bits: RandomBits = random.getrandbits) -> None:
        self._propagator = Propagator(
            extract=plan.extract,
            inject=plan.inject,
            session_inject=plan.session_inject,
            session_extract=plan.session_extract,
            session_bridge=plan.session_bridge,
            baggage=plan.baggage,
            on_defer=plan.on_defer,
            lossless=plan.lossless,
            random_bits=random_bits,
        )
        self._participates = plan.mode == "participate"
        self._random_bits = random_bits
        self._formats = self._propagator.inject_formats
        self._names: dict[str, bytes] = {}

    def owns(self, name: bytes) -> bool:
        """Whether the header `name` (any case) goes in here and is not forwarded as it came."""
        return self._propagator.owns(name.decode("latin-1"))

    def translate(self, headers: list[tuple[bytes, bytes]]) -> Translation:
        """`headers`: those for which `owns` is true, in wire order. Never raises on what they hold."""
        fields: Fields = {}
        for name, value in headers:
            fields.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        extraction = self._propagator.extract(fields)
        context: TraceContext | None = None
        if self._participates:
            context = self._span(extraction)
        injection = self._propagator.inject(extraction, context=context)
        told = injection.context is not None or extraction.decision is not None
        return Translation(
            [(name.encode("latin-1"), value.encode("latin-1")) for name, value in injection.headers],
            extraction if headers else None,
            self._formats if told else (),
            injection.losses,
            injection.context,
        )

    def _span(self, extraction: Extraction) -> TraceContext:
        """A span of our own: the caller's child, or the start of a trace."""
        if extraction.context is not None:
            return child(extraction.context, new_span_id(self._random_bits))
        return new_context(extraction.decision or Sampling.ACCEPT, random_bits=self._random_bits)
