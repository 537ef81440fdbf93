"""Reads what sidecars report beside their spans: OTLP logs of the scope `ops-sidecar.report`. PURE.

docs/console.md has the shapes. Readers take what they know of any version: nothing is refused for what it has beside.
A record that cannot be read is left out, and never raises: it comes from outside.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from proxy.console.intake.shapes import DOCUMENTS, UNFIT, fit
from proxy.console.intake.values import attributes

SCOPE: Final = "ops-sidecar.report"

EXCHANGE: Final = "ops.exchange"
COUNTS: Final = "ops.counts"

_MOST_BODY_BYTES: Final = 4 * 1024 * 1024
_LONGEST: Final = 256  # characters of a name
_KNOWN_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Sender:
    """The process that reports."""

    instance: str  # unique to it
    service: str
    name: str  # service.instance.id, as the user has it
    host: str
    version: str  # of the sidecar
    is_newer: bool  # it says more than this console knows


@dataclass(frozen=True, slots=True)
class Report:
    """One record. `said`: the attributes of an exchange, or the body of a document."""

    kind: str
    sender: Sender
    at: int  # ns
    ended: int  # ns
    said: Any = None
    trace: bytes = b""
    span: bytes = b""
    flags: int = 0
    more: Mapping[str, Any] = field(default_factory=dict)


def read_logs(resource: Mapping[str, Any], scope: str, records: Sequence[Any]) -> Sequence[Report]:
    """The reports among log records. What cannot be read is left out."""
    sender = _sender(resource)
    if sender is None:
        return ()
    found = []
    for record in records:
        report = _read(sender, record)
        if report is not None:
            found.append(report)
    return found


def read_metrics(resource: Mapping[str, Any], scope: str, metrics: Sequence[Any]) -> Sequence[Report]:
    """None: what the console shows of counters comes with the reports of health. They are for other readers."""
    return ()


def _sender(resource: Mapping[str, Any]) -> Sender | None:
    instance = resource.get("ops.instance")
    if not isinstance(instance, str) or not instance:
        return None
    version = str(resource.get("ops.report.version") or "1")
    return Sender(
        instance=instance[:_LONGEST],
        service=_text(resource, "service.name") or "unknown_service",
        name=_text(resource, "service.instance.id") or instance[:_LONGEST],
        host=_text(resource, "host.name"),
        version=_text(resource, "telemetry.sdk.version"),
        is_newer=not version.isdecimal() or int(version[:6]) > _KNOWN_VERSION,
    )


def _text(values: Mapping[str, Any], key: str) -> str:
    value = values.get(key)
    return value[:_LONGEST] if isinstance(value, str) else ""


def _finite(text: str) -> float:
    """A number that JSON can say again; raises ValueError."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _read(sender: Sender, record: Any) -> Report | None:
    said = attributes(record.attributes)
    kind = getattr(record, "event_name", "") or str(said.get("event.name") or "")
    at, ended = record.time_unix_nano, record.observed_time_unix_nano
    if at >> 62 or ended >> 62:
        return None
    if kind == EXCHANGE:
        has_context = len(record.trace_id) == 16 and len(record.span_id) == 8
        return Report(
            kind,
            sender,
            at,
            max(at, ended),
            said,
            record.trace_id if has_context else b"",
            record.span_id if has_context else b"",
            record.flags & 0xFF,
        )
    if kind not in (COUNTS, *DOCUMENTS):
        return None
    text = record.body.string_value
    if len(text) > _MOST_BODY_BYTES:
        return None
    try:
        body = json.loads(text, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    if kind != COUNTS:
        body = fit(DOCUMENTS[kind], body)
    elif not isinstance(body, dict):  # what its counters are is looked at as they are added
        return None
    if body is UNFIT:
        return None
    return Report(kind, sender, at, max(at, ended), body)
