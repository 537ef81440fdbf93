"""Batches as OTLP requests, and the collector's answers. PURE: bytes in, bytes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from proxy.telemetry.otlp import attributes
from proxy.telemetry.otlp.attributes import RESOURCE_ATTRIBUTE
from proxy.telemetry.otlp.protobuf import fields, message, varint

_MAX_MESSAGE = 300  # characters of a collector's message that are logged


def resource(described: Mapping[str, str]) -> bytes:
    """ResourceSpans.resource (and ResourceMetrics.resource): who sends all this."""
    return message(
        1,
        b"".join(attributes.string(key, value.encode("utf-8"), RESOURCE_ATTRIBUTE) for key, value in described.items()),
    )


def scope(name: str, version: str) -> bytes:
    """ScopeSpans.scope (and ScopeMetrics.scope): what made it."""
    return message(1, message(1, name.encode("utf-8")) + message(2, version.encode("utf-8")))


def export_request(resource: bytes, scope: bytes, items: Sequence[bytes]) -> list[bytes]:
    """An ExportTraceServiceRequest (or that of metrics, which has the same shape) in pieces, to be joined.

    `items`: entries of ScopeSpans.spans, with tag and length.
    """
    size = sum(map(len, items))
    inner = resource + b"\x12" + varint(len(scope) + size) + scope
    return [b"\x0a" + varint(len(inner) + size) + inner, *items]


class PartialSuccess(NamedTuple):
    """The rejected part of a batch that a collector accepted."""

    rejected: int
    message: str  # its message, cut and printable


def partial_success(answer: bytes) -> PartialSuccess | None:
    """Read an ExportTraceServiceResponse; None if everything was accepted or the answer is empty.

    Raises ValueError if it is not one.
    """
    for number, value in fields(answer):
        if number == 1 and isinstance(value, bytes):
            rejected, words = 0, ""
            for inner, what in fields(value):
                if inner == 1 and isinstance(what, int):
                    rejected = what
                elif inner == 2 and isinstance(what, bytes):
                    words = what.decode("utf-8", "replace")[:_MAX_MESSAGE]
            if rejected or words:
                return PartialSuccess(rejected, "".join(c if c.isprintable() else " " for c in words))
    return None
