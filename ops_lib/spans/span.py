"""Spans by hand: `with span("name") as s:`.

A Span here wraps any OpenTelemetry span, and adds what that lacks.
It never raises into the caller, may be closed anywhere, and accepts any value for an attribute.
May know: `start`, the Context, sessions, capture.
Must not know functions and decorators.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import Token
from types import TracebackType
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, StatusCode
from opentelemetry.trace import Span as OtelSpan

from ops_lib.capture.render import render
from ops_lib.capture.stored import is_a
from ops_lib.context.current import EXTRACTION_KEY, SESSION_KEY, SPAN_KEY, attach, current, detach, leave, with_value
from ops_lib.context.sessions import SessionContext, session_id_of
from ops_lib.propagation import Extraction
from ops_lib.spans.attributes import attribute, attributes_of, name_of, text_of
from ops_lib.spans.configured import RUNTIME
from ops_lib.spans.exceptions import add_exception, record_exception
from ops_lib.spans.failures import FAILURES
from ops_lib.spans.start import SESSION_ID, end_span, start_span, tracer_for

# Names that the OpenTelemetry semantic conventions do not have.
TAGS: Final = "ops.tags"
SESSION_ATTRIBUTES: Final = "ops.session.attributes"


def session_attributes(context: Context) -> dict[str, object]:
    """The attributes of a span for its session."""
    session = context.get(SESSION_KEY)
    if isinstance(session, SessionContext) and session.attributes:
        attributes = render(session.attributes, RUNTIME.capture)
        return {SESSION_ID: attribute(session.id), SESSION_ATTRIBUTES: attributes}
    session_id = session_id_of(context)
    return {} if session_id is None else {SESSION_ID: attribute(session_id)}


def start_in(
    context: Context,
    name: str,
    attributes: Mapping[str, object],
    kind: SpanKind = SpanKind.INTERNAL,
    links: Sequence[Link] | None = None,
) -> OtelSpan:
    """A started span in `context` with `attributes` (as OpenTelemetry accepts them) and its session's. Never raises.

    If the headers named two traces, the loser becomes a link (docs/formats.md "Who wins").
    """
    tracer = tracer_for(context)
    if tracer is not None:
        if SESSION_KEY in context:
            attributes = {**session_attributes(context), **attributes}
        if (
            EXTRACTION_KEY in context
            and isinstance(extraction := context[EXTRACTION_KEY], Extraction)
            and extraction.conflicts
        ):
            parent = context.get(SPAN_KEY)
            if isinstance(parent, OtelSpan) and parent.get_span_context().is_remote:
                links = [*(links or ()), *_losers(extraction)]
    return start_span(context, tracer, name, attributes, kind, links)  # type: ignore[arg-type]  # fit for OpenTelemetry


def _losers(extraction: Extraction) -> list[Link]:
    return [
        Link(
            SpanContext(int(loser.trace_id, 16), int(loser.span_id, 16), True),
            {"ops.link.reason": "conflict", "ops.link.format": str(format)},
        )
        for format, loser in extraction.conflicts
    ]


class Span:
    """A span, for `with` and `async with`; made by `span`.

    Takes: `name`, what is done, of few different values; `attributes`; `kind`, SpanKind; `links`, spans that caused
    this one without being its parent, in any form that `link` takes.
    Gives: the span itself from the block.
    It starts when the block is entered, as a child of the current span, and ends with the block or by `finish`.
    An exception that leaves the block is recorded and goes on.
    Raises: RuntimeError if one span is entered a second time; nothing else, whatever exporters and processors do.
    Specification: OpenTelemetry Trace API, Span; semantic conventions, `exception.*`, `error.type`, `session.id`.
    """

    __slots__ = ("_attached", "_attributes", "_finished", "_kind", "_links", "_name", "_span", "_token")

    def __init__(
        self,
        name: str,
        attributes: Mapping[str, object] | None = None,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        links: Sequence[object] = (),
    ) -> None:
        self._name = name
        self._attributes = attributes
        self._kind = kind
        self._links = [Link(ids) for target in links if (ids := _ids_of(target)) is not None] if links else []
        self._span: OtelSpan | None = None
        self._token: Token[Context] | None = None
        self._attached: Context | None = None
        self._finished = False

    def adopt(self, span: OtelSpan, token: Token[Context] | None = None, attached: Context | None = None) -> Span:
        """Make this Span, which was not entered, the wrapper of an OpenTelemetry span that other code starts and ends.

        `attached` is the Context with that span, if it is in force, and `token` what `attach` gave for it.
        What was set and linked on this before goes to that span.
        Gives this Span.
        """
        self._span, self._token, self._attached = span, token, attached
        if span.is_recording():
            if self._attributes:
                self._guarded(span.set_attributes, attributes_of(self._attributes))
            for link in self._links:
                self._guarded(span.add_link, link.context, link.attributes)
        return self

    def __enter__(self) -> Span:
        if self._span is not None:
            raise RuntimeError(f"span {self._name!r} was entered before; make a new one with span(...)")
        context = current()
        attributes = attributes_of(self._attributes) if self._attributes else {}
        span = self._span = start_in(context, self._name, attributes, self._kind, self._links)
        attached = self._attached = with_value(context, SPAN_KEY, span)
        self._token = attach(attached)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        span = self._span
        if span is not None and not self._finished:
            if error is not None:
                record_exception(span, error)
            self._finished = True
            end_span(span)
        if self._token is not None and self._attached is not None:  # it was not finished within, as the one in force
            leave(self._token, self._attached, kind)
            self._token = self._attached = None

    async def __aenter__(self) -> Span:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __repr__(self) -> str:
        return f"Span({self._name!r}, trace_id={self.trace_id!r}, span_id={self.span_id!r})"

    def set(self, /, **attributes: object) -> Span:
        """Sets attributes: scalars and lists of one kind unchanged, other values as bounded JSON text.
        Gives the span.
        """
        if self._span is None:
            self._attributes = {**(self._attributes or {}), **attributes}
        elif self._span.is_recording():
            self._guarded(self._span.set_attributes, attributes_of(attributes))
        return self

    def event(self, name: str, /, **attributes: object) -> Span:
        """Adds an event with a name and attributes, as `set` takes them, at this moment. Gives the span."""
        if self._span is not None and self._span.is_recording():
            timestamp = RUNTIME.clock() if RUNTIME.clock is not None else None
            self._guarded(self._span.add_event, name_of(name), attributes_of(attributes), timestamp)
        return self

    def debug(self, message: str, /, **attributes: object) -> Span:
        """Adds the event `debug` with `level` and `message`. Gives the span."""
        return self.event("debug", **{"level": "debug", "message": message, **attributes})

    def info(self, message: str, /, **attributes: object) -> Span:
        """Adds the event `info` with `level` and `message`. Gives the span."""
        return self.event("info", **{"level": "info", "message": message, **attributes})

    def warning(self, message: str, /, **attributes: object) -> Span:
        """Adds the event `warning` with `level` and `message`. Gives the span."""
        return self.event("warning", **{"level": "warning", "message": message, **attributes})

    def error(self, message: str, /, **attributes: object) -> Span:
        """Adds the event `error` with `level` and `message`, and makes the span a failed one. Gives the span."""
        return self._failed(message).event("error", **{"level": "error", "message": message, **attributes})

    def critical(self, message: str, /, **attributes: object) -> Span:
        """Adds the event `critical` with `level` and `message`, and makes the span a failed one. Gives the span."""
        return self._failed(message).event("critical", **{"level": "critical", "message": message, **attributes})

    def record_exception(self, error: BaseException, /, **attributes: object) -> Span:
        """Adds the event `exception` for an error that was handled, with further attributes. Gives the span.

        As in OpenTelemetry, the span does not fail: use `error` for that.
        An exception that leaves the block is recorded anyway.
        """
        if self._span is not None and self._span.is_recording():
            self._guarded(add_exception, self._span, error, attributes)
        return self

    def link(self, target: object, /, **attributes: object) -> Span:
        """Links another span: a Span, an OpenTelemetry span, SpanContext or Context. Gives the span.

        Samplers see links that are set before the span starts. Anything but a valid span is ignored.
        """
        if (ids := _ids_of(target)) is not None:
            if self._span is None:
                self._links.append(Link(ids, attributes_of(attributes)))  # type: ignore[arg-type]  # fit for OpenTelemetry
            elif self._span.is_recording():
                self._guarded(self._span.add_link, ids, attributes_of(attributes))
        return self

    def finish(self) -> None:
        """Ends the span and detaches it; if an inner block is still open, it is detached when its own block ends.

        Further calls do nothing.
        """
        if self._finished or self._span is None:
            return
        self._finished = True
        end_span(self._span)
        if self._token is not None and self._attached is not None and current() is self._attached:
            detach(self._token, self._attached)
            self._token = self._attached = None

    def _failed(self, message: str) -> Span:
        if self._span is not None and self._span.is_recording():
            self._guarded(self._span.set_status, StatusCode.ERROR, text_of(message))
        return self

    def _guarded(self, call: Callable[..., object], *values: object) -> None:
        try:
            call(*values)
        except Exception:  # the outermost edge: the span may be of anyone's making
            FAILURES.tell("could not write to span %r", self._name)

    @property
    def name(self) -> str:
        """The given name."""
        return self._name

    @property
    def otel_span(self) -> OtelSpan | None:
        """The wrapped OpenTelemetry span; None before the span has started."""
        return self._span

    @property
    def span_context(self) -> SpanContext | None:
        """OpenTelemetry's SpanContext; None before the span has started."""
        return None if self._span is None else self._span.get_span_context()

    @property
    def trace_id(self) -> str | None:
        """32 lower-case hex digits; None before the span has started."""
        ids = self.span_context
        return None if ids is None else f"{ids.trace_id:032x}"

    @property
    def span_id(self) -> str | None:
        """16 lower-case hex digits; None before the span has started."""
        ids = self.span_context
        return None if ids is None else f"{ids.span_id:016x}"

    @property
    def is_noop(self) -> bool:
        """Whether it is not recorded: not started, unsampled, or nothing is configured. Its ids travel anyway."""
        return self._span is None or isinstance(self._span, NonRecordingSpan)


