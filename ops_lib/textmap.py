"""Our formats as OpenTelemetry TextMapPropagators, for OTEL_PROPAGATORS and other people's instrumentation.

Entry points (`opentelemetry_propagator`): `ops` (formats by our environment), and `ops_tracecontext`, `ops_b3`,
`ops_b3multi`, `ops_jaeger`, `ops_composite` with one fixed choice. May know: OpenTelemetry's propagator API. Must not
import `opentelemetry.propagate`, which imports this while it is loaded itself.
"""

from __future__ import annotations

from typing import ClassVar

from opentelemetry.context import Context
from opentelemetry.propagators.textmap import (
    CarrierT,
    DefaultGetter,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)

from .context import current
from .propagation.carrier import known_names
from .propagators import ContextPropagator, PropagatorFormat, check_propagator, get_propagator


class OpsPropagator(TextMapPropagator):
    """Trace, session and baggage as OpenTelemetry's propagator API has it.

    Takes: `propagator`, or None for the one in force at each call (`get_propagator`). Session and baggage are carried
    too; naming `baggage` beside it in OTEL_PROPAGATORS does no harm, but what stands after it writes the header:
    OpenTelemetry's makes the properties of members a part of their values.
    Raises: ValueError where the environment names an unknown format: here, and not in the middle of a request.
    Specification: OpenTelemetry "Propagators API", TextMapPropagator; docs/formats.md.
    """

    formats: ClassVar[PropagatorFormat | None] = None

    def __init__(self, propagator: ContextPropagator | None = None) -> None:
        if propagator is None and self.formats is not None:
            propagator = ContextPropagator(extract=self.formats, inject=self.formats)
        elif propagator is None:
            check_propagator()
        self._propagator = propagator

    def extract(
        self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter
    ) -> Context:
        """`context` (default: an empty one) with what the headers in `carrier` tell of."""
        propagator = self._propagator or get_propagator()
        if isinstance(getter, DefaultGetter):
            # It knows a name in one letter case only; a dict of headers comes in any.
            return propagator.extract_context(carrier, context)  # type: ignore[arg-type]  # as DefaultGetter takes it
        names = getter.keys(carrier) or sorted(known_names())
        pairs = [(name, value) for name in dict.fromkeys(names) for value in getter.get(carrier, name) or ()]
        return propagator.extract_context(pairs, context)

    def inject(
        self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter
    ) -> None:
        """Writes `context` (default: the current one) with `setter`."""
        propagator = self._propagator or get_propagator()
        headers, _ = propagator.headers(current() if context is None else context)
        for name, value in headers:
            setter.set(carrier, name, value)

    @property
    def fields(self) -> set[str]:
        """The names of the headers that `inject` may write, those of Jaeger's baggage left out (they depend on it)."""
        return (self._propagator or get_propagator()).written


class TraceContextPropagator(OpsPropagator):
    """W3C Trace Context alone. See OpsPropagator."""

    formats = "tracecontext"


class B3Propagator(OpsPropagator):
    """B3 in one header. See OpsPropagator."""

    formats = "b3"


class B3MultiPropagator(OpsPropagator):
    """B3 in several headers. See OpsPropagator."""

    formats = "b3multi"


class JaegerPropagator(OpsPropagator):
    """Jaeger's `uber-trace-id`. See OpsPropagator."""

    formats = "jaeger"


class CompositePropagator(OpsPropagator):
    """All four formats at once. See OpsPropagator."""

    formats = "composite"
