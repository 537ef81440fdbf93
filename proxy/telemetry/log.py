"""The sidecar's own log: standard logging, one line per record, to standard error by way of a LineWriter.

Messages are fixed texts; values that vary are in `extra={"fields": {...}}`.
Never logs a query string, a body or a header's value.
"""

from __future__ import annotations

import json
import logging
import time
from typing import Literal

from proxy.telemetry.writer import LineWriter

Fields = dict[str, object]


def fields(**values: object) -> dict[str, Fields]:
    """The `extra=` of a log call: `log.info("reloaded", extra=fields(generation=2))`."""
    return {"fields": values}


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as both logs write them: UTC, with milliseconds (RFC 3339)."""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{int(seconds * 1000) % 1000:03d}Z"


class WriterHandler(logging.Handler):
    """Hands formatted records to a LineWriter."""

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Format and queue. Like every handler, it never raises into the caller."""
        try:
            self._writer.write(self.format(record))
        except (ValueError, TypeError):  # arguments that do not fit the message
            self.handleError(record)


class TextFormatter(logging.Formatter):
    """`2026-11-22T10:00:00.123Z INFO  reloaded generation=2`"""

    def format(self, record: logging.LogRecord) -> str:
        """One line, except for a traceback."""
        stamp = timestamp(record.created)
        pairs = "".join(f" {key}={quoted(value)}" for key, value in _fields(record).items())
        line = f"{stamp} {record.levelname:<7} {_one_line(record.getMessage())}{pairs}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """Keys: time, level, logger, message, the fields, and `exception`."""
        entry: Fields = {
            "time": timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str, ensure_ascii=False)


def start_line(text: str, form: Literal["text", "json"]) -> str:
    """A line that is written at every level: bare for people; in JSON, an object like every other line."""
    if form == "text":
        return text
    level = {"levelno": logging.INFO, "levelname": "INFO"}
    return JsonFormatter().format(logging.makeLogRecord({"name": "proxy", "msg": text, **level}))


def configure(writer: LineWriter, *, level: str, form: Literal["text", "json"]) -> None:
    """Send all records of `proxy` and of the libraries to `writer`; again at a reload with another level or form."""
    handler = WriterHandler(writer)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("proxy").setLevel(level.upper())


def _fields(record: logging.LogRecord) -> Fields:
    found = getattr(record, "fields", None)
    return found if isinstance(found, dict) else {}


def _one_line(text: str) -> str:
    return text.replace("\r", "\\r").replace("\n", "\\n")


def quoted(value: object) -> str:
    """`value` as one word, or in quotes, so that a value cannot look like another pair."""
    text = str(value)
    if text and text.isprintable() and not any(char in text for char in ' "=\\'):
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())
