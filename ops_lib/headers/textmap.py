"""Our formats as OpenTelemetry TextMapPropagators, for OTEL_PROPAGATORS and other people's instrumentation.

Entry points (`opentelemetry_propagator`): `ops` (formats by our environment), and `ops_tracecontext`, `ops_b3`,
`ops_b3multi`, `ops_jaeger`, `ops_composite` with one fixed choice.
May know: OpenTelemetry's propagator API. Must not import
`opentelemetry.propagate`, which loads this module while it is itself being loaded.
"""

from __future__ import annotations

from typing import ClassVar

from ops_lib.headers.context_propagator import ContextPropagator, PropagatorFormat
from ops_lib.headers.otel_textmap import OtelTextMap
from ops_lib.headers.propagators import check_propagator, get_propagator


class OpsPropagator(OtelTextMap):
    """Trace, session and baggage as OpenTelemetry's propagator API has it.

    Takes: `propagator`, or None for the one in force at each call (`get_propagator`).
    Session and baggage are carried too; naming `baggage` beside it in OTEL_PROPAGATORS does no harm.
    But the last one writes the header, and OpenTelemetry's makes the properties of members a part of their values.
    Raises: ValueError if the environment names an unknown format: here, not in the middle of a request.
    Specification: OpenTelemetry "Propagators API", TextMapPropagator; docs/formats.md.
    """

    formats: ClassVar[PropagatorFormat | None] = None

    def __init__(self, propagator: ContextPropagator | None = None) -> None:
        if propagator is None and self.formats is not None:
            propagator = ContextPropagator(extract=self.formats, inject=self.formats)
        elif propagator is None:
            check_propagator()
        self._given = propagator

    @property
    def source(self) -> ContextPropagator:
        """The given propagator, or the one in force now."""
        return self._given or get_propagator()


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
