"""tracestate between its text and OpenTelemetry's TraceState."""

from __future__ import annotations

from opentelemetry.trace import TraceState

from ops_lib.context.otel_tracestate import RawTraceState, state_text


def test_our_member_is_left_out_and_another_vendors_stays() -> None:
    """Ours is written afresh; a value that we never write is not ours."""
    assert state_text(TraceState([("ops", "s:d"), ("congo", "1")])) == "congo=1"
    assert state_text(TraceState([("ops", "9f3c-payments"), ("congo", "1")])) == "ops=9f3c-payments,congo=1"
    assert state_text(RawTraceState("foo@=1,ops=9f3c")) == "foo@=1,ops=9f3c"
