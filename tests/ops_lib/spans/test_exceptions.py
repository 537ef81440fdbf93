"""What an exception leaves on a span: one that ends it, one that was handled, and one that is no failure."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry.trace import StatusCode

import ops_lib as ops
from ops_lib.testing import SpanCapture

pytestmark = pytest.mark.usefixtures("no_detach_errors")


def test_an_exception_is_recorded_and_goes_on(ops_spans: SpanCapture) -> None:
    with pytest.raises(ValueError, match="bad"), ops.span("s"):
        raise ValueError("bad")
    span = ops_spans.one("s")
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "ValueError: bad"
    assert span.attributes == {"error.type": "ValueError"}
    (event,) = span.events
    assert event.name == "exception"
    assert event.attributes is not None
    assert event.attributes["exception.type"] == "ValueError"
    assert event.attributes["exception.message"] == "bad"
    assert "test_exceptions.py" in str(event.attributes["exception.stacktrace"])


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_an_exception_without_text_is_recorded_all_the_same(ops_spans: SpanCapture) -> None:
    with pytest.raises(UnprintableError), ops.span("s"):
        raise UnprintableError
    span = ops_spans.one("s")
    assert str(span.status.description).endswith("UnprintableError: [unreadable]")
    assert span.events[0].attributes is not None
    assert "UnprintableError" in str(span.events[0].attributes["exception.type"])


@pytest.mark.parametrize(
    ("error", "status", "events"),
    [
        (GeneratorExit(), StatusCode.UNSET, 0),
        (asyncio.CancelledError(), StatusCode.UNSET, 1),
        (SystemExit(0), StatusCode.UNSET, 1),
        (SystemExit(2), StatusCode.ERROR, 1),
        (KeyboardInterrupt(), StatusCode.ERROR, 1),
    ],
)
def test_what_is_no_failure(ops_spans: SpanCapture, error: BaseException, status: StatusCode, events: int) -> None:
    with pytest.raises(type(error)), ops.span("s"):
        raise error
    span = ops_spans.one("s")
    assert span.status.status_code is status
    assert len(span.events) == events


def test_a_handled_exception_is_recorded_and_is_no_failure(ops_spans: SpanCapture) -> None:
    with ops.span("s") as span:
        try:
            raise ValueError("bad")
        except ValueError as error:
            assert span.record_exception(error, attempt=2, self="x") is span
        span.record_exception(UnprintableError(), attempt=3)
    done = ops_spans.one("s")
    assert done.status.status_code is StatusCode.UNSET
    first, second = (dict(event.attributes or {}) for event in done.events)
    assert first["exception.type"] == "ValueError"
    assert first["exception.message"] == "bad"
    assert "test_exceptions.py" in str(first["exception.stacktrace"])
    assert first["attempt"] == 2
    assert first["self"] == "x"
    assert second["exception.type"] == f"{__name__}.UnprintableError"
    assert second["attempt"] == 3


def test_recording_an_exception_outside_a_span_does_nothing() -> None:
    ops.current_span().record_exception(ValueError("bad"))
    with ops.span("unrecorded") as span:
        span.record_exception(ValueError("bad"))


@pytest.mark.parametrize("records", [True, False])
@pytest.mark.parametrize("fails", [True, False])
@pytest.mark.parametrize("ends", [True, False])
def test_a_tracer_does_with_an_exception_what_it_is_told(
    records: bool, fails: bool, ends: bool, ops_spans: SpanCapture
) -> None:
    """OpenTelemetry's own words for it, as instrumentation of others passes them."""
    tracer = ops.get_tracer_provider().get_tracer("theirs")
    with (
        pytest.raises(KeyError),
        tracer.start_as_current_span(
            "s", record_exception=records, set_status_on_exception=fails, end_on_exit=ends
        ) as span,
    ):
        raise KeyError("tea")
    assert span.is_recording() is not ends
    if not ends:
        span.end()
    done = ops_spans.one("s")
    assert [event.name for event in done.events] == ["exception"] * records
    assert (done.status.status_code is StatusCode.ERROR) == fails
