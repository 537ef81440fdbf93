"""configure, flush, shutdown: what is set is in force, wrong settings change nothing, failing exporters hurt nobody."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry import trace as otel_trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

import ops_lib as ops
from ops_lib.spans.configured import RUNTIME
from ops_lib.testing import SpanCapture


class Memory(SpanExporter):
    """Keeps what it gets, or fails as it is told to."""

    def __init__(self, fails: str = "") -> None:
        self.fails = fails
        self.spans: list[ReadableSpan] = []
        self.shut_down = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if "export" in self.fails:
            raise RuntimeError("no export")
        self.spans += spans
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.shut_down += 1
        if "shutdown" in self.fails:
            raise RuntimeError("no shutdown")

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True


def resource_of(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.resource.attributes)


def test_an_exporter_of_ones_own() -> None:
    memory = Memory()
    ops.configure("shop", exporter=memory, resource={"deployment.environment.name": "test"}, tracer_version="1.2")
    with ops.span("s"):
        pass
    assert ops.flush()
    (span,) = memory.spans
    assert resource_of(span)["service.name"] == "shop"
    assert resource_of(span)["deployment.environment.name"] == "test"
    assert span.instrumentation_scope is not None
    assert (span.instrumentation_scope.name, span.instrumentation_scope.version) == ("ops_lib", "1.2")
    ops.shutdown()
    assert memory.shut_down == 1


def test_without_batch_each_span_goes_at_once() -> None:
    memory = Memory()
    ops.configure(exporter=memory, batch=False)
    with ops.span("s"):
        pass
    assert [span.name for span in memory.spans] == ["s"]


def test_a_span_processor_of_ones_own() -> None:
    captured = SpanCapture()
    ops.configure(exporter=captured)
    with ops.span("s"):
        pass
    assert captured.tree() == "s"


def test_a_provider_of_ones_own_is_left_running() -> None:
    captured, provider = SpanCapture(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(captured)
    ops.configure(tracer_provider=provider)
    with ops.span("s"):
        pass
    ops.shutdown()
    with ops.span("t") as span:
        assert span.is_noop
    provider.get_tracer("x").start_span("still").end()
    assert captured.tree() == "s\nstill"


def test_a_second_call_takes_effect() -> None:
    first, second = Memory(), Memory()
    ops.configure(exporter=first)
    with ops.span("one"):
        pass
    ops.configure(exporter=second, capture_args=False)
    with ops.span("two"):
        pass
    ops.flush()
    assert [span.name for span in first.spans] == ["one"]  # flushed by the second call
    assert first.shut_down == 1
    assert [span.name for span in second.spans] == ["two"]
    assert not RUNTIME.capture.arguments
    ops.configure(exporter="none")
    assert RUNTIME.capture.arguments  # each call is whole


def test_a_span_open_over_a_second_call_does_no_harm() -> None:
    ops.configure(exporter=Memory(), batch=False)
    second = Memory()
    with ops.span("across") as span:
        ops.configure(exporter=second, batch=False)
        with ops.span("child") as child:
            assert child.trace_id == span.trace_id
    assert [made.name for made in second.spans] == ["child"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"exporter": "zipkin"}, "unknown exporter 'zipkin'; known are: otlp, console, none"),
        ({"sampler": 1.5}, "ratio from 0 to 1, not 1.5"),
        ({"sampler": "sometimes"}, "unknown sampler 'sometimes'; known are: always_on"),
        ({"inject": "zipkin"}, "inject: unknown propagation format 'zipkin'"),
        (
            {"endpoint": "localhost:4318"},
            "endpoint must be a URL, http://host:port or https://..., not 'localhost:4318'",
        ),
        ({"endpoint": ""}, "endpoint must be a URL"),
        (
            {"tracer_provider": TracerProvider(shutdown_on_exit=False), "exporter": "none", "sampler": 1},
            "exporter, sampler",
        ),
    ],
)
def test_wrong_settings_change_nothing(settings: dict[str, Any], message: str) -> None:
    captured = SpanCapture()
    ops.configure(exporter=captured, capture_args=False)
    before, propagator = RUNTIME.snapshot(), ops.get_propagator()
    with pytest.raises(ValueError, match=message):
        ops.configure(**settings)
    assert RUNTIME.snapshot() == before
    assert ops.get_propagator() is propagator
    with ops.span("s"):
        pass
    assert captured.tree() == "s"


def test_one_further_name_may_stand_alone() -> None:
    """And is not taken for its letters, which would scrub nearly everything."""
    ops.configure(exporter="none", scrub="IBAN")
    assert RUNTIME.capture.scrub == {"iban"}


def test_for_ever_is_a_time_to_wait() -> None:
    ops.configure(exporter=Memory(), shutdown_timeout_s=float("inf"))
    with ops.span("s"):
        pass
    assert ops.flush(float("inf"))
    ops.shutdown()


def test_no_global_state_is_touched() -> None:
    from opentelemetry import propagate

    provider, textmap = otel_trace.get_tracer_provider(), propagate.get_global_textmap()
    with ops.span("s"):
        pass
    ops.configure(exporter="none", inject="b3")
    assert otel_trace.get_tracer_provider() is provider
    assert propagate.get_global_textmap() is textmap


def test_set_global_is_for_others_and_follows_later_calls() -> None:
    script = """
