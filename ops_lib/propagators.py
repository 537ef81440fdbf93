"""Propagation in the process: between headers and the OpenTelemetry Context.

The wire rules are the heart's (`ops_lib.propagation`, FORMATS.md); here stands only what of an Extraction goes where in
the Context, and which span of the Context speaks for it on the way out. May know: the heart, the Context, sessions,
OpenTelemetry's span and baggage API, and the environment variables that choose the formats.
"""

from __future__ import annotations

import logging
import os
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Literal, TypeAlias

from opentelemetry import baggage as otel_baggage
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, TraceFlags, TraceState

from .context import EMPTY, EXTRACTION_KEY, SESSION_KEY, SPAN_KEY, Attached, current
from .light import RANDOM, LightSpan
from .propagation import (
    FORMATS,
    NOTHING,
    Baggage,
    Carrier,
    Extraction,
    Format,
    Member,
    MutableCarrier,
    Propagator,
    Sampling,
    TraceContext,
    UnknownFormatError,
    inject_into,
    parse_formats,
)
from .propagation.carrier import TRACE_NAMES
from .sessions import SESSION_HEADER_NAME, SessionContext, session_of

_log = logging.getLogger("ops_lib")

PropagatorFormat: TypeAlias = Literal["tracecontext", "b3", "b3multi", "jaeger", "composite"]
"""The names that `MIRASCOPE_PROPAGATOR` and ContextPropagator take; `composite` stands for the other four at once.

Specification: FORMATS.md; W3C Trace Context level 2, B3 (openzipkin/b3-propagation), Jaeger "Propagation format".
"""

FORMAT_VARIABLE = "MIRASCOPE_PROPAGATOR"
INJECT_VARIABLE = "OPS_PROPAGATION_INJECT"
EXTRACT_VARIABLE = "OPS_PROPAGATION_EXTRACT"

_WRITTEN = {
    Format.TRACECONTEXT: {"traceparent", "tracestate"},
    Format.B3: {"b3"},
    Format.B3MULTI: {"X-B3-TraceId", "X-B3-SpanId", "X-B3-ParentSpanId", "X-B3-Sampled", "X-B3-Flags"},
    Format.JAEGER: {"uber-trace-id"},
}

_BAGGAGE_KEY = next(iter(otel_baggage.set_baggage("k", "v", Context())))
_NO_STATE = TraceState.get_default()
_FLAGS = tuple(TraceFlags(bits) for bits in range(4))
_put = dict.__setitem__  # Context forbids item assignment to everyone but its maker


class RawTraceState(TraceState):
    """A tracestate as it came, parsed by OpenTelemetry only when somebody looks into it.

    So it costs nothing to pass on, and members that OpenTelemetry's parser does not know are not lost.
    """

    def __init__(self, raw: str) -> None:
        self.raw = raw
        self._parsed: TraceState | None = None

    def _full(self) -> TraceState:
        if self._parsed is None:
            self._parsed = TraceState.from_header([self.raw])
        return self._parsed

    def __contains__(self, item: object) -> bool:
        return item in self._full()

    def __getitem__(self, key: str) -> str:
        return self._full()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._full())

    def __len__(self) -> int:
        return len(self._full())

    def __repr__(self) -> str:
        return repr(self._full())

    def add(self, key: str, value: str) -> TraceState:
        """See TraceState."""
        return self._full().add(key, value)

    def update(self, key: str, value: str) -> TraceState:
        """See TraceState."""
        return self._full().update(key, value)

    def delete(self, key: str) -> TraceState:
        """See TraceState."""
        return self._full().delete(key)

    def to_header(self) -> str:
        """The text as it came."""
        return self.raw

    def keys(self) -> KeysView[str]:
        """See TraceState."""
        return self._full().keys()

    def items(self) -> ItemsView[str, str]:
        """See TraceState."""
        return self._full().items()

    def values(self) -> ValuesView[str]:
        """See TraceState."""
        return self._full().values()


def _state_text(state: TraceState) -> str:
    """The header text of the members that are not ours (ours is written afresh by the heart)."""
    if state is _NO_STATE:
        return ""
    if isinstance(state, RawTraceState):
        return state.raw
    return (state.delete("ops") if "ops" in state else state).to_header()


