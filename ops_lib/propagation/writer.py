"""Writes one context, or one bare decision, in several formats at once, all telling the same story."""

from __future__ import annotations

from .codecs import CODECS
from .context import Headers, Losses, Policy, RandomBits, Sampling, TraceContext, stand_in
from .formats import Format, Loss

_TRACE_ID = "T" * 32
_SPAN_ID = "S" * 16


class Writer:
    """The configured formats, in order. Immutable.

    Most contexts have nothing but ids, a sampling and the random flag. What those become is worked out beforehand, by
    letting the codecs write stand-ins for the ids: then only the ids are to be filled in (1.1 to 0.7 µs for three
    formats; nothing of any grammar is repeated here).
    """

    __slots__ = ("_policy", "_random_bits", "_templates", "_writers", "formats")

    def __init__(self, formats: tuple[Format, ...], policy: Policy, random_bits: RandomBits) -> None:
        self.formats = formats
        self._writers = tuple((format, CODECS[format].inject, CODECS[format].inject_decision) for format in formats)
        self._policy = policy
        self._random_bits = random_bits
        # All of a context behind its ids -> (name, pattern of the ids) of each header, and the losses.
        self._templates: dict[tuple[object, ...], tuple[list[tuple[str, str]], Losses]] = {}
        for sampling in Sampling:
            for is_random in (False, True):
                context = TraceContext(_TRACE_ID, _SPAN_ID, sampling, random=is_random)
                headers, losses = self._write_each(context)
                self._templates[context[2:]] = ([(name, _pattern(value)) for name, value in headers], losses)

    def write(self, context: TraceContext) -> tuple[Headers, Losses]:
        """Fresh lists: the headers that carry `context`, and what they cannot say."""
        template = self._templates.get(context[2:])
        if template is None:
            return self._write_each(context)
        patterns, losses = template
        ids = context[:2]
        return [(name, pattern % ids) for name, pattern in patterns], losses[:]

    def _write_each(self, context: TraceContext) -> tuple[Headers, Losses]:
        headers: Headers = []
        losses: Losses = []
        for _, write, _ in self._writers:
            write(context, self._policy, headers, losses)
        return headers, losses

    def write_decision(self, decision: Sampling) -> tuple[Headers, Losses, TraceContext | None]:
        """A bare decision: bare where the format can say it, else with ids made up once for all formats."""
        headers: Headers = []
        losses: Losses = []
        ids: TraceContext | None = None
        for format, write, write_decision in self._writers:
            if write_decision is not None:
                write_decision(decision, headers)
                continue
            if ids is None:
                ids = stand_in(decision, random_bits=self._random_bits)
            write(ids, self._policy, headers, losses)
            if decision.is_sampled:
                losses.append((format, Loss.BARE))
        return headers, losses, ids


def _pattern(value: str) -> str:
    """`value` with the stand-ins as %-places for (trace id, span id); an id that it does not hold gets no room."""
    trace_id = "%s" if _TRACE_ID in value else "%.0s"
    before, _, after = value.partition(_TRACE_ID) if _TRACE_ID in value else ("", "", value)
    if _SPAN_ID in after:
        return f"{before}{trace_id}{after.replace(_SPAN_ID, '%s')}"
    return f"{before}{trace_id}{after}%.0s"
