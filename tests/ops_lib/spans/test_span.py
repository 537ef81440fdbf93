"""Spans by hand: nesting, attributes, events, links, and what happens where nothing is configured."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace as otel_trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import SpanKind, StatusCode

import ops_lib as ops
from ops_lib.context.current import current
from ops_lib.testing import SpanCapture, capture_spans

pytestmark = pytest.mark.usefixtures("no_detach_errors")


def test_children_lie_under_their_parents(ops_spans: SpanCapture) -> None:
    with ops.span("request"):
        with ops.span("load"):
            pass
        with ops.span("save", rows=3):
            pass
    assert ops_spans.tree(attributes=["rows"]) == "request\n├─ load\n└─ save rows=3"


def test_ids_are_there_within_and_after(ops_spans: SpanCapture) -> None:
    span = ops.span("s")
    assert (span.trace_id, span.span_id, span.is_noop) == (None, None, True)
    with span as inside:
        assert inside is span
        assert (span.trace_id, span.span_id) == ("0000000000000001" * 2, "0000000000000001")
        assert not span.is_noop
    assert span.span_id == "0000000000000001"
    assert not span.is_noop


def test_unconfigured_has_real_ids_and_records_nothing() -> None:
    with ops.span("outer") as outer, ops.span("inner") as inner:
        assert outer.is_noop
        assert outer.trace_id == inner.trace_id != "0" * 32
        assert outer.span_id != inner.span_id
        assert otel_trace.get_current_span().get_span_context() == inner.span_context
        inner.set(a=1).event("e").info("i").error("x").link(outer)
    assert isinstance(otel_trace.get_tracer_provider(), otel_trace.ProxyTracerProvider)


async def test_async_with(ops_spans: SpanCapture) -> None:
    async def work(n: int) -> None:
        async with ops.span(f"task-{n}"):
            await asyncio.sleep(0)
            with ops.span(f"step-{n}"):
                await asyncio.sleep(0)

    async with ops.span("all"):
        await asyncio.gather(*(work(n) for n in range(2)))
    assert ops_spans.tree() == "all\n├─ task-0\n│  └─ step-0\n└─ task-1\n   └─ step-1"


def test_attributes_of_any_kind(ops_spans: SpanCapture) -> None:
    with ops.span("s", at_start="x", password="p") as span:
        span.set(n=1, f=0.5, b=True, words=["a", "b"], mixed=["a", 1], nested={"token": "t", "k": [1]}, none=None)
        span.set(n=2)
    assert ops_spans.one("s").attributes == {
        "at_start": "x",
        "password": "[scrubbed]",
        "n": 2,
        "f": 0.5,
        "b": True,
        "words": ("a", "b"),
        "mixed": '["a", 1]',
        "nested": '{"token": "[scrubbed]", "k": [1]}',
        "none": "null",
    }


def test_set_before_the_start_counts(ops_spans: SpanCapture) -> None:
    span = ops.span("s", a=1).set(b=2)
    with span:
        pass
    assert ops_spans.one("s").attributes == {"a": 1, "b": 2}


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "critical"])
def test_levels(ops_spans: SpanCapture, level: str) -> None:
    with ops.span("s") as span:
        getattr(span, level)("it happened", code=7)
    finished = ops_spans.one("s")
    (event,) = finished.events
    assert event.name == level
    assert event.attributes == {"level": level, "message": "it happened", "code": 7}
    failed = finished.status.status_code is StatusCode.ERROR
    assert failed == (level in ("error", "critical"))


def test_event(ops_spans: SpanCapture) -> None:
    with ops.span("s") as span:
        span.event("cache.miss", key="k", name="n", attempts=[1, 2])
    (event,) = ops_spans.one("s").events
    assert (event.name, dict(event.attributes or {})) == ("cache.miss", {"key": "k", "name": "n", "attempts": (1, 2)})


@pytest.mark.parametrize("name", ["self", "name", "kind", "fn", "attributes", "error", "target", "message", "span"])
def test_an_attribute_may_have_any_name(ops_spans: SpanCapture, name: str) -> None:
    with ops.span("s").set(**{name: 1}) as span:
        span.event("e", **{name: 2})
        span.info("m", **{name: 3})
        span.record_exception(ValueError(), **{name: 4})
        span.link(span, **{name: 5})
    done = ops_spans.one("s")
    assert (done.attributes or {})[name] == 1
    assert [(event.attributes or {})[name] for event in done.events] == [2, 3, 4]
    assert [(link.attributes or {})[name] for link in done.links] == [5]
    if name != "name":
        with ops.span("t", **{name: 1}):
            pass
        assert (ops_spans.one("t").attributes or {})[name] == 1


@pytest.mark.parametrize("kind", list(SpanKind))
def test_the_kind_of_a_span(ops_spans: SpanCapture, kind: SpanKind) -> None:
    with ops.span("s", kind=kind, a=1):
        pass
    assert ops_spans.one("s").kind is kind
    assert dict(ops_spans.one("s").attributes or {}) == {"a": 1}


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "critical"])
def test_what_is_logged_before_the_start_is_not_recorded(level: str, ops_spans: SpanCapture) -> None:
    span = ops.span("s")
    assert getattr(span, level)("early") is span
    with span:
        pass
    assert ops_spans.one("s").status.status_code is StatusCode.UNSET
    assert ops_spans.one("s").events == ()


def test_only_valid_links_reach_a_tracer() -> None:
    """Also one that does not look at them itself."""
    foreign = otel_trace.SpanContext(7, 8, True)
    asked: list[otel_trace.Link] = []

    class Unwary(otel_trace.Tracer):
        def start_span(self, *_: Any, links: Any = None, **__: Any) -> otel_trace.Span:
            raise NotImplementedError

        start_as_current_span = otel_trace.NoOpTracer.start_as_current_span

    def start_span(name: str, context: Any, kind: Any, attributes: Any, links: Any, start_time: Any) -> Any:
        asked.extend(links)
        return otel_trace.NonRecordingSpan(foreign)

    tracer = Unwary()
    tracer.start_span = start_span  # type: ignore[method-assign]
    with ops.tracer_context(tracer), ops.span("s").link(otel_trace.INVALID_SPAN_CONTEXT).link(foreign):
        pass
    assert [link.context for link in asked] == [foreign]


def test_links(ops_spans: SpanCapture) -> None:
    with ops.span("cause") as cause:
        pass
    assert cause.span_context is not None
    foreign = otel_trace.NonRecordingSpan(otel_trace.SpanContext(7, 8, True))
    with ops.span("s").link(cause, why="before") as span:
        span.link(foreign).link(cause.span_context).link(otel_trace.set_span_in_context(foreign))
        span.link(None).link(ops.span("not started")).link(otel_trace.INVALID_SPAN)
    links = ops_spans.one("s").links
    assert [link.context.span_id for link in links] == [cause.span_context.span_id, 8, cause.span_context.span_id, 8]
    assert dict(links[0].attributes or {}) == {"why": "before"}


def test_finish_ends_it_at_once(ops_spans: SpanCapture) -> None:
    with ops.span("outer"), ops.span("early") as span:
        span.finish()
        span.finish()
        assert len(ops_spans.named("early")) == 1
        span.set(late=1).event("late")
        with ops.span("after"):
            pass
    assert ops_spans.tree() == "outer\n├─ early\n└─ after"
    assert current() == {}


def test_finished_within_another_block_leaves_that_in_force(ops_spans: SpanCapture) -> None:
    with ops.span("outer") as outer:
        with ops.session(id="s"), ops.span("inner") as inner:
            outer.finish()
            assert ops.current_span().span_id == inner.span_id
        assert ops.current_session() is None
    assert current() == {}
    assert [span.name for span in ops_spans.spans] == ["outer", "inner"]


def test_a_generator_closed_within_another_span_leaves_that_in_force(ops_spans: SpanCapture) -> None:
    def numbers() -> Iterator[int]:
        with ops.session(id="s"), ops.span("inside"):
            yield 1

    generator = numbers()
    next(generator)
    with ops.span("elsewhere") as span:
        generator.close()
        assert ops.current_span().span_id == span.span_id
    assert len(ops_spans.spans) == 2


def test_a_span_is_entered_once(ops_spans: SpanCapture) -> None:
    with ops.span("s") as span, pytest.raises(RuntimeError, match="was entered before"), span:
        pass
    assert len(ops_spans.spans) == 1


def test_kind_and_links_of_the_constructor(ops_spans: SpanCapture) -> None:
    with ops.Span("cause") as cause:
        pass
    with ops.Span("s", {"http.request.method": "GET"}, kind=SpanKind.SERVER, links=[cause, "nonsense"]):
        pass
    span = ops_spans.one("s")
    assert (span.kind, len(span.links)) == (SpanKind.SERVER, 1)


def test_an_unsampled_span_stays_attached_so_that_its_decision_travels() -> None:
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    with capture_spans(sampler=ALWAYS_OFF) as captured:
        headers: dict[str, str] = {}
        with ops.span("s") as span, ops.span("t"):
            assert span.is_noop
            ops.inject_context(headers)
    assert captured.spans == []
    assert headers["traceparent"].startswith(f"00-{span.trace_id}-")
    assert int(headers["traceparent"][-2:], 16) & 1 == 0


def test_current_span(ops_spans: SpanCapture) -> None:
    assert ops.current_span().trace_id is None
    with ops.span("s") as span:
        ops.current_span().set(found=True)
        assert ops.current_span().span_id == span.span_id
    assert ops_spans.one("s").attributes == {"found": True}


def test_current_span_of_someone_else(ops_spans: SpanCapture) -> None:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("t")
    with tracer.start_as_current_span("theirs") as theirs:
        assert ops.current_span().name == "theirs"
        ops.current_span().set(mine=1)
        with ops.span("ours") as ours:
            assert ours.trace_id == f"{theirs.get_span_context().trace_id:032x}"
    assert isinstance(theirs, ReadableSpan)
    assert theirs.attributes == {"mine": 1}


def test_closed_in_another_context_is_quiet() -> None:
    """A plain generator with a span inside, closed where it was not begun."""

    def numbers() -> Iterator[int]:
        with ops.span("inside"):
            yield 1
            yield 2

    generator = numbers()
    contextvars.copy_context().run(next, generator)
    generator.close()
    assert current() == {}


def test_finished_on_another_thread(ops_spans: SpanCapture) -> None:
    span = ops.span("s").__enter__()
    thread = threading.Thread(target=span.finish)
    thread.start()
    thread.join()
    assert len(ops_spans.spans) == 1


def test_adopt_passes_on_what_was_set_before(ops_spans: SpanCapture) -> None:
    with ops.span("cause") as cause:
        pass
    made = TracerProvider(shutdown_on_exit=False).get_tracer("t").start_span("made")
    wrapper = ops.span("wrapper", a=1).link(cause).adopt(made)
    wrapper.set(b=2)
    assert isinstance(made, ReadableSpan)
    assert made.attributes == {"a": 1, "b": 2}
    assert len(made.links) == 1
    assert wrapper.otel_span is made


def test_the_name_may_be_said_by_name(ops_spans: SpanCapture) -> None:
    """As Mirascope has it. An attribute of that name goes by `set`."""
    with ops.span(name="checkout", cart=3) as span:
        span.set(name="n")
    assert ops_spans.one("checkout").attributes == {"cart": 3, "name": "n"}
