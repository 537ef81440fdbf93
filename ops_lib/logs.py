"""Log correlation: `trace_id`, `span_id` and `session_id` on every record of the standard `logging`.

Done in two places.
Every LogRecord gets the ids when it is made, also by `makeLogRecord` or a record factory.
Within `Logger.makeRecord`, the ids come after the caller's `extra`:
earlier, they would turn `extra={"session_id": ...}` into a KeyError.
May know: the Context, sessions.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import Any, Final

from opentelemetry.trace import Span

from ops_lib.context.current import SPAN_KEY, current
from ops_lib.context.sessions import session_id_of

_BEFORE: Final = "_ops_lib_before"  # on each of our patches: the original
_in_logger: ContextVar[bool] = ContextVar("ops-in-logger", default=False)


def correlate_logs(*, missing: str = "-") -> None:
    """Put the ids of the current trace, span and session on every log record from now on.

    Takes: `missing`, the text for a missing id.
    Gives: nothing; every LogRecord has `trace_id` (32 hex digits), `span_id` (16) and `session_id`, for formats such as
    `%(trace_id)s`, also one of `logging.makeLogRecord`.
    What the caller passes under these names, in `extra` or to `makeLogRecord`, wins.
    A second call changes `missing`.
    Raises: nothing.
    Specification: OpenTelemetry Logs Data Model, TraceId and SpanId (hex, as its text formats have them).
    """
    uncorrelate_logs()
    make_before, init_before = logging.Logger.makeRecord, logging.LogRecord.__init__

    def identify(record: logging.LogRecord) -> None:
        context = current()
        span = context.get(SPAN_KEY)
        ids = span.get_span_context() if isinstance(span, Span) else None
        session_id = session_id_of(context)
        values = record.__dict__
        if ids is not None and ids.is_valid:
            values.setdefault("trace_id", f"{ids.trace_id:032x}")
            values.setdefault("span_id", f"{ids.span_id:016x}")
        else:
            values.setdefault("trace_id", missing)
            values.setdefault("span_id", missing)
        values.setdefault("session_id", missing if session_id is None else session_id)

    def makeRecord(self: logging.Logger, *args: Any, **kwargs: Any) -> logging.LogRecord:  # logging's name
        token = _in_logger.set(True)
        try:
            record = make_before(self, *args, **kwargs)
        finally:
            _in_logger.reset(token)
        identify(record)
        return record

    def __init__(self: logging.LogRecord, *args: Any, **kwargs: Any) -> None:
        init_before(self, *args, **kwargs)
        if not _in_logger.get():
            identify(self)

    setattr(makeRecord, _BEFORE, make_before)
    setattr(__init__, _BEFORE, init_before)
    logging.Logger.makeRecord = makeRecord  # type: ignore[method-assign]  # this is what the call is for
    logging.LogRecord.__init__ = __init__  # type: ignore[method-assign]  # the same


def uncorrelate_logs() -> None:
    """Undo `correlate_logs`.

    Takes: nothing.
    Gives: nothing.
    If somebody else has replaced `Logger.makeRecord` or `LogRecord.__init__` since, theirs stays.
    Raises: nothing.
    Specification: none.
    """
    if (make_before := getattr(logging.Logger.makeRecord, _BEFORE, None)) is not None:
        logging.Logger.makeRecord = make_before  # type: ignore[method-assign]  # puts back what was there
    if (init_before := getattr(logging.LogRecord.__init__, _BEFORE, None)) is not None:
        logging.LogRecord.__init__ = init_before  # type: ignore[method-assign]  # the same
