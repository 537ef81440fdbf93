"""Log records say which trace, span and session they belong to."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest

import ops_lib as ops


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    logger, out = logging.getLogger("ops-test"), io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(trace_id)s %(span_id)s %(session_id)s %(message)s"))
    logger.addHandler(handler)
    logger.propagate = False
    yield logger, out
    logger.removeHandler(handler)
    logger.propagate = True


def test_ids_on_every_record(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, out = log
    ops.correlate_logs()
    with ops.session(id="s"), ops.span("x") as span:
        logger.warning("in %s", "it")
    logger.warning("out")
    assert out.getvalue() == f"{span.trace_id} {span.span_id} s in it\n- - - out\n"


def test_extra_of_the_caller_wins_and_never_fails(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, out = log
    ops.correlate_logs()
    with ops.span("x"):
        logger.warning("m", extra={"trace_id": "mine", "span_id": "mine", "session_id": "mine"})
    assert out.getvalue() == "mine mine mine m\n"


class TestRecordsThatNoLoggerMade:
    def test_of_make_log_record(self, log: tuple[logging.Logger, io.StringIO]) -> None:
        """A listener makes its records so, out of what a socket or a queue brought."""
        logger, out = log
        ops.correlate_logs()
        with ops.session(id="s"), ops.span("x") as span:
            logger.handle(logging.makeLogRecord({"msg": "in", "levelno": logging.WARNING}))
        logger.handle(logging.makeLogRecord({"msg": "out", "levelno": 30, "trace_id": "theirs"}))
        assert out.getvalue() == f"{span.trace_id} {span.span_id} s in\ntheirs - - out\n"

    def test_of_the_class_and_of_a_factory(self, log: tuple[logging.Logger, io.StringIO]) -> None:
        logger, out = log
        ops.correlate_logs()
        for make in (logging.LogRecord, logging.getLogRecordFactory()):
            logger.handle(make("x", logging.WARNING, "x.py", 1, "m", (), None))
        assert out.getvalue() == "- - - m\n" * 2

    def test_of_a_factory_that_sets_the_ids(
        self, log: tuple[logging.Logger, io.StringIO], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        logger, out = log
        ops.correlate_logs()

        def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
            record = logging.LogRecord(*args, **kwargs)
            record.trace_id = "theirs"
            return record

        monkeypatch.setattr(logging, "_logRecordFactory", factory)
        logger.warning("m")
        assert out.getvalue() == "theirs - - m\n"

    def test_once_correlation_is_off_they_have_no_ids(self) -> None:
        ops.correlate_logs()
        ops.uncorrelate_logs()
        assert not hasattr(logging.makeLogRecord({}), "trace_id")

    def test_a_logger_that_fails_to_make_one_leaves_no_mark(self) -> None:
        ops.correlate_logs()
        with pytest.raises(KeyError):
            logging.getLogger("ops-test").warning("m", extra={"message": "not allowed"})
        assert hasattr(logging.makeLogRecord({}), "trace_id")


def test_twice_is_once_with_the_new_choice(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, out = log
    before = logging.Logger.makeRecord, logging.LogRecord.__init__
    ops.correlate_logs()
    ops.correlate_logs(missing="none")
    logger.warning("m")
    assert out.getvalue() == "none none none m\n"
    for _ in range(2):
        ops.uncorrelate_logs()
        assert (logging.Logger.makeRecord, logging.LogRecord.__init__) == before


def test_somebody_elses_patch_stays() -> None:
    before = logging.Logger.makeRecord
    ops.correlate_logs()
    ours = logging.Logger.makeRecord

    def theirs(self, *args, **kwargs):  # type: ignore[no-untyped-def]  # as patches are
        return ours(self, *args, **kwargs)

    logging.Logger.makeRecord = theirs  # type: ignore[method-assign]  # not by monkeypatch, which would put back ours
    try:
        ops.uncorrelate_logs()
        assert logging.Logger.makeRecord is theirs
    finally:
        logging.Logger.makeRecord = before  # type: ignore[method-assign]  # as it was


def test_a_foreign_span(log: tuple[logging.Logger, io.StringIO]) -> None:
    from opentelemetry import trace as otel_trace

    logger, out = log
    ops.correlate_logs()
    with otel_trace.use_span(otel_trace.NonRecordingSpan(otel_trace.SpanContext(5, 6, False))):
        logger.warning("m")
    with otel_trace.use_span(otel_trace.INVALID_SPAN):
        logger.warning("n")
    assert out.getvalue() == f"{5:032x} {6:016x} - m\n- - - n\n"