import ops_lib as ops
from opentelemetry import propagate, trace
from ops_lib.testing import SpanCapture
tracer = trace.get_tracer("theirs")
for _ in range(2):
    captured = SpanCapture()
    ops.configure(exporter=captured, set_global=True)
    with tracer.start_as_current_span("theirs"), ops.span("ours"):
        carrier = {}
        propagate.inject(carrier)
        assert "traceparent" in carrier
    assert captured.tree() == "theirs\\n└─ ours", captured.tree()
ops.shutdown()
with tracer.start_as_current_span("light"), ops.span("s") as span:
    assert span.is_noop
"""
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, timeout=60)


@pytest.mark.parametrize(
    ("sampler", "kept"),
    [
        (1, True),
        (0.0, False),
        ("always_on", True),
        ("Always_Off", False),
        ("parentbased_always_off", False),
        (None, True),
    ],
)
def test_samplers(sampler: float | str | None, kept: bool) -> None:
    captured = SpanCapture()
    ops.configure(exporter=captured, sampler=sampler)
    with ops.span("s"):
        pass
    assert bool(captured.spans) == kept


def test_the_samplers_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "from-env")
    captured = SpanCapture()
    ops.configure(exporter=captured)
    with ops.span("s"):
        pass
    ops.configure(exporter=captured, sampler=1.0)
    with ops.span("t"):
        pass
    assert captured.tree() == "t"
    assert resource_of(captured.one("t"))["service.name"] == "from-env"


def test_formats_and_scrubbing() -> None:
    captured = SpanCapture()
    ops.configure(
        exporter=captured, inject="b3", extract=["jaeger"], scrub=["IBAN"], capture_limits=ops.CaptureLimits(text=3)
    )

    @ops.trace(name="f")
    def f(my_iban: str, note: str) -> str:
        return note

    f("DE00", "abcdef")
    assert captured.one("f").attributes is not None
    assert dict(captured.one("f").attributes or {})["ops.arguments"] == '{"my_": "[scrubbed]", "not": "abc…"}'
    with ops.span("s"):
        headers: dict[str, str] = {}
        ops.inject_context(headers)
    assert set(headers) == {"b3"}


class TestFailing:
    @pytest.mark.parametrize("batch", [True, False])
    @pytest.mark.parametrize("fails", ["export", "shutdown", "export shutdown"])
    def test_exporters_never_raise(self, batch: bool, fails: str, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.CRITICAL, "opentelemetry")
        ops.configure(exporter=Memory(fails), batch=batch)
        with ops.span("s") as span:
            assert not span.is_noop
        ops.flush()
        ops.shutdown()

    def test_flush_that_fails_or_takes_too_long_says_so(self, caplog: pytest.LogCaptureFixture) -> None:
        class Slow(SpanProcessor):
            def force_flush(self, timeout_millis: int = 30000) -> bool:
                if timeout_millis == 1500:
                    return False
                raise RuntimeError("broken")

        ops.configure(exporter=Slow())
        assert ops.flush(1.5) is False
        assert ops.flush() is False
        assert "failed to flush" in caplog.text

    def test_flush_waits_no_longer_than_it_may(self) -> None:
        """The SDK's batch processor knows no timeout: it waits for the exporter."""
        begun, go_on = threading.Event(), threading.Event()

        class Stuck(Memory):
            def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
                begun.set()
                go_on.wait(10)
                return super().export(spans)

        ops.configure(exporter=Stuck())
        with ops.span("s"):
            pass
        assert ops.flush(0.05) is False
        assert begun.wait(10)
        go_on.set()
        assert ops.flush()

    def test_flush_and_shutdown_unconfigured(self) -> None:
        assert ops.flush()
        ops.shutdown()
        ops.shutdown()

    def test_provider_without_flush(self) -> None:
        ops.configure(tracer_provider=otel_trace.NoOpTracerProvider())
        assert ops.flush()


def test_console(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console,none")
    ops.configure()
    with ops.span("outer"), ops.span("inner"):
        pass
    lines = capsys.readouterr().err.splitlines()
    assert re.match(r"\d\d:\d\d:\d\d\.\d{3} trace ", lines[0])
    assert lines[1].startswith("outer ")
    assert lines[2].startswith("└─ inner ")


def test_json_is_what_goes_out() -> None:
    """Captured values are JSON, so that whoever stores them can read them again."""
    captured = SpanCapture()
    ops.configure(exporter=captured)
    ops.trace(name="f")(lambda a: {"b": [a]})(1)
    attributes = captured.one("f").attributes or {}
    assert json.loads(str(attributes["ops.result"])) == {"b": [1]}