def _ids_of(target: Any) -> SpanContext | None:
    """The valid SpanContext that `target` is or has, or None."""
    try:
        kind = type(target)  # not `isinstance`, which reads the `__class__` of other objects
        if is_a(kind, Span):
            target = target.span_context
        elif is_a(kind, Context):
            target = target.get(SPAN_KEY)
        if is_a(type(target), OtelSpan):
            target = target.get_span_context()
        return target if is_a(type(target), SpanContext) and target.is_valid else None
    except Exception:  # the outermost edge: any object may be linked
        return None


def span(name: str, *, kind: object = SpanKind.INTERNAL, **attributes: object) -> Span:
    """A span for a `with` or `async with` block.

    Takes:

    - `name`: what is done; few different values, so no ids in it.
    - `kind`: OpenTelemetry's SpanKind; default: INTERNAL.
    - attributes as keywords: scalars and lists of one kind unchanged, other values as bounded JSON text with secrets
      scrubbed.

    A `kind` that is not a SpanKind is an attribute.
    For an attribute called `name`, use `Span.set`.
    Gives: a Span, also as the block's value.
    Its ids are real, and travel even if nothing is configured or sampled.
    Raises: nothing; an exception that leaves the block is recorded and goes on.
    Specification: OpenTelemetry Trace API, Span; semantic conventions, `exception.*`, `session.id`.
    """
    if kind.__class__ is not SpanKind:
        attributes["kind"] = kind
        kind = SpanKind.INTERNAL
    return Span(name, attributes, kind=kind)


def current_span() -> Span:
    """The span in force here, from any tracer, for `set`, `event`, `link` and its ids.

    Takes: nothing.
    Gives: a Span around the current OpenTelemetry span; without one in force, a Span that has not started: its ids are
    None, and writing to it does nothing.
    Do not enter or finish it.
    Raises: nothing.
    Specification: OpenTelemetry Trace API, Get Current Span.
    """
    found = current().get(SPAN_KEY)
    try:
        wrapper = Span(getattr(found, "name", ""))
        return wrapper.adopt(found) if isinstance(found, OtelSpan) and found.get_span_context().is_valid else wrapper
    except Exception:  # the outermost edge: the span may be of anyone's making
        FAILURES.tell("could not ask the current span for its name and ids")
        return Span("")
