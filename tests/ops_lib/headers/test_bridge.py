"""The fast path between headers and the Context says what the full path says."""

from __future__ import annotations

import types
from collections import UserDict

import pytest
from lab.propagated import SPAN_ID, TRACE_ID, TRACEPARENT
from opentelemetry import baggage
from opentelemetry import trace as otel_trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanContext, TraceFlags, TraceState

import ops_lib as ops
from ops_lib.context.current import EXTRACTION_KEY, SESSION_KEY, with_value
from ops_lib.context.otel_tracestate import NO_STATE, RawTraceState
from ops_lib.context.sessions import session_of
from ops_lib.headers.bridge import into_context, plain_of
from ops_lib.propagation import FORMATS, Baggage, Extraction, Member, Propagator, Sampling
from ops_lib.spans.unrecorded import DenyingSpan, LightSpan

PLAIN: list[dict[str, str]] = [
    {"traceparent": TRACEPARENT},
    {"traceparent": TRACEPARENT, "tracestate": "congo=t61rcWkgMzE"},
    {"traceparent": TRACEPARENT[:-1] + "3"},
    {"X-B3-TraceId": TRACE_ID[16:], "X-B3-SpanId": SPAN_ID, "X-B3-Sampled": "1", "X-B3-ParentSpanId": TRACE_ID[:16]},
    {"X-B3-TraceId": TRACE_ID, "X-B3-SpanId": SPAN_ID, "X-B3-Sampled": "0"},
    {"uber-trace-id": f"{TRACE_ID}:{SPAN_ID}:0:1"},
]
BESIDE: list[dict[str, str]] = [{}, {"X-Mirascope-Session-Id": "s-1"}, {"baggage": "a=1;p"}, {"b3": "0"}]
BESIDE += [{"baggage": "a=1,b=x"}, {"baggage": "a=1", "Mirascope-Session-Id": "s-2"}, {"b3": f"{TRACE_ID}-{SPAN_ID}-1"}]
BEFORE: list[dict[str, str]] = [
    {},
    {"b3": f"{SPAN_ID}-{SPAN_ID}-d"},
    {"b3": "0", "Mirascope-Session-Id": "before"},
    {"baggage": "b=2;p=1"},
    {"traceparent": TRACEPARENT.replace("4", "5")},
]
INTO: list[dict[str, str]] = [{}, {"accept": "*/*"}, {"B3": "x", "x-b3-sampled": "1", "X_B3_TraceId": "y", "a": "b"}]


@pytest.mark.slow
@pytest.mark.parametrize("headers", [*PLAIN, {}], ids=str)
@pytest.mark.parametrize("beside", BESIDE, ids=str)
@pytest.mark.parametrize("before", BEFORE, ids=str)
def test_the_fast_path_says_what_the_full_path_says(
    headers: dict[str, str], beside: dict[str, str], before: dict[str, str]
) -> None:
    """On any Context, into any carrier. (The full path is taken by whoever has seen no dict, but a mapping.)"""
    heart = Propagator(inject=FORMATS, random_bits=lambda bits: (1 << bits) - 1)
    propagator = ops.ContextPropagator(propagator=heart)
    base = propagator.extract_context(types.MappingProxyType(before))
    for _ in range(2):  # the second time the names are known
        fast = propagator.extract_context({"accept": "*/*"} | headers | beside, base)
        full = propagator.extract_context(types.MappingProxyType({"accept": "*/*"} | headers | beside), base)
        spans = [otel_trace.get_current_span(context) for context in (fast, full)]
        assert type(spans[0]) is type(spans[1])
        if not isinstance(spans[0], DenyingSpan):  # whose ids are made up
            assert spans[0].get_span_context() == spans[1].get_span_context()
            assert repr(spans[0]) == repr(spans[1])
        assert session_of(fast) == session_of(full)
        assert baggage.get_all(fast) == baggage.get_all(full)
        for into in INTO:
            carriers = [dict(into), dict(into)]
            propagator.inject_context(carriers[0], fast)
            propagator.inject_context(carriers[1], full)
            assert carriers[0] == carriers[1]
        for context in (fast, full):
            with ops.propagated_context(parent=context), ops.span("own") as span:
                carrier: dict[str, str] = {}
                ops.inject_context(carrier)
                assert span.span_id in carrier["traceparent"]