def _formats(names: str | Iterable[str], source: str) -> tuple[Format, ...]:
    """The formats that `names` names. Raises UnknownFormatError telling `source` and the right names."""
    try:
        formats = parse_formats(names)
    except UnknownFormatError as error:
        raise UnknownFormatError(f"{source}: {error}") from None
    if not formats:
        raise UnknownFormatError(f"{source}: no format named; known are: {', '.join(FORMATS)}, composite")
    return formats


def _speaker(context: Context, extraction: Extraction) -> TraceContext | None:
    """What goes out for `context`: None where the extraction itself does (nothing of ours came after it), or is all."""
    span = context.get(SPAN_KEY)
    came = extraction.context
    if span.__class__ is LightSpan:
        trace_id = f"{span.trace_id:032x}"
        span_id = f"{span.span_id:016x}"
        flags: int = span.flags
        state: TraceState = span.state
        decided: bool = span.decided
    elif isinstance(span, Span) and (ids := span.get_span_context()).is_valid:
        trace_id = f"{ids.trace_id:032x}"
        span_id = f"{ids.span_id:016x}"
        if came is not None and came.span_id == span_id and came.trace_id == trace_id:
            return None
        flags = ids.trace_flags
        state = ids.trace_state
        decided = True
    else:
        return None
    sampling = Sampling.ACCEPT if flags & 1 else Sampling.DENY
    short = False
    if came is not None and came.trace_id == trace_id:
        short = came.short
        if flags & 1:
            if came.sampling is Sampling.DEBUG:
                sampling = Sampling.DEBUG
        elif not decided:
            sampling = Sampling.DEFER
    return TraceContext(
        trace_id, span_id, sampling, short, bool(flags & RANDOM), None, "" if state is _NO_STATE else _state_text(state)
    )


def _baggage_of(context: Context, came: Baggage | None) -> Baggage | None:
    """The baggage of `context`; members that are still what came in go out as they came, properties included."""
    entries = context.get(_BAGGAGE_KEY)
    if not isinstance(entries, Mapping) or not entries:
        return None
    raw = {member.key: member for member in came.members} if came is not None else {}
    baggage = Baggage(())
    for key, value in entries.items():
        name, text = str(key), str(value)
        if (member := raw.get(name)) is not None and came is not None and came.get(name) == text:
            baggage = Baggage((*baggage.members, Member(name, member.value)))
        elif name and all(character.isalnum() or character in "!#$%&'*+-.^_`|~" for character in name):
            baggage = baggage.with_member(name, text)
    return baggage if baggage.members else None


def _owns_trace(name: str) -> bool:
    """Whether `name` is a trace header of any format, in any case, or its underscore twin."""
    return name.lower().replace("_", "-") in TRACE_NAMES


