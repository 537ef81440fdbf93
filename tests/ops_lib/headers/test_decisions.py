"""What a caller has decided about recording survives a span of this process, whoever makes it.

B3 can say yes, no, debug and "decide yourself", with ids or without. OpenTelemetry's SDK knows yes and no.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from opentelemetry import trace as otel_trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, DEFAULT_OFF, DEFAULT_ON, ParentBased, Sampler

import ops_lib as ops
from ops_lib.headers.textmap import B3MultiPropagator, B3Propagator, OpsPropagator
from ops_lib.testing import capture_spans

TRACE_ID, SPAN_ID = "80f198ee56343ba864fe8b2a57d3eff7", "e457b5a2e4d86bd1"


@contextmanager
def unconfigured(headers: dict[str, str]) -> Iterator[None]:
    with ops.propagated_context(extract_from=headers), ops.span("s"):
        yield


@contextmanager
def configured(headers: dict[str, str]) -> Iterator[None]:
    with capture_spans(), unconfigured(headers):
        yield


@contextmanager
def with_an_sdk_span(headers: dict[str, str]) -> Iterator[None]:
    """A server of OpenTelemetry's own instrumentation, and our library called within."""
    context = OpsPropagator().extract(headers)
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("theirs")
    with ops.propagated_context(parent=context), tracer.start_as_current_span("s"), ops.span("t"):
        yield


Way = Callable[[dict[str, str]], AbstractContextManager[None]]
WAYS: list[Way] = [unconfigured, configured, with_an_sdk_span]


def written(fmt: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    ops.ContextPropagator(inject=fmt).inject_context(headers)
    return headers


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("came", [{"b3": "d"}, {"X-B3-Flags": "1"}, {"b3": f"{TRACE_ID}-{SPAN_ID}-d"}], ids=str)
def test_debug_stays_debug(way: Way, came: dict[str, str]) -> None:
    with way(came):
        assert written("b3")["b3"].endswith("-d")
        multi = written("b3multi")
        assert multi["x-b3-flags"] == "1"
        assert "x-b3-sampled" not in multi
        assert written("jaeger")["uber-trace-id"].endswith(":3")


def test_debug_is_of_its_trace_alone() -> None:
    """A span of another trace, in the Context that the headers have come to, is not debug."""
    with ops.propagated_context(extract_from={"b3": f"{TRACE_ID}-{SPAN_ID}-d"}):
        other = otel_trace.NonRecordingSpan(otel_trace.SpanContext(5, 6, False, otel_trace.TraceFlags(1)))
        with otel_trace.use_span(other):
            assert written("b3")["b3"].endswith("-1")


def test_a_sampler_outranks_a_bare_debug() -> None:
    with capture_spans(sampler=ALWAYS_OFF), ops.propagated_context(extract_from={"b3": "d"}), ops.span("s"):
        assert written("b3")["b3"].endswith("-0")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("came", [{"b3": "0"}, {"X-B3-Sampled": "0"}, {"X-B3-Sampled": "false"}], ids=str)
def test_a_bare_no_stays_no(way: Way, came: dict[str, str]) -> None:
    with way(came):
        single = written("b3")["b3"]
        assert single == "0" or single.endswith("-0")
        assert written("b3multi")["x-b3-sampled"] == "0"
        assert written("tracecontext")["traceparent"].endswith(("-00", "-02"))


@pytest.mark.parametrize("propagator", [B3MultiPropagator, B3Propagator, OpsPropagator])
@pytest.mark.parametrize("sampler", [DEFAULT_ON, DEFAULT_OFF], ids=["on", "off"])
def test_an_sdk_records_nothing_after_a_bare_no(propagator: type[OpsPropagator], sampler: Sampler) -> None:
    """As with OTEL_PROPAGATORS=ops_b3multi and instrumentation that knows nothing of this library."""
    for came in ({"b3": "0"}, {"X-B3-Sampled": "0"}):
        context = propagator().extract(came)
        span = TracerProvider(sampler=sampler, shutdown_on_exit=False).get_tracer("x").start_span("s", context)
        assert not span.is_recording()


def test_a_bare_no_without_a_span_goes_out_bare() -> None:
    propagator = B3Propagator()
    for context in (propagator.extract({"b3": "0"}), ops.extract_context({"b3": "0"})):
        headers: dict[str, str] = {}
        propagator.inject(headers, context)
        assert headers == {"b3": "0"}


def test_what_nobody_decided_is_recorded_by_an_sdk_and_never_written_as_no() -> None:
    for came in (
        {"X-B3-TraceId": TRACE_ID, "X-B3-SpanId": SPAN_ID},
        {"b3": f"{TRACE_ID}-{SPAN_ID}"},
    ):
        context = B3MultiPropagator().extract(came)
        headers: dict[str, str] = {}
        B3MultiPropagator().inject(headers, context)
        assert "x-b3-sampled" not in headers, "nobody has decided yet"
        span = TracerProvider(shutdown_on_exit=False).get_tracer("x").start_span("s", context)
        headers = {}
        B3MultiPropagator().inject(headers, otel_trace.set_span_in_context(span, context))
        assert headers["x-b3-traceid"] == TRACE_ID
        assert headers["x-b3-sampled"] == "1"


@pytest.mark.parametrize(("sampler", "decision"), [(ALWAYS_ON, "1"), (ALWAYS_OFF, "0")], ids=["yes", "no"])
def test_our_own_spans_ask_the_sampler_what_nobody_decided(sampler: Sampler, decision: str) -> None:
    with capture_spans(sampler=ParentBased(sampler)), unconfigured({"b3": f"{TRACE_ID}-{SPAN_ID}"}):
        assert written("b3")["b3"].endswith(f"-{decision}")


def test_without_a_sampler_it_stays_undecided() -> None:
    with unconfigured({"b3": f"{TRACE_ID}-{SPAN_ID}"}):
        assert written("b3")["b3"].count("-") == 1
        assert written("b3")["b3"].startswith(TRACE_ID)
