"""The light span: real ids that nobody records.

Made if nothing is configured, or if a span is known beforehand to be unsampled.
It is a NonRecordingSpan, so that other instrumentation sees
an ordinary parent; it costs about a tenth of a recorded span.
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
    """A span with ids, flags and tracestate, and nothing else. `decided` is False while nobody has taken a decision."""

    def __init__(self, trace_id: int, flags: TraceFlags, state: TraceState, decided: bool) -> None:
        # The parent's __init__ wants a SpanContext, which is made below, when someone asks for it.
        self.trace_id = trace_id
        self.span_id = getrandbits(64) or 1  # W3C Trace Context 3.2.2.4: zero is not an id
        self.flags = flags
        self.state = state
        self.decided = decided

    def get_span_context(self) -> SpanContext:
        """The ids as OpenTelemetry wants them; made at the first call."""
        try:
            return self._context
        except AttributeError:
            self._context = SpanContext(self.trace_id, self.span_id, False, self.flags, self.state)
            return self._context

    def __repr__(self) -> str:
        return f"LightSpan({self.get_span_context()!r})"


class RemoteSpan(NonRecordingSpan):
    """The caller's span, as headers told of it: `told`, or `plain` if they told it in the plainest way.

    What OpenTelemetry and others want to know of it is made when someone asks.
    """

    # Class defaults instead of an __init__, which would cost 0.1 µs: see `told_span` and `plain_span`.
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
        """The ids as OpenTelemetry wants them; made at the first call."""
        try:
            return self._context
        except AttributeError:
            told = self.told
            # "Decide yourself" is yes to whoever knows but yes and no, as `on_defer` is in traceparent.
            flags = _FLAGS[(told.sampling is not Sampling.DENY) | (RANDOM if told.random else 0)]
            state = RawTraceState(told.tracestate) if told.tracestate else NO_STATE
            self._context = SpanContext(int(told.trace_id, 16), int(told.span_id, 16), True, flags, state)
            return self._context

    def __repr__(self) -> str:
        return f"RemoteSpan({self.get_span_context()!r})"


class DenyingSpan(NonRecordingSpan):
    """The parent that a caller's bare "do not record" (B3 `0`) stands for.

    Its ids are made up, so that a tracer of anyone's, which knows of parents only, records nothing below it.
    They name nobody's span, and never go out by themselves.
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
    """The caller's span, told in the plainest way."""
    span = _new(RemoteSpan)
    span.plain = plain
    return span


def light_span(context: Context, *, drop: bool = False) -> LightSpan:
    """A light span whose parent is the current span of `context`: its trace, its decision, its tracestate.

    Without a parent it starts a trace of its own with random ids, sampled unless a bare decision came in (B3 `0`): this
    is what an SDK with default settings would say (OTEL_TRACES_SAMPLER: parentbased_always_on), and it leaves the
    choice to those who record.
    `drop` makes it unsampled: a sampler has said so.
    """
    parent = context.get(SPAN_KEY)
    if parent.__class__ is LightSpan:
        # Same class as below, spelled out because this is the path of every nested span in an unconfigured process.
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
