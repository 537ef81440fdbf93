"""Log correlation: `trace_id`, `span_id` and `session_id` on every record of the standard `logging`.

May know: the Context, sessions. Done where a Logger makes a record, because a record factory cannot know what the
caller passes as `extra` and would turn `extra={"session_id": ...}` into a KeyError in the application.
"""

from __future__ import annotations

import logging
from typing import Any

from opentelemetry.trace import Span

from ops_lib.context.current import SPAN_KEY, current
from ops_lib.context.sessions import session_id_of

_MARK = "_ops_lib_missing"


def correlate_logs(*, missing: str = "-") -> None:
    """Put the ids of the current trace, span and session on every log record from now on.

    Takes: `missing`, what stands where there is none. Gives: nothing; records made by any Logger have `trace_id` (32
    hex digits), `span_id` (16) and `session_id`, for formats such as `%(trace_id)s`. What the caller passes in `extra`
    under these names wins. A second call changes `missing`. Raises: nothing.
    Specification: OpenTelemetry Logs Data Model, TraceId and SpanId (hex, as its text formats have them).
    """
    uncorrelate_logs()
    before = logging.Logger.makeRecord

    def makeRecord(self: logging.Logger, *args: Any, **kwargs: Any) -> logging.LogRecord:  # logging's name
        record = before(self, *args, **kwargs)
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
        return record

    setattr(makeRecord, _MARK, before)
    logging.Logger.makeRecord = makeRecord  # type: ignore[method-assign]  # this is what the call is for


def uncorrelate_logs() -> None:
    """Undo `correlate_logs`.

    Takes: nothing. Gives: nothing. Where somebody else has replaced `Logger.makeRecord` since, theirs stays.
    Raises: nothing. Specification: none.
    """
    before = getattr(logging.Logger.makeRecord, _MARK, None)
    if before is not None:
        logging.Logger.makeRecord = before  # type: ignore[method-assign]  # puts back what was there
