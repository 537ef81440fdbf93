"""Tracing fails open: where a translation raises, every request still gets through, without any trace header."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from lab.wire import Wire

from ops_lib.propagation import Propagator

pytestmark = pytest.mark.logs

REQUEST = (
    b"GET / HTTP/1.1\r\nHost: a\r\nAccept: a\r\nX-B3-TraceId: 80f198ee56343ba864fe8b2a57d3eff7\r\n"
    b"X-B3-SpanId: e457b5a2e4d86bd1\r\nX-B3-Sampled: true\r\nbaggage: k=v\r\n\r\n"  # true: read in full
)
FAST = REQUEST.replace(b"Sampled: true", b"Sampled: 1")


def broken(*_: Any) -> Any:
    raise ZeroDivisionError("ours")


def test_a_translation_that_raises(
    wired: Callable[..., Wire], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted each time, and logged once."""
    wire = wired()
    monkeypatch.setattr(Propagator, "extract", broken)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            head = wire.passes(REQUEST).head
            assert head.value("accept") == b"a"
            assert not [name for name in head.names() if "trace" in name or "b3" in name or name == "baggage"]
    assert wire.sidecar.metrics.exchange("inbound", "app").translation.errors == {"ZeroDivisionError": 3}
    assert [record.message for record in caplog.records] == ["tracing failed, the request did not"]
    assert caplog.records[0].exc_info
    assert wire.sidecar.plane.in_flight() == 0


def test_a_translation_that_raises_when_it_is_logged(
    wired: Callable[..., Wire], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The access log has the exchange, without a trace id."""
    wire = wired()
    monkeypatch.setattr(Propagator, "extract", broken)  # which the fast path does without
    for _ in range(2):
        traceparent = wire.passes(FAST).head.value("traceparent") or b""
        assert traceparent.startswith(b"00-80f198ee")
    assert [record.trace_id for record in wire.sidecar.records] == ["", ""]
    assert wire.sidecar.metrics.exchange("inbound", "app").translation.errors == {"ZeroDivisionError": 2}
