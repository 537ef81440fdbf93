"""The little of protobuf's wire format that OTLP needs. PURE: values in, bytes out.

https://protobuf.dev/programming-guides/encoding/

A field begins with its number and wire type. A message within a message is its length, then its bytes.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5

_FIXED64: Final = Struct("<Q")
_FIXED32: Final = Struct("<I")
_DOUBLE: Final = Struct("<d")


def varint(value: int) -> bytes:
    """An int64 as a varint; a negative one takes ten bytes, as in protobuf."""
    if value < 0:
        value += 1 << 64
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def tag(number: int, wire_type: int) -> bytes:
    """The beginning of a field."""
    return varint(number << 3 | wire_type)


def message(number: int, data: bytes) -> bytes:
    """A field that holds bytes: a string, a byte string, or a message."""
    return tag(number, BYTES) + varint(len(data)) + data


def integer(number: int, value: int) -> bytes:
    """An int32, int64, uint64, bool or enum field."""
    return tag(number, VARINT) + varint(value)


def fixed64(number: int, value: int) -> bytes:
    """A fixed64 field."""
    return tag(number, FIXED64) + _FIXED64.pack(value)


def fixed32(number: int, value: int) -> bytes:
    """A fixed32 field."""
    return tag(number, FIXED32) + _FIXED32.pack(value)


def double(number: int, value: float) -> bytes:
    """A double field."""
    return tag(number, FIXED64) + _DOUBLE.pack(value)


def fields(data: bytes) -> list[tuple[int, int | bytes]]:
    """The fields of a message, in wire order: numbers of varints, bytes of all others.

    Raises ValueError if `data` is not a message.
    """
    found: list[tuple[int, int | bytes]] = []
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        number, wire_type = key >> 3, key & 7
        if number == 0:
            raise ValueError("a field has the number 0")
        if wire_type == VARINT:
            value, at = _read_varint(data, at)
            found.append((number, value))
            continue
        if wire_type == BYTES:
            size, at = _read_varint(data, at)
        elif wire_type == FIXED64:
            size = 8
        elif wire_type == FIXED32:
            size = 4
        else:
            raise ValueError(f"wire type {wire_type} is not in use")
        if at + size > len(data):
            raise ValueError("a field is longer than its message")
        found.append((number, data[at : at + size]))
        at += size
    return found


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The varint at `at`, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ValueError("a varint is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, at
    raise ValueError("a varint is longer than ten bytes")