class ContextPropagator:
    """Reads headers into an OpenTelemetry Context, and writes a Context into headers.

    Takes: `extract` and `inject`, each a format name, several joined by commas, or a list of them (PropagatorFormat);
    `propagator`, a ready heart propagator instead; `set_global`, whether it also becomes OpenTelemetry's global
    propagator (default: no global state is touched). What is not given comes from the environment:
    `OPS_PROPAGATION_INJECT`, or else `MIRASCOPE_PROPAGATOR` (default `tracecontext`), is written;
    `OPS_PROPAGATION_EXTRACT` is read, or else every format, the written ones first.
    Gives: an immutable object, safe to share between threads.
    Raises: ValueError (UnknownFormatError) listing the right names where a name is wrong, and where it came from.
    Specification: FORMATS.md; OpenTelemetry "Propagators API".
    """

    __slots__ = ("propagator",)

    def __init__(
        self,
        *,
        extract: str | Iterable[str] | None = None,
        inject: str | Iterable[str] | None = None,
        propagator: Propagator | None = None,
        set_global: bool = False,
    ) -> None:
        if propagator is None:
            if inject is not None:
                injected = _formats(inject, "inject")
            else:
                name = INJECT_VARIABLE if os.environ.get(INJECT_VARIABLE) else FORMAT_VARIABLE
                injected = _formats(os.environ.get(name) or Format.TRACECONTEXT, name)
            if extract is not None:
                extracted = _formats(extract, "extract")
            elif text := os.environ.get(EXTRACT_VARIABLE):
                extracted = _formats(text, EXTRACT_VARIABLE)
            else:
                extracted = tuple(dict.fromkeys((*injected, *FORMATS)))
            propagator = Propagator(extract=extracted, inject=injected)
        self.propagator = propagator
        if set_global:
            from opentelemetry.propagate import set_global_textmap

            from .textmap import OpsPropagator

            set_global_textmap(OpsPropagator(self))

    def extract_context(self, carrier: Carrier, context: Context | None = None) -> Context:
        """The Context that `carrier` tells of.

        Takes: `carrier`, headers in any form (see `ops_lib.extract_context`); `context`, on which to build (default: an
        empty one). Gives: `context` with the caller's span, session and baggage in it, as far as the headers tell of
        them. Raises: nothing; what cannot be read is left out. Specification: FORMATS.md.
        """
        base = EMPTY if context is None else context
        try:
            extraction = self.propagator.extract(self.propagator.fields(carrier))
        except Exception:  # the outermost edge: a carrier may be anything
            _log.warning("could not read headers from %s", type(carrier), exc_info=True)
            return base
        return base if extraction is NOTHING else into_context(extraction, base)

    def inject_context(self, carrier: MutableCarrier, context: Context | None = None) -> None:
        """Write `context` into `carrier`.

        Takes: `carrier`, a mutable mapping or a list of pairs; `context` (default: the current one). Headers of other
        formats that it holds already are removed where a trace is written. Gives: nothing; `carrier` is changed.
        Raises: nothing; a carrier that cannot be written is logged. Specification: FORMATS.md "Order, conflict, clearing".
        """
        headers, has_trace = self.headers(current() if context is None else context)
        if headers:
            try:
                inject_into(carrier, headers, owns=_owns_trace if has_trace else None)
            except Exception:  # the outermost edge: a carrier may be anything
                _log.warning("could not write headers into %s", type(carrier), exc_info=True)

    @property
    def written(self) -> set[str]:
        """The names of the headers that may be written; those of Jaeger's baggage depend on it and are left out."""
        names = {SESSION_HEADER_NAME, "baggage"}
        for format in self.propagator.inject_formats:
            names |= _WRITTEN[format]
        return names

    def headers(self, context: Context) -> tuple[tuple[tuple[str, str], ...], bool]:
        """The headers for `context`, and whether a trace is among them. Raises nothing."""
        extraction = context.get(EXTRACTION_KEY)
        came = extraction if isinstance(extraction, Extraction) else NOTHING
        speaker = _speaker(context, came)
        session = session_of(context)
        baggage = _baggage_of(context, came.baggage) if _BAGGAGE_KEY in context else None
        if speaker is None and came.context is not None and SPAN_KEY not in context:
            came = came._replace(context=None)  # somebody has cleared the span: nothing of the caller's is left
        session_id = None if session is None else session.id
        if session_id is not came.session or baggage is not None or came.baggage is not None:
            came = came._replace(session=session_id, baggage=baggage)
        injection = self.propagator.inject(came, context=speaker)
        return injection.headers, injection.context is not None or came.decision is not None


def into_context(extraction: Extraction, base: Context) -> Context:
    """`base` with what `extraction` says put in its places."""
    context = Context(base)
    came = extraction.context
    before = base.get(EXTRACTION_KEY)
    if came is None and extraction.decision is None and isinstance(before, Extraction):
        extraction = before._replace(
            session=extraction.session or before.session, baggage=extraction.baggage or before.baggage
        )
    _put(context, EXTRACTION_KEY, extraction)
    if came is not None:
        flags = _FLAGS[(1 if came.sampling >= Sampling.ACCEPT else 0) | (2 if came.random else 0)]
        state = RawTraceState(came.tracestate) if came.tracestate else _NO_STATE
        ids = SpanContext(int(came.trace_id, 16), int(came.span_id, 16), True, flags, state)
        _put(context, SPAN_KEY, NonRecordingSpan(ids))
    if extraction.session is not None:
        _put(context, SESSION_KEY, SessionContext(extraction.session))
    if extraction.baggage is not None:
        _put(context, _BAGGAGE_KEY, {key: extraction.baggage.get(key) for key, _ in extraction.baggage.members})
    return context


