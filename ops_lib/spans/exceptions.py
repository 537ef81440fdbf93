"""An exception that leaves a span: what is recorded of it, and whether the span has failed.

May know: the door, the stack traces of `capture`, what is configured.
Writes the event itself, because the SDK's `record_exception` has no bounds and does not scrub secrets.
OpenTelemetry semantic conventions: exceptions on spans, error.type.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final

from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import StatusCode

from ops_lib.capture.render import said
from ops_lib.capture.stacks import stack_trace
from ops_lib.capture.stored import name_of
from ops_lib.spans.attributes import attributes_of
from ops_lib.spans.configured import RUNTIME
from ops_lib.spans.failures import FAILURES

_DESCRIPTION: Final = 1024  # characters of a status


def record_exception(span: OtelSpan, error: BaseException) -> None:
    """Record on `span` that `error` has left it. Raises nothing, whatever the exception and the span do.

    A generator's close (GeneratorExit) is not an error, and not recorded.
    A cancelled task and a clean exit are recorded, but do not make the span a failed one.
    """
    if not span.is_recording() or isinstance(error, GeneratorExit):
        return
    add_exception(span, error)
    if not (_is_cancellation(error) or (isinstance(error, SystemExit) and not error.code)):
        fail(span, error)


def add_exception(span: OtelSpan, error: BaseException, attributes: Mapping[str, object] | None = None) -> None:
    """The event `exception` with type, message and stack trace, and further attributes. Raises nothing."""
    capture = RUNTIME.capture
    written: dict[str, object] = {
        "exception.type": name_of(type(error)),
        "exception.message": said(error, capture),
        "exception.stacktrace": stack_trace(error, capture),
    }
    if attributes:
        written |= attributes_of(attributes)
    timestamp = RUNTIME.clock() if RUNTIME.clock is not None else None
    try:
        span.add_event("exception", written, timestamp)  # type: ignore[arg-type]  # fit for OpenTelemetry
    except Exception:  # the outermost edge: the span may be of anyone's making
        FAILURES.tell("could not write an exception to a span")


def fail(span: OtelSpan, error: BaseException) -> None:
    """The status and `error.type` of a span that `error` has failed. Raises nothing."""
    name = name_of(type(error))
    message = said(error, RUNTIME.capture)
    try:
        span.set_attribute("error.type", name)
        span.set_status(StatusCode.ERROR, (f"{name}: {message}" if message else name)[:_DESCRIPTION])
    except Exception:  # the outermost edge: the span may be of anyone's making
        FAILURES.tell("could not write a status to a span")


def _is_cancellation(error: BaseException) -> bool:
    """Whether a task was cancelled. Does not import asyncio: without it, there are no tasks."""
    exceptions = sys.modules.get("asyncio.exceptions")
    return exceptions is not None and isinstance(error, exceptions.CancelledError)
