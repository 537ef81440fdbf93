"""Processors and spans of others that raise: the call goes on, and the log says what broke."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace as otel_trace
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider

import ops_lib as ops
from ops_lib.context.current import current


class Broken(SpanProcessor):
    def on_start(self, span: Span, parent_context: object = None) -> None:
        if span.name == "start":
            raise RuntimeError("processor broke at start")

    def on_end(self, span: ReadableSpan) -> None:
        raise RuntimeError("processor broke at end")


class Odd(otel_trace.NonRecordingSpan):
    """Of anyone's making."""

    def is_recording(self) -> bool:
        return True

    def _refuse(self, *args: object, **more: object) -> Any:
        raise RuntimeError("no")

    set_attribute = set_attributes = add_event = add_link = set_status = end = _refuse


WRITE, EXCEPTION = "could not write to span 's'", "could not write an exception to a span"
STATUS, END = "could not write a status to a span", "a span processor failed at the end of a span"


class TestBrokenParts:
    @pytest.mark.parametrize(
        ("write", "messages"),
        [
            (lambda span: span.set(a=1), [WRITE]),
            (lambda span: span.event("e").info("f"), [WRITE]),
            (lambda span: span.error("e"), [WRITE]),
            (lambda span: span.link(otel_trace.SpanContext(3, 4, False)), [WRITE]),
            (lambda span: span.record_exception(ValueError("x")), [EXCEPTION]),
            (lambda span: span.finish(), [END]),
            (lambda span: span.__exit__(ValueError, ValueError("x"), None), [EXCEPTION, STATUS, END]),
        ],
    )
    def test_a_foreign_span_that_raises_is_logged(
        self, write: Callable[[ops.Span], object], messages: list[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        """Each kind of failure once, with its exception."""
        write(ops.span("s").adopt(Odd(otel_trace.SpanContext(1, 2, False))))
        assert [record.getMessage() for record in caplog.records] == messages
        assert {record.levelname for record in caplog.records} == {"ERROR"}
        assert caplog.text.count("RuntimeError: no") == len(messages)

    def test_a_current_span_that_raises_is_none(self, caplog: pytest.LogCaptureFixture) -> None:
        class Raising(otel_trace.NonRecordingSpan):
            def get_span_context(self) -> otel_trace.SpanContext:
                raise RuntimeError("broken")

        with otel_trace.use_span(Raising(otel_trace.INVALID_SPAN_CONTEXT)):
            assert ops.current_span().trace_id is None
        assert [record.getMessage() for record in caplog.records] == [
            "could not ask the current span for its name and ids"
        ]

    @pytest.mark.parametrize(
        ("name", "message"), [("start", "the tracer could not start a span; it goes on unrecorded"), ("end", END)]
    )
    def test_a_failing_processor_never_raises(self, name: str, message: str, caplog: pytest.LogCaptureFixture) -> None:
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(Broken())
        ops.configure(tracer_provider=provider)
        with ops.span(name) as span:
            assert span.trace_id is not None
        assert [record.getMessage() for record in caplog.records] == [message]
        assert current() == {}
