"""Log records say which trace, span and session they belong to."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

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


def test_twice_is_once_with_the_new_choice(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, out = log
    before = logging.Logger.makeRecord
    ops.correlate_logs()
    ops.correlate_logs(missing="none")
    logger.warning("m")
    assert out.getvalue() == "none none none m\n"
    ops.uncorrelate_logs()
    assert logging.Logger.makeRecord is before
    ops.uncorrelate_logs()
    assert logging.Logger.makeRecord is before


def test_somebody_elses_patch_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    ops.correlate_logs()
    ours = logging.Logger.makeRecord

    def theirs(self, *args, **kwargs):  # type: ignore[no-untyped-def]  # as patches are
        return ours(self, *args, **kwargs)

    monkeypatch.setattr(logging.Logger, "makeRecord", theirs)
    ops.uncorrelate_logs()
    assert logging.Logger.makeRecord is theirs
    monkeypatch.setattr(logging.Logger, "makeRecord", ours)


def test_a_foreign_span(log: tuple[logging.Logger, io.StringIO]) -> None:
    from opentelemetry import trace as otel_trace

    logger, out = log
    ops.correlate_logs()
    with otel_trace.use_span(otel_trace.NonRecordingSpan(otel_trace.SpanContext(5, 6, False))):
        logger.warning("m")
    with otel_trace.use_span(otel_trace.INVALID_SPAN):
        logger.warning("n")
    assert out.getvalue() == f"{5:032x} {6:016x} - m\n- - - n\n"
