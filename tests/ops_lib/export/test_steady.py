"""An exporter or a processor that fails at every span is told of once a minute, and never raises."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

import ops_lib as ops
from ops_lib.export.steady import SteadyExporter

_log = logging.getLogger(__name__)


class Failing(SpanExporter):
    """Fails as `how` says, as exporters do: by raising, or by a line in its module's log."""

    def __init__(self, how: str = "raises") -> None:
        self.how = how
        self.exports = 0
        self.shut_down_in: float | None = None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.exports += 1
        if self.how == "raises":
            raise RuntimeError("no export")
        _log.error("could not send to %s", "collector")
        _log.warning("retrying in %d s", self.exports)
        _log.info("tried %d times", self.exports)
        return SpanExportResult.FAILURE

    def shutdown(self, timeout_millis: float = 30000) -> None:
        self.shut_down_in = timeout_millis


def test_what_it_raises_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    exporter = Failing()
    ops.configure("shop", exporter=exporter, batch=False)
    for _ in range(20):
        with ops.span("s"):
            pass
    ops.shutdown()
    assert exporter.exports == 20
    assert [record.getMessage() for record in caplog.records] == ["the span exporter Failing failed"]


def test_each_line_that_it_logs_is_there_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    exporter = Failing("logs")
    ops.configure("shop", exporter=exporter, batch=False)
    for _ in range(3):
        with ops.span("s"):
            pass
    ops.shutdown()
    assert [record.getMessage() for record in caplog.records] == [
        "could not send to collector",
        "retrying in 1 s",
        *(f"tried {number} times" for number in (1, 2, 3)),
    ]


def test_what_others_log_there_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    exporter = Failing("logs")
    SteadyExporter(exporter).export([])
    for _ in range(3):
        exporter.export([])  # not through us
    assert sum(record.getMessage() == "could not send to collector" for record in caplog.records) == 4


def test_a_named_collector_that_is_not_there_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    ops.configure("shop", endpoint="http://127.0.0.1:9", batch=False, shutdown_timeout_s=0.1)
    provider = ops.configuration.RUNTIME.provider
    for processor in provider._active_span_processor._span_processors:  # type: ignore[union-attr]  # the SDK's
        processor.span_exporter._exporter._client._timeout = 0.2
    for _ in range(3):
        with ops.span("s"):
            pass
    messages = [record.msg.split(" (and")[0] for record in caplog.records]
    assert messages
    assert len(messages) == len(set(messages))


def test_the_time_for_its_shutdown_is_passed_on() -> None:
    exporter = Failing("logs")
    SteadyExporter(exporter).shutdown(timeout_millis=5)  # type: ignore[call-arg]  # as the SDK does where it may
    assert exporter.shut_down_in == 5


@pytest.mark.parametrize("method", ["on_start", "on_end"])
def test_a_processor_that_fails_is_told_once(method: str, caplog: pytest.LogCaptureFixture) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("broken")

    processor = SpanProcessor()
    setattr(processor, method, fail)
    ops.configure("shop", exporter=processor)
    for _ in range(20):
        with ops.span("s"):
            pass
    assert len(caplog.records) == 1


def test_what_raises_has_failed() -> None:
    assert SteadyExporter(Failing()).export([]) is SpanExportResult.FAILURE
