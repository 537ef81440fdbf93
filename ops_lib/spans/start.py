"""Which tracer makes a span, and the start of every span of this library.

Order: the tracer of `tracer_context`; the one of `configure`; the application's global TracerProvider; otherwise light
spans (see `unrecorded`).
May know: OpenTelemetry's trace API, `configured`.
The SDK is recognised by its objects' attributes, and never imported.
Nothing here raises to a caller: tracing fails open.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from weakref import WeakKeyDictionary

from opentelemetry import trace as otel_trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    NoOpTracer,
    ProxyTracerProvider,
    Span,
    SpanContext,
    SpanKind,
    Tracer,
    TracerProvider,
)
from opentelemetry.util._decorator import _agnosticcontextmanager
from opentelemetry.util.types import Attributes, AttributeValue

from ops_lib.context.current import EXTRACTION_KEY, SPAN_KEY, TRACER_KEY, Attached, current, with_value
from ops_lib.context.sessions import session_id_of
from ops_lib.propagation import Extraction, Sampling
from ops_lib.spans.attributes import attributes_of, name_of
from ops_lib.spans.configured import INSTRUMENTATION_NAME, RUNTIME
from ops_lib.spans.exceptions import add_exception, fail
from ops_lib.spans.failures import FAILURES
from ops_lib.spans.unrecorded import SAMPLED, DenyingSpan, LightSpan, RemoteSpan, light_span

SESSION_ID = "session.id"  # OpenTelemetry semantic conventions, "Session"

# A sampler describes itself in a text that the specification fixes (SDK, GetDescription).
# For speed: these two samplers decide by the parent alone, so a dropped span can be a light span at once.
_DROPS_ALL = "AlwaysOffSampler"
_DROPS_CHILDREN = (
    r"ParentBased\{root:(?P<root>.*),remoteParentSampled:.*,remoteParentNotSampled:AlwaysOffSampler,"
    r"localParentSampled:.*,localParentNotSampled:AlwaysOffSampler\}"
)


class _Drops:
    """The spans that a tracer's sampler certainly drops: `always` all, `roots` all without a parent, `children` all
    with an unsampled parent.
    """

    __slots__ = ("always", "children", "roots")

    def __init__(self, tracer: Tracer) -> None:
        description = ""
        if (sampler := getattr(tracer, "sampler", None)) is not None:
            try:
                description = sampler.get_description()
            except Exception:  # the outermost edge: a sampler may be anyone's
                FAILURES.tell("the sampler %r cannot describe itself", type(sampler), level=logging.WARNING)
        match = re.fullmatch(_DROPS_CHILDREN, description) if isinstance(description, str) else None
        self.always = description == _DROPS_ALL
        self.children = self.always or match is not None
        self.roots = self.always or (match is not None and match["root"] == _DROPS_ALL)


_drops: WeakKeyDictionary[Tracer, _Drops] = WeakKeyDictionary()
_last: tuple[Tracer, _Drops] | None = None  # for the tracer used last, which is nearly always the next one, too


def _known_of(tracer: Tracer) -> _Drops:
    global _last
    try:
        if (known := _drops.get(tracer)) is None:
            known = _drops[tracer] = _Drops(tracer)
    except TypeError:  # a tracer that does not support hashing or weak references
        known = _Drops(tracer)
    _last = (tracer, known)
    return known


# The global provider seen last, and its tracer. At first a provider that nobody can have set.
_global: tuple[TracerProvider | None, Tracer | None] = (otel_trace.NoOpTracerProvider(), None)

# Whether OpenTelemetry's variable for the global provider exists.
# For speed, it is read directly.
# If a version keeps the provider elsewhere, its public function is used.
_HAS_SHORTCUT = hasattr(otel_trace, "_TRACER_PROVIDER")


def _global_tracer() -> Tracer | None:
    """The tracer of the application's global TracerProvider, or None if it has set none."""
    global _global
    provider = otel_trace._TRACER_PROVIDER if _HAS_SHORTCUT else otel_trace.get_tracer_provider()
    if provider is _global[0]:
        return _global[1]
    if provider is None:
        provider = otel_trace.get_tracer_provider()  # once: this loads what OTEL_PYTHON_TRACER_PROVIDER names
        if isinstance(provider, ProxyTracerProvider):
            provider = None
    if provider is None or isinstance(provider, (ProxyTracerProvider, OpsTracerProvider)):
        _global = (provider, None)
        return None
    try:
        tracer = provider.get_tracer(INSTRUMENTATION_NAME)
    except Exception:  # the outermost edge: a provider may be anyone's
        FAILURES.tell("the global tracer provider has no tracer for us; spans go on unrecorded")
        return None
    _global = (provider, None if isinstance(tracer, NoOpTracer) else tracer)
    return _global[1]


