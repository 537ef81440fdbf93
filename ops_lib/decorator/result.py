"""The result of `.wrapped(...)`: a call's result with its span, to be tagged and annotated later.

May know: spans.
By then the span has ended, and cannot be changed (OpenTelemetry Trace API, End).
So a tag or an annotation becomes a new span without duration: a child of the call's span, and linked to it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Generator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from opentelemetry.trace import Link
from opentelemetry.trace import Span as OtelSpan

from ops_lib.context.current import EMPTY, SPAN_KEY, with_value
from ops_lib.spans.attributes import attributes_of, tags_of
from ops_lib.spans.span import TAGS, Span, start_in
from ops_lib.spans.start import end_span

R = TypeVar("R", covariant=True)


class _Done:
    """An awaitable that is already done, so that AsyncTrace works with and without `await`."""

    __slots__ = ()

    def __await__(self) -> Generator[None, None, None]:
        return
        yield  # makes this a generator; never reached


def _record_later(span: Span, name: str, attributes: dict[str, object]) -> None:
    """A span `name` without duration under the ended `span`; nothing if that was not recorded.

    `attributes`: as OpenTelemetry accepts them.
    """
    made = span.otel_span
    if made is None or span.is_noop:
        return
    context = with_value(EMPTY, SPAN_KEY, made)
    later: OtelSpan = start_in(context, name, attributes, links=[Link(made.get_span_context())])
    end_span(later)


@dataclass(frozen=True, slots=True)
class _Wrapped(Generic[R]):
    result: R
    """The result of the call."""

    span: Span
    """The call's span; it has ended, except for a generator's, which lasts until the generator is done."""

    @property
    def trace_id(self) -> str | None:
        """32 lower-case hex digits; None for a generator that has not begun."""
        return self.span.trace_id

    @property
    def span_id(self) -> str | None:
        """16 lower-case hex digits; None for a generator that has not begun."""
        return self.span.span_id

    def _tag(self, tags: tuple[str, ...]) -> None:
        if tags:
            _record_later(self.span, "ops.tag", {TAGS: tags_of(tags)})

    def _annotate(self, label: str, reasoning: str | None, metadata: Mapping[str, object] | None) -> None:
        attributes: dict[str, object] = {"ops.annotation.label": label}
        if reasoning is not None:
            attributes["ops.annotation.reasoning"] = reasoning
        for key, value in (metadata or {}).items():
            attributes[f"ops.annotation.metadata.{key}"] = value
        _record_later(self.span, "ops.annotation", attributes_of(attributes))


@dataclass(frozen=True, slots=True)
class Trace(_Wrapped[R]):
    """A call's result with its span, as `.wrapped(...)` of a traced function gives it.

    Takes: `result` and `span`; made by the library.
    Gives: an immutable value with `result`, `span`, `trace_id`, `span_id`.
    Raises: nothing.
    Specification: OpenTelemetry Trace API; `ops.tag` and `ops.annotation` spans are ours.
    """

    def tag(self, *tags: str) -> None:
        """Tags the call: recorded as a span `ops.tag` under the call's, with `ops.tags`. Raises nothing."""
        self._tag(tags)

    def annotate(
        self, *, label: str, reasoning: str | None = None, metadata: Mapping[str, object] | None = None
    ) -> None:
        """Judges the call, as `label="pass"` or `"fail"`, with a reason and further facts. Raises nothing.

        Recorded as a span `ops.annotation` under the call's.
        """
        self._annotate(label, reasoning, metadata)


@dataclass(frozen=True, slots=True)
class AsyncTrace(_Wrapped[R]):
    """A coroutine's result with its span, as `await f.wrapped(...)` gives it.

    Takes: `result` and `span`; made by the library.
    Gives: an immutable value with `result`, `span`, `trace_id`, `span_id`.
    Raises: nothing.
    Specification: OpenTelemetry Trace API; `ops.tag` and `ops.annotation` spans are ours.
    """

    def tag(self, *tags: str) -> Awaitable[None]:
        """As Trace.tag. Done at the call; may be awaited."""
        self._tag(tags)
        return _Done()

    def annotate(
        self, *, label: str, reasoning: str | None = None, metadata: Mapping[str, object] | None = None
    ) -> Awaitable[None]:
        """As Trace.annotate. Done at the call; may be awaited."""
        self._annotate(label, reasoning, metadata)
        return _Done()
