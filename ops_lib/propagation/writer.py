"""Writes one context, or one bare decision, in several formats at once. All tell the same story."""

from __future__ import annotations

from .context import Headers, Losses, Policy, RandomBits, Sampling, TraceContext, stand_in
from .formats import Format
from .registry import codecs_of


class Writer:
    """The configured formats, in order. Immutable."""

    __slots__ = ("_policy", "_random_bits", "_writers")

    def __init__(self, formats: tuple[Format, ...], policy: Policy, random_bits: RandomBits) -> None:
        self._writers = tuple((codec.inject, codec.inject_decision) for codec in codecs_of(formats))
        self._policy = policy
        self._random_bits = random_bits

    def write(self, context: TraceContext) -> tuple[Headers, Losses]:
        """Fresh lists: the headers that carry `context`, and what they cannot say."""
        headers: Headers = []
        losses: Losses = []
        policy = self._policy
        for write, _ in self._writers:
            write(context, policy, headers, losses)
        return headers, losses

    def write_decision(self, decision: Sampling) -> tuple[Headers, Losses, TraceContext | None]:
        """A bare decision: bare if the format can say it, else with ids made up once for all formats."""
        headers: Headers = []
        losses: Losses = []
        ids: TraceContext | None = None
        for write, write_decision in self._writers:
            if write_decision is not None:
                write_decision(decision, headers)
                continue
            if ids is None:
                ids = stand_in(decision, random_bits=self._random_bits)
            write(ids, self._policy, headers, losses)
        return headers, losses, ids
