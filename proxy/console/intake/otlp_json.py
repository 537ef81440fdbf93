"""OTLP/JSON to protobuf and back. PURE.

It is protobuf's JSON with two exceptions (opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding"):
ids of traces and spans are hex digits where protobuf has base64, and enums are numbers.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from typing import Any, Final, TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message

from proxy.console.intake.decode import OtlpError

_IDS: Final = ("traceId", "spanId", "parentSpanId")
_SNAKE: Final = {"trace_id": "traceId", "span_id": "spanId", "parent_span_id": "parentSpanId"}
# Where ids are: the lists on the way to the objects that hold them.
_HOLDERS: Final = (
    ("resourceSpans", "scopeSpans", "spans"),
    ("resourceSpans", "scopeSpans", "spans", "links"),
    ("resourceLogs", "scopeLogs", "logRecords"),
)
_POINTS: Final = ("gauge", "sum", "histogram", "exponentialHistogram")

MessageT = TypeVar("MessageT", bound=Message)


def read_json(kind: type[MessageT], body: bytes) -> MessageT:
    """The message in `body`. Raises OtlpError."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise OtlpError(f"the body is not JSON: {str(error)[:100]}") from None
    if not isinstance(said, dict):
        raise OtlpError("the body is not a JSON object")
    try:
        for holder in _holders(said):
            _ids_to_base64(holder)
        message: MessageT = json_format.ParseDict(said, kind(), ignore_unknown_fields=True)
    except (json_format.ParseError, RecursionError, TypeError, ValueError, AttributeError) as error:
        raise OtlpError(f"the body is not an {kind.__name__} in OTLP/JSON: {str(error)[:200]}") from None
    return message


def write_json(message: Message) -> dict[str, Any]:
    """The message as OTLP/JSON has it."""
    said: dict[str, Any] = json_format.MessageToDict(message, use_integers_for_enums=True)
    for holder in _holders(said):
        for name in _IDS:
            if name in holder:
                holder[name] = base64.b64decode(holder[name]).hex()
    return said


def _holders(said: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every object that has ids."""
    for way in _HOLDERS:
        yield from _walk(said, way)
    for metric in _walk(said, ("resourceMetrics", "scopeMetrics", "metrics")):
        for kind in _POINTS:
            yield from _walk(metric.get(kind) or {}, ("dataPoints", "exemplars"))


def _walk(said: Any, way: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    if not isinstance(said, dict):
        return
    for one in said.get(way[0]) or said.get(_snake(way[0])) or ():
        if len(way) > 1:
            yield from _walk(one, way[1:])
        elif isinstance(one, dict):
            yield one


def _snake(name: str) -> str:
    """As protobuf's own names are, which its JSON accepts too."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _ids_to_base64(holder: dict[str, Any]) -> None:
    for snake, name in _SNAKE.items():
        if snake in holder:
            holder[name] = holder.pop(snake)
    for name in _IDS:
        value = holder.get(name)
        if value:
            try:
                # protobuf reads with Python's decoder of the urlsafe alphabet, which warns of the other from 3.15 on.
                holder[name] = base64.urlsafe_b64encode(bytes.fromhex(value)).decode("ascii")
            except (TypeError, ValueError, binascii.Error):
                raise ValueError(f"{name} is not hex digits") from None
