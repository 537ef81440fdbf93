"""Who makes spans: the order of precedence, and what is known of samplers beforehand."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from opentelemetry import trace as otel_trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_OFF,
    DEFAULT_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import NonRecordingSpan, SpanKind

import ops_lib as ops
from ops_lib.context.current import EMPTY, EXTRACTION_KEY, attach, current, detach, with_value
from ops_lib.spans.unrecorded import LightSpan
from ops_lib.testing import SpanCapture, capture_spans

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID = "00f067aa0ba902b7"


def recorder(sampler: Sampler = DEFAULT_ON) -> tuple[TracerProvider, SpanCapture]:
    provider, captured = TracerProvider(sampler=sampler, shutdown_on_exit=False), SpanCapture()
    provider.add_span_processor(captured)
    return provider, captured


@pytest.fixture
def global_provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[SpanCapture]:
    provider, captured = recorder()
    monkeypatch.setattr(otel_trace, "_TRACER_PROVIDER", provider)
    yield captured


def test_the_applications_global_provider_is_used(global_provider: SpanCapture) -> None:
    with ops.span("s"):
        pass
    assert global_provider.tree() == "s"


def test_a_global_provider_set_later_is_used_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with ops.span("before") as span:
        assert span.is_noop
    for _ in range(2):
        provider, captured = recorder()
        monkeypatch.setattr(otel_trace, "_TRACER_PROVIDER", provider)
        with ops.span("after"):
            pass
        assert captured.tree() == "after"


def test_what_configure_has_set_goes_before_the_global_one(global_provider: SpanCapture) -> None:
    provider, captured = recorder()
    ops.configure(tracer_provider=provider)
    with ops.span("s"):
        pass
    ops.shutdown()
    with ops.span("t"):
        pass
    assert (captured.tree(), global_provider.tree()) == ("s", "t")


def test_tracer_context_goes_before_all(ops_spans: SpanCapture) -> None:
    provider, captured = recorder()
    tracer = provider.get_tracer("mine")
    with ops.tracer_context(tracer):
        with ops.span("mine"), ops.tracer_context(None), ops.span("back"):
            pass
        assert captured.one("mine").instrumentation_scope is not None
    with ops.span("after"):
        pass
    assert (captured.tree(), ops_spans.tree()) == ("mine", "back\nafter")
    assert ops_spans.one("back").parent is not None


async def test_tracer_context_gives_the_tracer() -> None:
    tracer = recorder()[0].get_tracer("mine")
    with ops.tracer_context(tracer) as given, ops.tracer_context(None) as none:
        assert given is tracer
        assert none is None
    async with ops.tracer_context(tracer) as given:
        assert given is tracer
        with ops.span("s") as span:
            assert not span.is_noop
    with ops.span("s") as span:
        assert span.is_noop


def test_a_no_op_tracer_still_makes_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    with ops.tracer_context(otel_trace.NoOpTracer()), ops.span("s") as span:
        assert span.span_context is not None
        assert span.span_context.is_valid
    monkeypatch.setattr(otel_trace, "_TRACER_PROVIDER", otel_trace.NoOpTracerProvider())
    with ops.span("s") as span:
        assert span.span_context is not None
        assert span.span_context.is_valid


def test_sdk_disabled_still_makes_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    ops.configure(exporter="none")
    with ops.span("s") as span:
        assert span.is_noop
        assert span.span_context is not None
        assert span.span_context.is_valid


class Counting(Sampler):
    """Samples what it is told to, and counts how often it is asked."""

    def __init__(self, decision: Decision = Decision.RECORD_AND_SAMPLE) -> None:
        self.asked = 0
        self.decision = decision

    def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
        self.asked += 1
        return SamplingResult(self.decision)

    def get_description(self) -> str:
        return "Counting"


@pytest.mark.parametrize(
    ("sampler", "root", "below_sampled", "below_unsampled"),
    [
        (ALWAYS_ON, True, True, True),
        (ALWAYS_OFF, False, False, False),
        (DEFAULT_ON, True, True, False),
        (DEFAULT_OFF, False, True, False),
        (TraceIdRatioBased(1.0), True, True, True),
        (ParentBased(TraceIdRatioBased(0.0)), False, True, False),
        (
            ParentBased(ALWAYS_ON, remote_parent_not_sampled=ALWAYS_ON, local_parent_not_sampled=ALWAYS_ON),
            True,
            True,
            True,
        ),
        (Counting(), True, True, True),
    ],
)
def test_samplers_decide_as_with_the_sdk_alone(
    sampler: Sampler, root: bool, below_sampled: bool, below_unsampled: bool
) -> None:
    """The short cut for what is dropped for certain changes no decision."""
    with capture_spans(sampler=sampler) as captured:
        with ops.span("root") as span, ops.span("child") as child:
            assert child.trace_id == span.trace_id
        assert bool(captured.named("root")) == root
        assert bool(captured.named("child")) == root
        for flags, expected in (("01", below_sampled), ("00", below_unsampled)):
            captured.clear()
            headers = {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-{flags}"}
            out: dict[str, str] = {}
            with ops.propagated_context(extract_from=headers), ops.span("s"), ops.span("t"):
                ops.inject_context(out)
            assert bool(captured.spans) == expected
            assert out["traceparent"].startswith(f"00-{TRACE_ID}-")
            assert bool(int(out["traceparent"][-2:], 16) & 1) == expected


def test_a_foreign_unsampled_parent(ops_spans: SpanCapture) -> None:
    parent = otel_trace.NonRecordingSpan(otel_trace.SpanContext(5, 6, False))
    with otel_trace.use_span(parent), ops.span("s") as span:
        assert span.is_noop
        assert span.trace_id == f"{5:032x}"


@pytest.mark.parametrize("decision", [Decision.DROP, Decision.RECORD_AND_SAMPLE])
def test_where_the_caller_left_it_open_the_sampler_decides(decision: Decision) -> None:
    """B3 without a decision: asked as if it were a new trace, whatever ParentBased says of remote parents."""
    sampler = Counting(decision)
    with capture_spans(sampler=ParentBased(sampler)) as captured:
        with ops.propagated_context(extract_from={"b3": f"{TRACE_ID}-{SPAN_ID}"}), ops.span("s") as span:
            assert span.trace_id == TRACE_ID
        assert len(captured.spans) == (1 if decision is Decision.RECORD_AND_SAMPLE else 0)
    assert sampler.asked == 1


def test_where_a_light_span_left_it_open_the_sampler_decides() -> None:
    with ops.propagated_context(extract_from={"b3": f"{TRACE_ID}-{SPAN_ID}"}), ops.span("unconfigured"):
        with capture_spans() as captured, ops.span("s") as span:
            assert not span.is_noop
        assert captured.one("s").parent is not None


@pytest.mark.parametrize(("header", "recorded"), [("1", True), ("d", True), ("0", False)])
def test_a_bare_decision_is_obeyed(header: str, recorded: bool) -> None:
    with capture_spans(sampler=ParentBased(TraceIdRatioBased(0.0))) as captured:
        with ops.propagated_context(extract_from={"b3": header}), ops.span("s"), ops.span("t"):
            pass
        assert len(captured.spans) == (2 if recorded else 0)


def test_a_broken_sampler_costs_the_record_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Sampler):
        def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
            raise RuntimeError("no idea")

        def get_description(self) -> str:
            raise RuntimeError("no words")

    provider, _ = recorder(Broken())
    ops.configure(tracer_provider=provider)
    with ops.span("s") as span:
        assert span.span_context is not None
        assert span.span_context.is_valid
    assert "could not start a span" in caplog.text
    assert "cannot describe itself" in caplog.text


class TestProviderForOthers:
    def test_follows_configure(self) -> None:
        tracer = ops.get_tracer_provider().get_tracer("opentelemetry.instrumentation.x", "1.0")
        with tracer.start_as_current_span("light") as light:
            assert light.get_span_context().is_valid
            assert not light.is_recording()
        for _ in range(2):
            provider, captured = recorder()
            ops.configure(tracer_provider=provider)
            with ops.session(id="s-1"), tracer.start_as_current_span("theirs", kind=SpanKind.CLIENT), ops.span("ours"):
                pass
            assert captured.tree(attributes=["session.id"]) == "theirs session.id=s-1\n└─ ours session.id=s-1"
            theirs = captured.one("theirs")
            assert theirs.kind is SpanKind.CLIENT
            assert theirs.instrumentation_scope is not None
            assert theirs.instrumentation_scope.name == "opentelemetry.instrumentation.x"

    def test_follows_the_applications_global_one(self, global_provider: SpanCapture) -> None:
        span = ops.get_tracer_provider().get_tracer("x").start_span("s", attributes={"a": 1})
        span.end()
        assert global_provider.one("s").attributes == {"a": 1}

    def test_asks_a_provider_once_for_its_tracer(self) -> None:
        provider, captured = recorder()
        asked: list[str] = []

        class Counting(TracerProvider):
            def get_tracer(self, *scope: Any, **more: Any) -> otel_trace.Tracer:
                asked.append(scope[0])
                return provider.get_tracer(*scope, **more)

        ops.configure(tracer_provider=Counting(shutdown_on_exit=False))
        tracer = ops.get_tracer_provider().get_tracer("theirs")
        for name in ("a", "b"):
            tracer.start_span(name).end()
        assert [span.name for span in captured.spans] == ["a", "b"]
        assert asked.count("theirs") == 1

    def test_follows_tracer_context(self) -> None:
        provider, captured = recorder()
        with ops.tracer_context(provider.get_tracer("y")):
            ops.get_tracer_provider().get_tracer("x").start_span("s", Context({})).end()
            ops.get_tracer_provider().get_tracer("x").start_span("t").end()
        assert [span.name for span in captured.spans] == ["t"]

    def test_records_exceptions_as_the_sdk_does(self, ops_spans: SpanCapture) -> None:
        tracer = ops.get_tracer_provider().get_tracer("x")
        with pytest.raises(KeyError), tracer.start_as_current_span("s"):
            raise KeyError("k")
        assert ops_spans.one("s").events[0].name == "exception"

    def test_cannot_be_given_to_configure(self) -> None:
        with pytest.raises(ValueError, match="it would recurse"):
            ops.configure(tracer_provider=ops.get_tracer_provider())

    def test_as_the_global_provider_without_configuration_makes_light_spans(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(otel_trace, "_TRACER_PROVIDER", ops.get_tracer_provider())
        with otel_trace.get_tracer("x").start_as_current_span("s") as span, ops.span("t") as inner:
            assert span.get_span_context().is_valid
            assert inner.trace_id == f"{span.get_span_context().trace_id:032x}"


def test_what_others_put_where_the_extraction_is_changes_nothing(ops_spans: SpanCapture) -> None:
    token = attach(with_value(EMPTY, EXTRACTION_KEY, "theirs"))
    with ops.span("s"):
        pass
    detach(token, current())
    assert ops_spans.one("s").parent is None


def test_the_public_way_to_the_global_provider(monkeypatch: pytest.MonkeyPatch, global_provider: SpanCapture) -> None:
    """Should OpenTelemetry keep it elsewhere one day."""
    from ops_lib.spans import start

    monkeypatch.setattr(start, "_HAS_SHORTCUT", False)
    with ops.span("s"):
        pass
    spans: Sequence[ReadableSpan] = global_provider.spans
    assert len(spans) == 1


def test_a_tracer_that_cannot_be_remembered() -> None:
    class Odd(otel_trace.NoOpTracer):
        __hash__ = None  # type: ignore[assignment]  # this is the test

    class Proxy(otel_trace.Tracer):
        __hash__ = None  # type: ignore[assignment]  # this is the test

        def start_span(self, name: str, *args: Any, **kwargs: Any) -> otel_trace.Span:
            return otel_trace.NonRecordingSpan(otel_trace.SpanContext(5, 6, False))

        start_as_current_span = Odd.start_as_current_span

    with ops.tracer_context(Proxy()), ops.span("s") as span:
        assert span.span_id == f"{6:016x}"


def test_a_global_provider_that_fails_costs_the_record_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(otel_trace.TracerProvider):
        def get_tracer(self, *args: Any, **kwargs: Any) -> otel_trace.Tracer:
            raise RuntimeError("broken")

    monkeypatch.setattr(otel_trace, "_TRACER_PROVIDER", Broken())
    for _ in range(3):
        with ops.span("s") as span:
            assert span.trace_id is not None
    assert [record.getMessage() for record in caplog.records] == [
        "the global tracer provider has no tracer for us; spans go on unrecorded"
    ]


def otel_parent(flags: int, trace_id: int = int(TRACE_ID, 16)) -> NonRecordingSpan:
    return NonRecordingSpan(otel_trace.SpanContext(trace_id, int(SPAN_ID, 16), True, otel_trace.TraceFlags(flags)))


@pytest.mark.parametrize(
    ("sampler", "parent", "is_dropped"),
    [
        (DEFAULT_ON, None, False), (DEFAULT_OFF, None, True), (ALWAYS_ON, None, False), (ALWAYS_OFF, None, True),
        (DEFAULT_ON, f"{TRACE_ID}-{SPAN_ID}-0", True), (DEFAULT_ON, f"{TRACE_ID}-{SPAN_ID}-1", False),
        (DEFAULT_OFF, f"{TRACE_ID}-{SPAN_ID}-1", False), (ALWAYS_OFF, f"{TRACE_ID}-{SPAN_ID}-1", True),
        (ALWAYS_ON, f"{TRACE_ID}-{SPAN_ID}-0", False), (DEFAULT_ON, "0", True), (DEFAULT_ON, "1", False),
        (DEFAULT_ON, otel_parent(0), True), (DEFAULT_ON, otel_parent(1), False), (ALWAYS_ON, otel_parent(0), False),
        (DEFAULT_ON, otel_parent(0, 0), False), (DEFAULT_ON, otel_parent(2), True),
        (DEFAULT_OFF, otel_parent(1), False),
    ],
)  # fmt: skip
def test_what_is_certainly_not_sampled_costs_no_span_of_the_sdk(
    sampler: Sampler, parent: str | NonRecordingSpan | None, is_dropped: bool
) -> None:
    """Nor does what is called within."""
    with capture_spans(sampler=sampler) as captured, contextlib.ExitStack() as within:
        if isinstance(parent, str):
            within.enter_context(ops.propagated_context(extract_from={"b3": parent}))
        elif parent is not None:
            within.enter_context(otel_trace.use_span(parent))
        with ops.span("s") as outer, ops.span("t") as inner:
            kinds = {isinstance(span.otel_span, LightSpan) for span in (outer, inner)}
    assert kinds == {is_dropped}
    assert len(captured.spans) == (0 if is_dropped else 2)


def test_a_span_from_before_the_configuration_is_a_parent_that_was_sampled() -> None:
    with ops.span("outer") as outer, capture_spans(sampler=DEFAULT_ON) as captured, ops.span("inner") as inner:
        assert inner.trace_id == outer.trace_id
    assert [span.name for span in captured.spans] == ["inner"]
