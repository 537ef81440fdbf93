"""What survives the way in and out again: sampling, tracestate, ids and baggage, in every format."""

from __future__ import annotations

import pytest
from lab.propagated import SPAN_ID, TRACE_ID, TRACEPARENT, ids, injected
from opentelemetry import baggage
from opentelemetry import trace as otel_trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import ops_lib as ops
from ops_lib.propagation import TraceContext, new_context
from ops_lib.testing import SpanCapture, capture_spans


class TestWhatSurvives:
    @pytest.mark.parametrize(
        "value",
        [
            f"{TRACE_ID}-{SPAN_ID}-d",
            f"{TRACE_ID}-{SPAN_ID}",
            f"{SPAN_ID}-{SPAN_ID}-1",
            f"{TRACE_ID}-{SPAN_ID}-0",
            "0",
            "d",
        ],
    )
    def test_b3_through_the_process_and_w3c_and_back(self, value: str) -> None:
        """Untouched in this process: what came in goes out, whatever the format in between."""
        first = injected(ops.extract_context({"b3": value}), inject="tracecontext")
        assert injected(ops.extract_context(first), inject="b3") == {"b3": value}

    def test_debug_and_width_travel_with_spans_of_our_own(self, ops_spans: SpanCapture) -> None:
        with ops.propagated_context(extract_from={"b3": f"{SPAN_ID}-{SPAN_ID}-d"}), ops.span("s") as span:
            assert injected(inject="b3") == {"b3": f"{SPAN_ID}-{span.span_id}-d"}

    def test_debug_travels_unconfigured(self) -> None:
        with ops.propagated_context(extract_from={"b3": f"{TRACE_ID}-{SPAN_ID}-d"}), ops.span("s") as span:
            assert injected(inject="b3") == {"b3": f"{TRACE_ID}-{span.span_id}-d"}

    def test_undecided_travels_unconfigured_and_is_decided_by_a_sampler(self) -> None:
        with ops.propagated_context(extract_from={"b3": f"{TRACE_ID}-{SPAN_ID}"}):
            with ops.span("s") as span:
                assert injected(inject="b3") == {"b3": f"{TRACE_ID}-{span.span_id}"}
            with capture_spans(), ops.span("s") as span:
                assert injected(inject="b3") == {"b3": f"{TRACE_ID}-{span.span_id}-1"}

    def test_tracestate_travels(self, ops_spans: SpanCapture) -> None:
        headers = {"traceparent": TRACEPARENT, "tracestate": "congo=t61,rojo=00f0"}
        with ops.propagated_context(extract_from=headers):
            assert injected()["tracestate"] == "congo=t61,rojo=00f0"
            with ops.span("s"), ops.span("t"):
                assert injected()["tracestate"] == "congo=t61,rojo=00f0"

    def test_tracestate_of_others_without_our_own_stale_member(self) -> None:
        context = TraceContextTextMapPropagator().extract(
            {"traceparent": TRACEPARENT, "tracestate": "ops=s:d,congo=t61"}, Context()
        )
        assert injected(context)["tracestate"] == "congo=t61"

    def test_tracestate_changed_by_a_sampler_or_application(self) -> None:
        context = ops.extract_context({"traceparent": TRACEPARENT, "tracestate": "a=1"})
        ids_in = otel_trace.get_current_span(context).get_span_context()
        state = ids_in.trace_state.add("b", "2").update("a", "3").delete("zz")
        assert list(ids_in.trace_state.items()) == [("a", "1")]
        assert (len(ids_in.trace_state), "a" in ids_in.trace_state, list(ids_in.trace_state)) == (1, True, ["a"])
        assert (list(ids_in.trace_state.keys()), list(ids_in.trace_state.values())) == (["a"], ["1"])
        assert "a" in repr(ids_in.trace_state)
        changed = otel_trace.SpanContext(ids_in.trace_id, 5, False, ids_in.trace_flags, state)
        context = otel_trace.set_span_in_context(otel_trace.NonRecordingSpan(changed), context)
        assert injected(context)["tracestate"] == "a=3,b=2"

    def test_parent_id_of_b3_goes_through_and_not_past_a_span_of_our_own(self) -> None:
        value = f"{TRACE_ID}-{SPAN_ID}-1-{'5' * 16}"
        with ops.propagated_context(extract_from={"b3": value}):
            assert injected(inject="b3") == {"b3": value}
            with ops.span("s") as span:
                assert injected(inject="b3") == {"b3": f"{TRACE_ID}-{span.span_id}-1"}

    def test_nothing_in_nothing_out(self) -> None:
        assert injected() == {}
        assert injected(ops.extract_context({})) == {}

    def test_a_bare_deny_is_obeyed_and_passed_on(self, ops_spans: SpanCapture) -> None:
        with ops.propagated_context(extract_from={"b3": "0"}):
            assert injected(inject="b3") == {"b3": "0"}
            with ops.span("s") as span:
                assert injected(inject="b3") == {"b3": f"{span.trace_id}-{span.span_id}-0"}
        assert ops_spans.spans == []

    def test_a_conflict_becomes_a_link(self, ops_spans: SpanCapture) -> None:
        headers = {"traceparent": TRACEPARENT, "b3": f"{'a' * 32}-{'b' * 16}-1"}
        with ops.propagated_context(extract_from=headers), ops.span("outer"), ops.span("inner"):
            pass
        (link,) = ops_spans.one("outer").links
        assert link.context.trace_id == int("a" * 32, 16)
        assert dict(link.attributes or {}) == {"ops.link.reason": "conflict", "ops.link.format": "b3"}
        assert ops_spans.one("inner").links == ()

    def test_a_conflict_is_linked_beside_the_links_of_the_user(self, ops_spans: SpanCapture) -> None:
        headers = {"traceparent": TRACEPARENT, "b3": f"{'a' * 32}-{'b' * 16}-1"}
        cause = otel_trace.SpanContext(0xC, 0xD, is_remote=True)
        with ops.propagated_context(extract_from=headers), ops.span("outer").link(cause):
            pass
        linked = [link.context.trace_id for link in ops_spans.one("outer").links]
        assert linked == [0xC, int("a" * 32, 16)]

    @pytest.mark.parametrize("flags", [0, 1])
    def test_another_sdk_decides_inside_a_trace_that_came_undecided(self, flags: int) -> None:
        """Its span has decided, whatever the caller left open."""
        context = ops.extract_context({"b3": f"{TRACE_ID}-{SPAN_ID}"})
        assert injected(context, inject="b3") == {"b3": f"{TRACE_ID}-{SPAN_ID}"}
        theirs = otel_trace.SpanContext(
            int(TRACE_ID, 16), 0xE, is_remote=False, trace_flags=otel_trace.TraceFlags(flags)
        )
        inside = otel_trace.set_span_in_context(otel_trace.NonRecordingSpan(theirs), context)
        assert injected(inside, inject="b3") == {"b3": f"{TRACE_ID}-{0xE:016x}-{flags}"}

    def test_a_cleared_span_takes_the_callers_trace_with_it(self) -> None:
        context = ops.extract_context({"traceparent": TRACEPARENT, "X-Mirascope-Session-Id": "s"})
        cleared = Context({key: value for key, value in context.items() if "span" not in key})
        assert injected(cleared) == {"X-Mirascope-Session-Id": "s"}
        invalid = otel_trace.set_span_in_context(otel_trace.INVALID_SPAN, context)
        assert injected(invalid) == {"X-Mirascope-Session-Id": "s"}


