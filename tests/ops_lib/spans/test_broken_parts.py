"""Processors and spans of others that raise: the call goes on, and the log says what broke."""

from __future__ import annotations

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


class TestBrokenParts:
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
