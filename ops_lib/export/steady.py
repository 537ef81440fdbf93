"""Wraps an exporter that may fail forever: it never raises, and logs failures once a minute.

May know: the SDK's exporter interface, and that an exporter logs under its module's name.
The SDK's processors and OTLP's exporter log each failed export, some several times.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ops_lib.spans.failures import FAILURES, Failures, since

_exporting: ContextVar[bool] = ContextVar("ops-exporting", default=False)


class _OncePerMinute(logging.Filter):
    """Lets a record of an exporter's logger pass once a minute; records of other exporters always pass."""

    def __init__(self, failures: Failures) -> None:
        super().__init__()
        self._failures = failures

    def filter(self, record: logging.LogRecord) -> bool:
        """See logging.Filter."""
        if not _exporting.get() or record.levelno < logging.WARNING:
            return True
        count = self._failures.untold(str(record.msg))
        if count is None:
            return False
        record.msg = str(record.msg) + since(count)
        return True


_FILTER: Final = _OncePerMinute(FAILURES)


class SteadyExporter(SpanExporter):
    """Exports through `exporter`. Its exceptions and log records are logged once a minute."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        logging.getLogger(type(exporter).__module__).addFilter(_FILTER)  # the same one counts once
        # The SDK inspects their parameters, to know whether they accept a timeout.
        self.shutdown = exporter.shutdown  # type: ignore[method-assign]  # as it is
        self.force_flush = exporter.force_flush  # type: ignore[method-assign]  # as it is

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See SpanExporter. Never raises."""
        token = _exporting.set(True)
        try:
            return self._exporter.export(spans)
        except Exception:  # the outermost edge: an exporter may be anyone's
            FAILURES.tell("the span exporter %s failed", type(self._exporter).__qualname__)
            return SpanExportResult.FAILURE
        finally:
            _exporting.reset(token)
