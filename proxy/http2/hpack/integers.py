"""Integers with a prefix (RFC 7541, 5.1). PURE. The decoder reads them itself, for speed."""

from __future__ import annotations

from typing import Final

# Continuation bytes that we read: 5 of them hold 35 bits, more than any length or index that we accept.
# Implementations have to bound them (7.4).
MAX_SHIFT: Final = 28


_BYTES: Final[list[bytes]] = [bytes((value,)) for value in range(256)]


def integer(prefix: int, first: int, value: int) -> bytes:
    """`value` behind the bits of `first`. `prefix`: the largest value of its free bits, for example 127."""
    if value < prefix:
        return _BYTES[first | value]
    out = bytearray((first | prefix,))
    value -= prefix
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


# The bytes of small lengths without Huffman, by length.
LENGTHS: Final[list[bytes]] = [integer(127, 0, size) for size in range(256)]
# Indexed fields (6.1), by index; 0 is not an index.
INDEXED: Final[list[bytes]] = [integer(127, 0x80, index) for index in range(256)]


def length(size: int) -> bytes:
    """The length of a string that is sent as it is (5.2)."""
    return LENGTHS[size] if size < 256 else integer(127, 0, size)