class TestBaggage:
    def test_in_and_out_with_properties(self) -> None:
        context = ops.extract_context({"baggage": "user=a%20b;p=1,plan=pro", "traceparent": TRACEPARENT})
        assert dict(baggage.get_all(context)) == {"user": "a b", "plan": "pro"}
        assert injected(context)["baggage"] == "user=a%20b;p=1,plan=pro"

    def test_changed_by_the_application(self) -> None:
        context = ops.extract_context({"baggage": "a=1;p=1,b=2"})
        context = baggage.set_baggage("b", "x y", baggage.set_baggage("ä", 1, context))
        assert injected(context)["baggage"] == "a=1;p=1,b=x%20y"
        assert "baggage" not in injected(baggage.clear(context))

    def test_into_jaegers(self) -> None:
        context = ops.extract_context({"baggage": "a=1", "traceparent": TRACEPARENT})
        assert injected(context, inject="jaeger")["uberctx-a"] == "1"

    def test_made_here(self) -> None:
        assert injected(baggage.set_baggage("k", "v")) == {"baggage": "k=v"}


def test_all_pairs_of_formats_tell_the_same_ids() -> None:
    context = TraceContext(TRACE_ID, SPAN_ID)
    assert new_context().trace_id != context.trace_id
    for written in ("tracecontext", "b3", "b3multi", "jaeger", "composite"):
        with ops.span("s") as span:
            headers = injected(inject=written)
        assert ids(ops.extract_context(headers)) == (span.trace_id, span.span_id)


def test_extracted_by_opentelemetry_injected_by_us() -> None:
    context = TraceContextTextMapPropagator().extract({"traceparent": TRACEPARENT}, Context())
    assert injected(context) == {"traceparent": TRACEPARENT}
    assert injected(context, inject="b3") == {"b3": f"{TRACE_ID}-{SPAN_ID}-1"}
