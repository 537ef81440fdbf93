"""Light spans: real ids, the caller's decision, ordinary parents to everyone else's instrumentation."""

from __future__ import annotations

import os

import pytest
from opentelemetry import trace as otel_trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider

import ops_lib as ops
from ops_lib.context.current import EMPTY, SPAN_KEY, with_value
from ops_lib.spans import unrecorded
from ops_lib.spans.unrecorded import DenyingSpan, LightSpan, light_span

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID = "00f067aa0ba902b7"


def below(span: otel_trace.Span) -> Context:
    return with_value(EMPTY, SPAN_KEY, span)


def test_a_root_has_random_valid_ids_and_is_sampled() -> None:
    first, second = light_span(EMPTY).get_span_context(), light_span(EMPTY).get_span_context()
    assert first.is_valid
    assert not first.is_remote
    assert first.trace_flags == 3  # sampled, random
    assert first.trace_id != second.trace_id
    assert first.span_id != second.span_id


def test_a_child_keeps_trace_flags_and_state() -> None:
    parent = light_span(EMPTY)
    child = light_span(below(parent))
    assert (child.trace_id, child.flags) == (parent.trace_id, parent.flags)
    assert child.span_id != parent.span_id


@pytest.mark.parametrize(("flags", "state"), [("01", "congo=t61"), ("00", "congo=t61"), ("03", "a=1,b=2")])
def test_a_child_of_a_caller_keeps_its_decision_and_tracestate(flags: str, state: str) -> None:
    context = ops.extract_context({"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-{flags}", "tracestate": state})
    ids = light_span(context).get_span_context()
    assert f"{ids.trace_id:032x}" == TRACE_ID
    assert f"{ids.span_id:016x}" != SPAN_ID
    assert ids.trace_flags == int(flags, 16)
    assert ids.trace_state.to_header() == state


def test_a_child_of_an_sdk_span_keeps_its_trace() -> None:
    parent = TracerProvider(shutdown_on_exit=False).get_tracer("t").start_span("p")
    child = light_span(below(parent))
    assert child.trace_id == parent.get_span_context().trace_id


def test_drop_makes_it_unsampled() -> None:
    assert not light_span(EMPTY, drop=True).get_span_context().trace_flags.sampled
    parent = TracerProvider(shutdown_on_exit=False).get_tracer("t").start_span("p")
    assert not light_span(below(parent), drop=True).get_span_context().trace_flags.sampled


def test_a_bare_deny_makes_an_unsampled_root() -> None:
    assert not light_span(ops.extract_context({"b3": "0"})).get_span_context().trace_flags.sampled


def test_undecided_stays_undecided_through_children() -> None:
    context = ops.extract_context({"b3": f"{TRACE_ID}-{SPAN_ID}"})
    child = light_span(context)
    assert not child.decided
    assert not light_span(below(child)).decided
    assert light_span(EMPTY).decided


def test_is_an_ordinary_parent_to_opentelemetry() -> None:
    span = light_span(EMPTY)
    assert isinstance(span, otel_trace.NonRecordingSpan)
    assert not span.is_recording()
    child = TracerProvider(shutdown_on_exit=False).get_tracer("t").start_span("c", below(span))
    assert child.get_span_context().trace_id == span.trace_id
    assert "LightSpan" in repr(span)


def test_an_invalid_parent_is_no_parent() -> None:
    assert light_span(below(otel_trace.INVALID_SPAN)).get_span_context().is_valid


def test_remote_span_shows_what_headers_told() -> None:
    context = ops.extract_context({"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-03", "tracestate": "x=y"})
    span = otel_trace.get_current_span(context)
    ids = span.get_span_context()
    assert (f"{ids.trace_id:032x}", f"{ids.span_id:016x}", ids.is_remote) == (TRACE_ID, SPAN_ID, True)
    assert ids.trace_flags == 3
    assert ids.trace_state["x"] == "y"
    assert SPAN_ID in repr(span)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_makes_other_ids() -> None:
    LightSpan.__init__  # noqa: B018  # the module is loaded before the fork
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, b"%032x" % light_span(EMPTY).trace_id)
        os._exit(0)
    mine = b"%032x" % light_span(EMPTY).trace_id
    os.waitpid(pid, 0)
    assert os.read(reader, 64) != mine
    os.close(reader)
    os.close(writer)


def test_ids_that_are_made_up_have_all_their_bits() -> None:
    """128 and 64 of them, and are never zero."""
    light = [light_span(Context()) for _ in range(100)]
    denying = [DenyingSpan().get_span_context() for _ in range(100)]
    for ids in (light, denying):
        assert all(0 < one.trace_id < 1 << 128 for one in ids)
        assert any(one.trace_id >> 127 for one in ids)
        assert len({one.trace_id for one in ids}) == 100
    assert all(0 < one.span_id < 1 << 64 for one in denying)
    assert any(one.span_id >> 63 for one in denying)
    assert {(one.is_remote, int(one.trace_flags)) for one in denying} == {(True, int(denying[0].trace_flags))}
    assert not any(one.trace_flags & 1 for one in denying)


def test_ids_are_never_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """W3C Trace Context 3.2.2.3 and 3.2.2.4."""
    monkeypatch.setattr(unrecorded, "getrandbits", lambda bits: 0)
    with ops.span("s") as span:
        assert span.span_context is not None
        assert span.span_context.is_valid
    for ids in (light_span(EMPTY).get_span_context(), DenyingSpan().get_span_context()):
        assert (ids.trace_id, ids.span_id) == (1, 1)
