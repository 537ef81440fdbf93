"""OTLP's attributes (common.proto, KeyValue) as bytes. PURE.

A collector refuses a whole batch for one string that is not UTF-8, and values come from outside.
So every text goes through `text`, which repairs and bounds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

from proxy.telemetry.otlp.protobuf import double, integer, message, varint

SPAN_ATTRIBUTE: Final = 9  # Span.attributes
LINK_ATTRIBUTE: Final = 4  # Span.Link.attributes
RESOURCE_ATTRIBUTE: Final = 1  # Resource.attributes

# AnyValue
_STRING: Final = 1
_BOOL: Final = 2
_INT: Final = 3
_DOUBLE: Final = 4
_ARRAY: Final = 5

MAX_TEXT_BYTES: Final = 1024  # of one value; longer ones are cut
_SHORT: Final = 128  # values below this length have a prepared prefix


def text(value: bytes, limit_bytes: int = MAX_TEXT_BYTES) -> bytes:
    """`value` as at most `limit_bytes` of UTF-8. Invalid bytes become U+FFFD, and characters are never split."""
    if value.isascii():
        return value[:limit_bytes]
    # A character has at most four bytes, so everything after this cut is beyond the limit.
    repaired = value[: limit_bytes + 4].decode("utf-8", "replace").encode("utf-8")
    return repaired[:limit_bytes].decode("utf-8", "ignore").encode("utf-8")


def string(key: str, value: bytes, field: int = SPAN_ATTRIBUTE) -> bytes:
    """An attribute that is a text."""
    return _attribute(key, message(_STRING, text(value)), field)


def number(key: str, value: int, field: int = SPAN_ATTRIBUTE) -> bytes:
    """An attribute that is a whole number (int64)."""
    return _attribute(key, integer(_INT, value), field)


def real(key: str, value: float, field: int = SPAN_ATTRIBUTE) -> bytes:
    """An attribute that is a floating-point number."""
    return _attribute(key, double(_DOUBLE, value), field)


def boolean(key: str, value: bool, field: int = SPAN_ATTRIBUTE) -> bytes:
    """An attribute that is true or false."""
    return _attribute(key, integer(_BOOL, value), field)


def strings(key: str, values: Sequence[bytes], field: int = SPAN_ATTRIBUTE) -> bytes:
    """An attribute that is a list of texts."""
    array = b"".join(message(1, message(_STRING, text(value))) for value in values)
    return _attribute(key, message(_ARRAY, array), field)


def _attribute(key: str, value: bytes, field: int) -> bytes:
    return message(field, message(1, key.encode("utf-8")) + message(2, value))


@final
class TextAttribute:
    """A span's attribute whose value varies: for short values, everything except the value is prepared."""

    __slots__ = ("_key", "_limit_bytes", "_prefixes")

    def __init__(self, key: str, limit_bytes: int = MAX_TEXT_BYTES) -> None:
        self._key = key.encode("utf-8")
        self._limit_bytes = limit_bytes
        self._prefixes = [self._prefix(size) for size in range(_SHORT)]

    def _prefix(self, size: int) -> bytes:
        """Everything before a value of `size` bytes."""
        value = b"\x0a" + varint(size)  # AnyValue.string_value
        key = message(1, self._key)
        inner = key + b"\x12" + varint(len(value) + size) + value  # KeyValue.value
        return b"\x4a" + varint(len(inner) + size) + inner  # Span.attributes

    def encode(self, value: bytes) -> bytes:
        """The attribute with this value."""
        size = len(value)
        if size < _SHORT and value.isascii():
            return self._prefixes[size] + value
        value = text(value, self._limit_bytes)
        return self._prefix(len(value)) + value
