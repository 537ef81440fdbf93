"""Spans by hand: nesting, attributes, events, links, failures, and what happens where nothing is configured."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace as otel_trace
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
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


def test_an_exception_is_recorded_and_goes_on(ops_spans: SpanCapture) -> None:
    with pytest.raises(ValueError, match="bad"), ops.span("s"):
        raise ValueError("bad")
    span = ops_spans.one("s")
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "ValueError: bad"
    assert span.attributes == {"error.type": "ValueError"}
    (event,) = span.events
    assert event.name == "exception"
    assert event.attributes is not None
    assert event.attributes["exception.type"] == "ValueError"
    assert event.attributes["exception.message"] == "bad"
    assert "test_span.py" in str(event.attributes["exception.stacktrace"])


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_an_exception_without_text_is_recorded_all_the_same(ops_spans: SpanCapture) -> None:
    with pytest.raises(UnprintableError), ops.span("s"):
        raise UnprintableError
    span = ops_spans.one("s")
    assert str(span.status.description).endswith("UnprintableError: [unreadable]")
    assert span.events[0].attributes is not None
    assert "UnprintableError" in str(span.events[0].attributes["exception.type"])


@pytest.mark.parametrize(
    ("error", "status", "events"),
    [
        (GeneratorExit(), StatusCode.UNSET, 0),
        (asyncio.CancelledError(), StatusCode.UNSET, 1),
        (SystemExit(0), StatusCode.UNSET, 1),
        (SystemExit(2), StatusCode.ERROR, 1),
        (KeyboardInterrupt(), StatusCode.ERROR, 1),
    ],
)
def test_what_is_no_failure(ops_spans: SpanCapture, error: BaseException, status: StatusCode, events: int) -> None:
    with pytest.raises(type(error)), ops.span("s"):
        raise error
    span = ops_spans.one("s")
    assert span.status.status_code is status
    assert len(span.events) == events


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


def test_a_handled_exception_is_recorded_and_is_no_failure(ops_spans: SpanCapture) -> None:
    with ops.span("s") as span:
        try:
            raise ValueError("bad")
        except ValueError as error:
            assert span.record_exception(error, attempt=2, self="x") is span
        span.record_exception(UnprintableError(), attempt=3)
    done = ops_spans.one("s")
    assert done.status.status_code is StatusCode.UNSET
    first, second = (dict(event.attributes or {}) for event in done.events)
    assert first["exception.type"] == "ValueError"
    assert first["exception.message"] == "bad"
    assert "test_span.py" in str(first["exception.stacktrace"])
    assert first["attempt"] == 2
    assert first["self"] == "x"
    assert second["exception.type"] == f"{__name__}.UnprintableError"
    assert second["attempt"] == 3


def test_recording_an_exception_outside_a_span_does_nothing() -> None:
    ops.current_span().record_exception(ValueError("bad"))
    with ops.span("unrecorded") as span:
        span.record_exception(ValueError("bad"))


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


class Broken(SpanProcessor):
    def on_start(self, span: Span, parent_context: object = None) -> None:
        if span.name == "start":
            raise RuntimeError("processor broke at start")

    def on_end(self, span: ReadableSpan) -> None:
        raise RuntimeError("processor broke at end")


class TestBrokenParts:
    @pytest.fixture(autouse=True)
    def no_detach_errors(self) -> None:
        """These log, and shall."""

    def test_a_foreign_span_that_raises_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        class Odd(otel_trace.NonRecordingSpan):
            def is_recording(self) -> bool:
                return True

            def set_attributes(self, attributes: object) -> None:
                raise RuntimeError("no")

        ops.span("s").adopt(Odd(otel_trace.SpanContext(1, 2, False))).set(a=1)
        assert "could not write to span 's'" in caplog.text

    def test_a_current_span_that_raises_is_none(self, caplog: pytest.LogCaptureFixture) -> None:
        class Raising(otel_trace.NonRecordingSpan):
            def get_span_context(self) -> otel_trace.SpanContext:
                raise RuntimeError("broken")

        with otel_trace.use_span(Raising(otel_trace.INVALID_SPAN_CONTEXT)):
            assert ops.current_span().trace_id is None
        assert "could not ask the current span" in caplog.text

    @pytest.mark.parametrize("name", ["start", "end"])
    def test_a_failing_processor_never_raises(self, name: str, caplog: pytest.LogCaptureFixture) -> None:
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(Broken())
        ops.configure(tracer_provider=provider)
        with ops.span(name) as span:
            assert span.trace_id is not None
        assert "processor" in caplog.text or "could not start" in caplog.text
        assert current() == {}


class TestWhatNoExporterCanEncode:
    """OTLP is UTF-8 and 64-bit integers. One name that is not would cost the whole batch, with everyone's spans."""

    @staticmethod
    def encoded(captured: SpanCapture) -> Any:
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

        (resource,) = encode_spans(captured.spans).resource_spans
        return [span for scope in resource.scope_spans for span in scope.spans]

    def test_names_and_messages(self, ops_spans: SpanCapture) -> None:
        with ops.span("name \udcff") as span:
            span.event("event \udcff").error("error \udcff")
        with pytest.raises(ValueError, match="odd"), ops.span("second"):
            raise ValueError("odd \udcff")
        with ops.get_tracer_provider().get_tracer("theirs").start_as_current_span("theirs \udcff"):
            pass
        assert self.encoded(ops_spans)[0].name == r"name \udcff"
        assert [event.name for event in self.encoded(ops_spans)[0].events] == [r"event \udcff", "error"]
        assert self.encoded(ops_spans)[0].status.message == r"error \udcff"
        assert self.encoded(ops_spans)[1].status.message == r"ValueError: odd \udcff"
        (exception,) = self.encoded(ops_spans)[1].events
        said = {pair.key: pair.value.string_value for pair in exception.attributes}
        assert said["exception.message"] == r"odd \udcff"
        assert said["exception.stacktrace"].startswith("Traceback")
        assert self.encoded(ops_spans)[2].name == r"theirs \udcff"

    def test_attributes(self, ops_spans: SpanCapture, caplog: pytest.LogCaptureFixture) -> None:
        values: dict[str, Any] = {"a": "\udcff", "b": ["\udcff", "ä"], "c": 1 << 63, "d": [1 << 63, 1]}
        values |= {"e": -(1 << 63), "f": ("x", "y")}
        with ops.span("s", **values) as span:
            span.info("\udcff", more="\udcff")
        assert dict(ops_spans.one("s").attributes or {}) == {
            "a": r"\udcff",
            "b": (r"\udcff", "ä"),
            "c": str(1 << 63),
            "d": f"[{1 << 63}, 1]",
            "e": -(1 << 63),
            "f": ("x", "y"),
        }
        (span,) = self.encoded(ops_spans)
        assert len(span.attributes) == 6
        assert caplog.text == ""

    def test_what_is_no_text(self, ops_spans: SpanCapture) -> None:
        class Mute:
            def __str__(self) -> str:
                raise MemoryError

        wrong: Any = ValueError("an exception")
        mute: Any = Mute()
        with ops.span(wrong) as span:
            span.error(wrong).event(wrong).error(mute)
        (encoded,) = self.encoded(ops_spans)
        assert encoded.name == "an exception"
        assert [event.name for event in encoded.events] == ["error", "an exception", "error"]


def test_the_name_may_be_said_by_name(ops_spans: SpanCapture) -> None:
    """As Mirascope has it. An attribute of that name goes by `set`."""
    with ops.span(name="checkout", cart=3) as span:
        span.set(name="n")
    assert ops_spans.one("checkout").attributes == {"cart": 3, "name": "n"}
