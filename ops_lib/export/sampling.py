"""Samplers for a provider that `configure` makes.
Our only sampling rule: a caller's bare decision overrides the sampler.

May know: the SDK's sampler interface, the Context.
"""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.trace import sampling as sdk
from opentelemetry.trace import Link, SpanKind, TraceState, get_current_span
from opentelemetry.util.types import Attributes

from ops_lib.context.current import EXTRACTION_KEY
from ops_lib.propagation import ConfigurationError, Extraction

# OTEL_TRACES_SAMPLER (OpenTelemetry SDK environment variables), those that need no argument.
BY_NAME = {
    "always_on": sdk.ALWAYS_ON,
    "always_off": sdk.ALWAYS_OFF,
    "parentbased_always_on": sdk.DEFAULT_ON,
    "parentbased_always_off": sdk.DEFAULT_OFF,
}


class Obedient(sdk.Sampler):
    """Another sampler, which a caller's bare decision to record (B3 `1` or `d` without ids) overrides.

    A bare deny never comes here: no span is started for it. ALWAYS_OFF stays what it is.
    """

    def __init__(self, sampler: sdk.Sampler) -> None:
        self._sampler = sampler
        self._obeys = sampler is not sdk.ALWAYS_OFF

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> sdk.SamplingResult:
        """See sdk.Sampler."""
        if self._obeys and parent_context is not None and EXTRACTION_KEY in parent_context:
            extraction = parent_context[EXTRACTION_KEY]
            if isinstance(extraction, Extraction) and extraction.decision is not None:
                is_root = not get_current_span(parent_context).get_span_context().is_valid
                if is_root and extraction.decision.is_sampled:
                    return sdk.SamplingResult(sdk.Decision.RECORD_AND_SAMPLE, attributes, trace_state)
        return self._sampler.should_sample(parent_context, trace_id, name, kind, attributes, links)

    def get_description(self) -> str:
        """The other sampler's description."""
        return self._sampler.get_description()


def sampler_of(wanted: sdk.Sampler | float | str | None, default: sdk.Sampler) -> sdk.Sampler:
    """The sampler that `configure(sampler=...)` asks for: itself, a ratio of new traces, a name, or `default` for None.

    Raises ConfigurationError for a ratio outside 0 to 1 or an unknown name.
    """
    if wanted is None:
        return default
    if isinstance(wanted, str):
        if (sampler := BY_NAME.get(wanted.strip().lower())) is None:
            raise ConfigurationError(
                f"unknown sampler {wanted!r}; known are: {', '.join(BY_NAME)}, or a ratio as a number"
            )
        return sampler
    if isinstance(wanted, (int, float)):
        if not 0 <= wanted <= 1:
            raise ConfigurationError(f"sampler must be a ratio from 0 to 1, not {wanted!r}")
        return sdk.ParentBased(sdk.TraceIdRatioBased(float(wanted)))
    return wanted