@pytest.mark.parametrize("came", ["a=1,b=x", "a=1;p,b=x"], ids=["fast", "in full"])
def test_baggage_that_came_can_be_added_to(came: str) -> None:
    """By OpenTelemetry's own functions; what is added, changed or removed shows in what goes out."""
    propagator = ops.ContextPropagator(inject="composite")
    context = propagator.extract_context({"traceparent": TRACEPARENT, "baggage": came})
    for change, out in (
        (lambda known: baggage.set_baggage("c", "3 4", known), f"{came},c=3%204"),
        (lambda known: baggage.set_baggage("b", "y", known), f"{came.partition(',')[0]},b=y"),
        (lambda known: baggage.remove_baggage("a", known), "b=x"),
        (baggage.clear, None),
    ):
        carrier: dict[str, str] = {}
        propagator.inject_context(carrier, change(context))
        assert carrier.get("baggage") == out
        assert carrier["traceparent"] == TRACEPARENT
    carrier = {}
    propagator.inject_context(carrier, context)
    assert (carrier["baggage"], carrier["uberctx-b"]) == (came, "x")


@pytest.mark.parametrize("entries", [{}, None, "", "a=1", 5, ["a"], [("a", "1")]], ids=repr)
def test_what_is_not_baggage_goes_out_as_none_and_the_trace_all_the_same(entries: object) -> None:
    """Anybody may put anything under the key of OpenTelemetry's baggage."""
    propagator = ops.ContextPropagator()
    came = propagator.extract_context({"traceparent": TRACEPARENT, "baggage": "a=1"})
    (key,) = [name for name in came if name.startswith("baggage-")]
    carrier: dict[str, str] = {}
    propagator.inject_context(carrier, Context({**came, key: entries}))
    assert carrier == {"traceparent": TRACEPARENT}


STATES = ["", "a=1,b=2", ",".join(["abc=" + "v" * 100] * 6), ",".join(f"k{n}=1" for n in range(33))]


@pytest.mark.parametrize("state", STATES, ids=["none", "short", "long", "many"])
@pytest.mark.parametrize("flags", range(4))
@pytest.mark.parametrize("kind", ["foreign", "raw", "light", "undecided", "invalid"])
@pytest.mark.parametrize("session", [None, "s-1"])
def test_a_span_goes_into_a_dict_as_into_any_mapping(kind: str, flags: int, state: str, session: str | None) -> None:
    """The fast path is for dicts alone; what it writes is what the full path writes."""
    told = TraceState([member.split("=") for member in state.split(",")] if state else None)  # type: ignore[misc]
    span: otel_trace.Span
    if kind in ("light", "undecided"):
        span = LightSpan(
            int(TRACE_ID, 16), TraceFlags(flags), RawTraceState(state) if state else NO_STATE, kind == "light"
        )
    else:
        if kind == "raw" and state:
            told = RawTraceState(state)
        trace_id = 0 if kind == "invalid" else int(TRACE_ID, 16)
        ids = SpanContext(trace_id, int(SPAN_ID, 16), False, TraceFlags(flags), told)
        span = otel_trace.NonRecordingSpan(ids)
    context = otel_trace.set_span_in_context(span, Context())
    if session is not None:
        context = with_value(context, SESSION_KEY, ops.SessionContext(session))
    propagator = ops.ContextPropagator(extract="composite", inject="composite")
    for into in INTO:
        for _ in range(2):  # the second time the names are known
            fast, full = dict(into), UserDict(into)
            propagator.inject_context(fast, context)
            propagator.inject_context(full, context)
            assert fast == full.data


def test_a_carrier_that_says_little_leaves_what_an_earlier_one_said() -> None:
    """Session and baggage come beside a decision or a context; the later of two counts."""
    first, second = Baggage((Member("a", "1"),)), Baggage((Member("b", "2"),))
    denied = Extraction(None, Sampling.DENY, session="one", baggage=first)
    base = into_context(denied, Context())
    told = into_context(Extraction(None, session="two"), base)[EXTRACTION_KEY]
    assert told == denied._replace(session="two")
    told = into_context(Extraction(None, baggage=second), base)[EXTRACTION_KEY]
    assert told == denied._replace(baggage=second)
    assert into_context(Extraction(None), base) is base
    anew = Extraction(None, Sampling.ACCEPT)
    assert into_context(anew, base)[EXTRACTION_KEY] == anew


@pytest.mark.parametrize("flags", [0, 1])
def test_a_span_that_nobody_has_decided_about_is_not_plain(flags: int) -> None:
    undecided, decided = (LightSpan(int(TRACE_ID, 16), TraceFlags(flags), TraceState(), told) for told in (False, True))
    assert plain_of(undecided) is None
    told = plain_of(decided)
    assert told is not None
    assert told[0] == (TRACE_ID, f"{decided.span_id:016x}", str(flags))
