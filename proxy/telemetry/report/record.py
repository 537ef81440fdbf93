"""One log record of a report as OTLP bytes (logs.proto, LogRecord). PURE: values in, bytes out."""

from __future__ import annotations

from binascii import unhexlify
from typing import Final

from proxy.telemetry.otlp.attributes import string
from proxy.telemetry.otlp.protobuf import fixed32, fixed64, integer, message

SCOPE: Final = "ops-sidecar.report"
VERSION: Final = 1  # of the meaning of what is reported; readers take what they know

ATTRIBUTE: Final = 6  # LogRecord.attributes
INFO: Final = 9  # LogRecord.severity_number
WARN: Final = 13
ERROR: Final = 17

EXCHANGE: Final = "ops.exchange"
COUNTS: Final = "ops.counts"
PROOFS: Final = "ops.proofs"
PLAN: Final = "ops.plan"
SETTINGS: Final = "ops.settings"
HEALTH: Final = "ops.health"
SHADOW: Final = "ops.shadow"

_BODY_STRING: Final = 1  # AnyValue.string_value


def named(event: str) -> bytes:
    """The name of an event, also as the attribute that readers before `event_name` look for."""
    name = event.encode("ascii")
    return message(12, name) + string("event.name", name, ATTRIBUTE)


def ids(trace_id: bytes, span_id: bytes, flags: int) -> bytes:
    """The context that a record belongs to: 32 and 16 hex digits."""
    return fixed32(8, flags) + message(9, unhexlify(trace_id)) + message(10, unhexlify(span_id))


def entry(time_ns: int, observed_ns: int, rest: bytes) -> bytes:
    """An entry of ScopeLogs.log_records, tag and length included."""
    return message(2, fixed64(1, time_ns) + fixed64(11, observed_ns) + rest)


def document(event: str, now_ns: int, body: str) -> bytes:
    """An entry whose body is `body`, a text of JSON."""
    told = message(5, message(_BODY_STRING, body.encode("utf-8", "replace")))
    return entry(now_ns, now_ns, integer(2, INFO) + told + named(event))
