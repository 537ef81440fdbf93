"""The light span: real ids that nobody records.

Made if nothing is configured, or if a span is certainly unsampled.
For speed: it is far cheaper than a recorded span.
It is a NonRecordingSpan, so that other instrumentation sees an ordinary parent.
May know: OpenTelemetry's span API and the Context.
Must not know tracers, SDK or exporters.
"""

from __future__ import annotations

from random import getrandbits

from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, TraceFlags, TraceState

from ops_lib.context.current import EXTRACTION_KEY, SPAN_KEY
from ops_lib.context.otel_tracestate import NO_STATE, RawTraceState
from ops_lib.propagation import Extraction, Plain, Sampling, TraceContext, context_of

SAMPLED = TraceFlags(TraceFlags.SAMPLED)
RANDOM = 0x02  # W3C Trace Context level 2, 3.2.2.5.2; older OpenTelemetry has no name for it
_FLAGS = tuple(TraceFlags(bits) for bits in range(4))
_ROOT_SAMPLED = TraceFlags(TraceFlags.SAMPLED | RANDOM)
_ROOT_UNSAMPLED = TraceFlags(RANDOM)


class LightSpan(NonRecordingSpan):
    """A span with ids, flags and tracestate, and nothing else. `decided` is False if nobody has made a decision."""

    def __init__(self, trace_id: int, flags: TraceFlags, state: TraceState, decided: bool) -> None:
        # The base class's __init__ needs a SpanContext, which is made later, on demand.
        self.trace_id = trace_id
        self.span_id = getrandbits(64) or 1  # W3C Trace Context 3.2.2.4: zero is not an id
        self.flags = flags
        self.state = state
        self.decided = decided

    def get_span_context(self) -> SpanContext:
        """The ids for OpenTelemetry; made at the first call."""
        try:
            return self._context
        except AttributeError:
            self._context = SpanContext(self.trace_id, self.span_id, False, self.flags, self.state)
            return self._context

    def __repr__(self) -> str:
        return f"LightSpan({self.get_span_context()!r})"


class RemoteSpan(NonRecordingSpan):
    """The caller's span from headers: `told`, or `plain` for the plainest headers.

    Values for OpenTelemetry and others are made on demand.
    """

    # Class defaults instead of an __init__, for speed: see `told_span` and `plain_span`.
    _told: TraceContext | None = None
    plain: Plain[str] | None = None

    @property
    def told(self) -> TraceContext:
        """The caller's place in the trace; made at the first call."""
        if self._told is None:
            assert self.plain is not None  # one of the two is given
            self._told = context_of(self.plain)
        return self._told

    def get_span_context(self) -> SpanContext:
        """The ids for OpenTelemetry; made at the first call."""
        try:
            return self._context
        except AttributeError:
            told = self.told
            # OpenTelemetry only knows yes and no, so DEFER becomes yes, as `on_defer` does in traceparent.
            flags = _FLAGS[(told.sampling is not Sampling.DENY) | (RANDOM if told.random else 0)]
            state = RawTraceState(told.tracestate) if told.tracestate else NO_STATE
            self._context = SpanContext(int(told.trace_id, 16), int(told.span_id, 16), True, flags, state)
            return self._context

    def __repr__(self) -> str:
        return f"RemoteSpan({self.get_span_context()!r})"


class DenyingSpan(NonRecordingSpan):
    """The parent that a caller's bare "do not record" (B3 `0`) stands for.

    Its ids are made up, so that any tracer, which knows only parents, records nothing below it.
    They name no real span, and never go out alone.
    """

    def __init__(self) -> None:
        ids = SpanContext(getrandbits(128) or 1, getrandbits(64) or 1, True, _ROOT_UNSAMPLED, NO_STATE)
        super().__init__(ids)

    def __repr__(self) -> str:
        return f"DenyingSpan({self.get_span_context()!r})"


_new = object.__new__


def told_span(told: TraceContext) -> RemoteSpan:
    """The caller's span."""
    span = _new(RemoteSpan)
    span._told = told
    return span


def plain_span(plain: Plain[str]) -> RemoteSpan:
    """The caller's span, from the plainest headers."""
    span = _new(RemoteSpan)
    span.plain = plain
    return span


def light_span(context: Context, *, drop: bool = False) -> LightSpan:
    """A light span whose parent is the current span of `context`: its trace, its decision, its tracestate.

    Without a parent, it starts a new trace with random ids, sampled unless a bare deny came in (B3 `0`).
    An SDK with default settings decides alike (OTEL_TRACES_SAMPLER: parentbased_always_on).
    `drop` makes it unsampled, after a sampler's decision.
    """
    parent = context.get(SPAN_KEY)
    if parent.__class__ is LightSpan:
        # Spelled out for speed: every nested span in an unconfigured process takes this path.
        return LightSpan(parent.trace_id, parent.flags, parent.state, parent.decided)
    if isinstance(parent, Span):
        ids = parent.get_span_context()
        if ids.is_valid:
            flags = ids.trace_flags
            decided = True
            if drop:
                flags = TraceFlags(flags & ~TraceFlags.SAMPLED)
            elif parent.__class__ is RemoteSpan:
                decided = parent.told.sampling is not Sampling.DEFER
            return LightSpan(ids.trace_id, flags, ids.trace_state, decided)
    if not drop:
        extraction = context.get(EXTRACTION_KEY)
        drop = isinstance(extraction, Extraction) and extraction.decision is Sampling.DENY
    trace_id = getrandbits(128) or 1
    return LightSpan(trace_id, _ROOT_UNSAMPLED if drop else _ROOT_SAMPLED, NO_STATE, True)