def tracer_for(context: Context) -> Tracer | None:
    """The tracer for spans in `context`; None if light spans are made."""
    if TRACER_KEY in context:
        return context[TRACER_KEY]  # type: ignore[return-value]  # only tracer_context writes it
    tracer = RUNTIME.tracer
    return tracer if tracer is not None else _global_tracer()


def start_span(
    context: Context,
    tracer: Tracer | None,
    name: str,
    attributes: Mapping[str, AttributeValue] | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    links: Sequence[Link] | None = None,
    start_time: int | None = None,
) -> Span:
    """A started span whose parent is the current span of `context`. Never raises: falls back to a light span.

    `tracer`: of `tracer_for`. `start_time`: nanoseconds since the epoch; None for now.
    """
    if tracer is None:
        return light_span(context)
    last = _last
    drops = last[1] if last is not None and last[0] is tracer else _known_of(tracer)
    if drops.children and _is_dropped(context, drops):
        return light_span(context, drop=True)
    try:
        if EXTRACTION_KEY in context:
            settled = _settle(context, tracer, name, kind, attributes, links)
            if settled is None:
                return light_span(context)
            context = settled
        name = name_of(name)
        if start_time is None and RUNTIME.clock is not None:
            start_time = RUNTIME.clock()
        return tracer.start_span(name, context, kind, attributes, links, start_time)
    except Exception:  # the outermost edge: tracer, sampler and processors may be anyone's
        FAILURES.tell("the tracer could not start a span; it goes on unrecorded")
        return light_span(context)


def _is_dropped(context: Context, drops: _Drops) -> bool:
    """Whether a span in `context` is certainly unsampled, without asking the sampler."""
    if drops.always:
        return True
    parent = context.get(SPAN_KEY)
    if parent is None:
        if not drops.roots:
            return False
        extraction = context.get(EXTRACTION_KEY)
        return not (isinstance(extraction, Extraction) and extraction.decision is not None)
    if parent.__class__ is LightSpan:
        return parent.decided and not parent.flags & 1
    if parent.__class__ is RemoteSpan:
        return parent.told.sampling is Sampling.DENY
    if parent.__class__ is NonRecordingSpan or parent.__class__ is DenyingSpan:
        ids = parent.get_span_context()
        return ids.is_valid and not ids.trace_flags & 1
    return False


def _settle(
    context: Context,
    tracer: Tracer,
    name: str,
    kind: SpanKind,
    attributes: Mapping[str, AttributeValue] | None,
    links: Sequence[Link] | None,
) -> Context | None:
    """`context`, changed so that the SDK understands the headers; None if they said not to record.

    The SDK knows sampled and unsampled only.
    If the caller left the decision open (DEFER), the sampler is asked
    without a parent, and the parent gets its answer (docs/decisions/005).
    A bare deny gives None.
    """
    extraction = context[EXTRACTION_KEY]
    if not isinstance(extraction, Extraction):
        return context
    parent = context.get(SPAN_KEY)
    ids = parent.get_span_context() if isinstance(parent, Span) else None
    if ids is None or not ids.is_valid:
        return None if extraction.decision is Sampling.DENY else context
    undecided = (parent.__class__ is LightSpan and not parent.decided) or (
        parent.__class__ is RemoteSpan and parent.told.sampling is Sampling.DEFER
    )
    sampler = getattr(tracer, "sampler", None)
    if not undecided or sampler is None:
        return context
    result = sampler.should_sample(Context(), ids.trace_id, name, kind, attributes, links)
    flags = type(SAMPLED)(ids.trace_flags | SAMPLED if result.decision.is_sampled() else ids.trace_flags & ~SAMPLED)
    said = SpanContext(ids.trace_id, ids.span_id, ids.is_remote, flags, ids.trace_state)
    return with_value(context, SPAN_KEY, NonRecordingSpan(said))


