"""Tracing fails open: with a translator that raises, every request still gets through, without any trace header."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from ops_lib.propagation import Propagator

REQUEST = (
    b"GET / HTTP/1.1\r\nHost: app\r\nAccept: a\r\nX-B3-TraceId: 80f198ee56343ba864fe8b2a57d3eff7\r\n"
    b"X-B3-SpanId: e457b5a2e4d86bd1\r\nX-B3-Sampled: true\r\nbaggage: k=v\r\n\r\n"  # true: read in full
)
STRAIGHT = REQUEST.replace(b"Sampled: true", b"Sampled: 1")


def broken(*_: Any) -> Any:
    raise ZeroDivisionError("ours")


async def test_a_translator_that_raises(
    lab: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sidecar, origin = await lab.pair()
    monkeypatch.setattr(Propagator, "extract", broken)
    wire = await sidecar.connect()
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            await wire.send(REQUEST)
            head, body = await wire.message()
            assert head.startswith(b"HTTP/1.1 200 ")
            assert body == b"ok"
    for request in origin.requests:
        assert b"Accept: a\r\n" in request
        assert b"trace" not in request.lower()
        assert b"x-b3" not in request.lower() and b"\r\nb3" not in request.lower()
        assert b"baggage" not in request.lower()
    assert sidecar.metrics.exchange("inbound", "app").translation.errors == {"ZeroDivisionError": 3}
    assert [record.message for record in caplog.records] == ["tracing failed, the request did not"]
    assert caplog.records[0].exc_info
    assert sidecar.plane.in_flight() == 0


async def test_a_translation_that_raises_when_it_is_logged(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The access log has the exchange, without a trace id."""
    sidecar, origin = await lab.pair()
    monkeypatch.setattr(Propagator, "extract", broken)  # which the fast path does without
    wire = await sidecar.connect()
    for _ in range(2):
        await wire.send(STRAIGHT)
        assert (await wire.message())[0].startswith(b"HTTP/1.1 200 ")
    assert all(b"\r\ntraceparent: 00-80f198ee" in request for request in origin.requests)
    assert [record.trace_id for record in sidecar.records] == ["", ""]
    assert sidecar.metrics.exchange("inbound", "app").translation.errors == {"ZeroDivisionError": 2}


async def test_the_loser_of_a_conflict_is_told_in_the_log(lab: Any) -> None:
    """And one of the same trace is none."""
    sidecar, _ = await lab.pair()
    wire = await sidecar.connect()
    winner = b"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"
    agreeing = b"uber-trace-id: 4bf92f3577b34da6a3ce929d0e0e4736:00f067aa0ba902b7:0:1\r\n"
    for beside in (agreeing, b"b3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1\r\n" + agreeing):
        await wire.send(b"GET / HTTP/1.1\r\nHost: app\r\n" + winner + beside + b"\r\n")
        await wire.message()
    assert [record.trace_id for record in sidecar.records] == ["4bf92f3577b34da6a3ce929d0e0e4736"] * 2
    assert [record.conflict for record in sidecar.records] == ["", "b3:80f198ee56343ba864fe8b2a57d3eff7"]
    assert [record.span_conflict for record in sidecar.records] == ["", ""]


async def test_another_span_of_the_same_trace_is_told_in_the_log_and_counted(lab: Any) -> None:
    sidecar, _ = await lab.pair()
    wire = await sidecar.connect()
    trace = b"463ac35c9f6413ad48485a3953bb6124"
    stale = b"b3: " + trace + b"-a2fb4a1d1a96d312-1\r\n"
    fresh = b"X-B3-TraceId: " + trace + b"\r\nX-B3-SpanId: 00f067aa0ba902b7\r\nX-B3-Sampled: 1\r\n"
    await wire.send(b"GET / HTTP/1.1\r\nHost: app\r\n" + stale + fresh + b"\r\n")
    await wire.message()
    assert [(record.conflict, record.span_conflict) for record in sidecar.records] == [("", "b3multi:00f067aa0ba902b7")]
    translation = sidecar.metrics.exchange("inbound", "app").translation
    assert translation.span_conflicts == {("b3", "b3multi"): 1}
    assert translation.conflicts == {}