_propagator: ContextPropagator | None = None  # made from the environment when first needed


def get_propagator() -> ContextPropagator:
    """The propagator in force.

    Takes: nothing. Gives: the one that `set_propagator` or `configure` has set, or else one made from the environment
    (see ContextPropagator) and kept. Raises: ValueError when the environment names an unknown format.
    Specification: OpenTelemetry "Propagators API", global propagators.
    """
    global _propagator
    if _propagator is None:
        _propagator = ContextPropagator()
    return _propagator


def set_propagator(propagator: ContextPropagator | None) -> None:
    """Put a propagator in force for this process.

    Takes: a ContextPropagator, or None to have it made from the environment again. Gives: nothing.
    Raises: nothing. Specification: OpenTelemetry "Propagators API", Set Global Propagator (ours alone is set).
    """
    global _propagator
    _propagator = propagator


def reset_propagator() -> None:
    """Forget the propagator in force; the next use makes one from the environment.

    Takes: nothing. Gives: nothing. Raises: nothing. Specification: none; the same as `set_propagator(None)`.
    """
    set_propagator(None)


def extract_context(carrier: Carrier, *, context: Context | None = None) -> Context:
    """What headers say, as an OpenTelemetry Context.

    Takes: `carrier`, a mapping of any letter case with `str`, `bytes` or lists as values, a multidict, or a list of
    pairs of `str` or `bytes` (ASGI); `context`, on which to build (default: an empty one, nothing of here gets in).
    Gives: a Context with the caller's span (a remote NonRecordingSpan), session and baggage, as far as the headers tell
    of them; for `propagated_context(parent=...)` or any OpenTelemetry function.
    Raises: ValueError when the environment names an unknown format; never for what the headers hold.
    Specification: FORMATS.md; W3C Trace Context level 2, B3, Jaeger, W3C Baggage.
    """
    return get_propagator().extract_context(carrier, context)


def inject_context(carrier: MutableCarrier, *, context: Context | None = None) -> None:
    """Write the trace, the session and the baggage in force into the headers of an outgoing message.

    Takes: `carrier`, a mutable mapping or a list of pairs, changed in place: an entry that differs only in case is
    replaced, and stale trace headers of any format go; `context`, whose values are written (default: the current one).
    Gives: nothing. Raises: ValueError when the environment names an unknown format; nothing else.
    Specification: FORMATS.md "Order, conflict, clearing"; W3C Trace Context level 2, B3, Jaeger, W3C Baggage.
    """
    get_propagator().inject_context(carrier, context)


def extract_session_id(headers: Carrier) -> str | None:
    """The session id that headers carry.

    Takes: `headers` in any form that `extract_context` takes. Gives: the id, or None where there is none or a malformed
    one. Raises: ValueError when the environment names an unknown format; never for what the headers hold.
    Specification: FORMATS.md "Session".
    """
    found = session_of(get_propagator().extract_context(headers))
    return None if found is None else found.id


def propagated_context(*, parent: Context | None = None, extract_from: Carrier | None = None) -> Attached:
    """Continue the caller's trace, session and baggage for a `with` or `async with` block.

    Takes exactly one of: `extract_from`, headers in any form that `extract_context` takes, laid over the Context in
    force (what they say nothing of stays); `parent`, a Context as `extract_context` gives, put in force as it is.
    Gives: a context manager whose value is the Context in force within. It is taken away at the end, on exceptions too.
    Raises: ValueError when both or neither are given, or when the environment names an unknown format.
    Specification: FORMATS.md; OpenTelemetry Context API, attach and detach.
    """
    if parent is not None and extract_from is not None:
        raise ValueError("propagated_context takes either parent or extract_from, not both")
    if parent is not None:
        return Attached(lambda: parent)
    if extract_from is None:
        raise ValueError("propagated_context needs parent (a Context) or extract_from (headers)")
    propagator = get_propagator()
    return Attached(lambda: propagator.extract_context(extract_from, current()))