def end_span(span: Span) -> None:
    """Ends `span`. Never raises: what a span processor raises is logged."""
    try:
        if RUNTIME.clock is not None:
            span.end(RUNTIME.clock())
        else:
            span.end()
    except Exception:  # the outermost edge: span processors may be anyone's
        FAILURES.tell("a span processor failed at the end of a span")


class OpsTracer(Tracer):
    """A tracer for third-party instrumentation: looks up the tracer in force for each span."""

    def __init__(self, *scope: object) -> None:
        self._scope = scope
        self._made_by: tuple[TracerProvider | None, Tracer | None] = (None, None)

    def _tracer(self, context: Context) -> Tracer | None:
        """As `tracer_for`, with this tracer's own instrumentation scope if there is a provider to make one."""
        if TRACER_KEY in context:
            return tracer_for(context)
        provider = RUNTIME.provider
        if provider is None:
            if _global_tracer() is None:
                return None
            provider = otel_trace.get_tracer_provider()
        if self._made_by[0] is not provider:
            tracer = provider.get_tracer(*self._scope)  # type: ignore[arg-type]  # what get_tracer below was given
            self._made_by = (provider, None if isinstance(tracer, NoOpTracer) else tracer)
        return self._made_by[1]

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> Span:
        """See opentelemetry.trace.Tracer. The span also gets its session's attributes."""
        if context is None:
            context = current()
        tracer = self._tracer(context)
        if tracer is not None and (session_id := session_id_of(context)) is not None:
            attributes = {**(attributes or {}), SESSION_ID: session_id}
        if tracer is not None and attributes:
            attributes = attributes_of(attributes)  # type: ignore[assignment]  # fit for OpenTelemetry
        return start_span(context, tracer, name, attributes, kind, links, start_time)

    @_agnosticcontextmanager
    def start_as_current_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> Iterator[Span]:
        """See opentelemetry.trace.Tracer."""
        span = self.start_span(name, context, kind, attributes, links, start_time)
        try:
            with otel_trace.use_span(span, record_exception=False, set_status_on_exception=False):
                yield span
        except Exception as error:  # as OpenTelemetry has it, but through the door
            if record_exception and span.is_recording():
                add_exception(span, error)
            if set_status_on_exception and span.is_recording():
                fail(span, error)
            raise
        finally:
            if end_on_exit:
                end_span(span)


class OpsTracerProvider(TracerProvider):
    """Gives OpsTracers. See `get_tracer_provider`."""

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> Tracer:
        """A tracer that looks up the tracer in force for each span."""
        return OpsTracer(instrumenting_module_name, instrumenting_library_version, schema_url, attributes)


_OPS_TRACER_PROVIDER = OpsTracerProvider()


def get_tracer_provider() -> TracerProvider:
    """A TracerProvider for OpenTelemetry instrumentation, so that its spans use the tracer in force here.

    Takes: nothing.
    Gives: a provider that may be passed on before `configure` is called.
    For each span it chooses: `tracer_context`, `configure`, the application's global provider, light spans.
    Raises: nothing.
    Specification: OpenTelemetry Trace API, TracerProvider.
    """
    return _OPS_TRACER_PROVIDER


class _InForce:
    """What `tracer_context` gives: a block in which spans are made with a tracer."""

    __slots__ = ("_attached", "_tracer")

    def __init__(self, tracer: Tracer | None, attached: Attached) -> None:
        self._tracer = tracer
        self._attached = attached

    def __enter__(self) -> Tracer | None:
        self._attached.__enter__()
        return self._tracer

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self._attached.__exit__(kind, *error)

    async def __aenter__(self) -> Tracer | None:
        return self.__enter__()

    async def __aexit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self.__exit__(kind, *error)


def tracer_context(tracer: Tracer | None) -> _InForce:
    """Make spans with another tracer for a `with` or `async with` block.

    Takes: `tracer`, any OpenTelemetry tracer; None for the one of `configure` or the application.
    Gives: a context manager whose value is `tracer`; the choice lives in the OpenTelemetry Context, so threads and
    tasks that carry it keep it.
    Raises: nothing.
    Specification: OpenTelemetry Trace API, Tracer.
    """

    def make() -> Context:
        context = current()
        if tracer is None:
            return Context({key: value for key, value in context.items() if key != TRACER_KEY})
        return with_value(context, TRACER_KEY, None if isinstance(tracer, NoOpTracer) else tracer)

    return _InForce(tracer, Attached(make))
