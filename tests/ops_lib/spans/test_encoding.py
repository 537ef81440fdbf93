"""What no exporter can encode never reaches one: OTLP is UTF-8 and 64-bit integers."""

from __future__ import annotations

from typing import Any

import pytest

import ops_lib as ops
from ops_lib.testing import SpanCapture

pytestmark = pytest.mark.usefixtures("no_detach_errors")


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
