"""Fields to header blocks (RFC 7541). PURE.

What goes into the table follows the field's sender: it knows which values repeat.
Fields that no hop may put into a table stay such (6.2.3, 7.1.3).
Values are sent as they are: the Huffman code would save bytes of a local network, and cost more than all the rest.
"""

from __future__ import annotations

from typing import Final, final

from proxy.http2.hpack.decoder import DEFAULT_TABLE_BYTES
from proxy.http2.hpack.field import HeaderField, Holder
from proxy.http2.hpack.integers import INDEXED, LENGTHS, integer, length
from proxy.http2.hpack.static_table import FIELD_INDEX, NAME_INDEX, SIZE

_MOST_NAMES: Final = 256  # whose literal form is remembered
_LONGEST_NAME: Final = 64
_MOST_EVICTED: Final = 256  # as in the decoder
_MOST_PLACES: Final = 64

Literal = tuple[bytes, bytes]  # a field that is sent without a place in the table; its name is in lower case


@final
class Encoder:
    """The encoding end of one direction of one connection."""

    __slots__ = (
        "_added",
        "_first",
        "_holder",
        "_least_update",
        "_limit",
        "_most",
        "_names",
        "_numbers",
        "_oldest",
        "_order",
        "_places",
        "_update",
        "size",
    )

    def __init__(self, table_bytes: int = DEFAULT_TABLE_BYTES) -> None:
        """`table_bytes`: the most that we use, whatever the peer allows."""
        self._most = table_bytes
        self._limit = DEFAULT_TABLE_BYTES
        self._holder = Holder()
        self._numbers: dict[tuple[bytes, bytes], int] = {}  # fields in the table; counted in order of their coming
        self._places: dict[HeaderField, int] = {}  # the numbers of some fields, which find one faster than its text
        self._order: list[tuple[bytes, bytes]] = []  # the same, oldest first, from `_first` on
        self._first = 0
        self._added = 0  # how many have come so far: the number of the newest
        self._oldest = 1  # the number of the oldest that is still there
        self.size = 0  # of the table, in bytes (4.1)
        self._names: dict[bytes, bytes] = {}  # a name -> the beginning of a literal without a place in the table
        self._update = -1  # a size to announce in the next block; -1: none
        self._least_update = -1
        if table_bytes < DEFAULT_TABLE_BYTES:
            self.limit_table(DEFAULT_TABLE_BYTES)

    def limit_table(self, table_bytes: int) -> None:
        """The peer's SETTINGS_HEADER_TABLE_SIZE. The next block tells what becomes of it (4.2)."""
        size = min(table_bytes, self._most)
        if size == (self._update if self._update >= 0 else self._limit):
            return
        # If it becomes smaller and larger again between two blocks, both are told.
        self._least_update = size if self._least_update < 0 else min(size, self._least_update)
        self._update = size

    def encode(self, fields: list[HeaderField], literals: list[Literal]) -> bytes:
        """A whole block: `fields`, then `literals`."""
        out: list[bytes] = []
        if self._update >= 0:
            self._tell_update(out)
        holder = self._holder
        for field in fields:
            static = field.static
            if static:
                out.append(INDEXED[static])
            elif field.holder is holder and field.number >= self._oldest:
                index = self._added + SIZE + 1 - field.number
                out.append(INDEXED[index] if index < 256 else integer(127, 0x80, index))
            else:
                self._other(field, out)
        if literals:
            names = self._names
            for name, value in literals:
                beginning = names.get(name)
                out.append(self._beginning(name) if beginning is None else beginning)
                size = len(value)
                out.append(LENGTHS[size] if size < 256 else integer(127, 0, size))
                out.append(value)
        return b"".join(out)

    def _other(self, field: HeaderField, out: list[bytes]) -> None:
        """A field that is not known to be in a table."""
        name, value = field.name, field.value
        if field.never:
            index = NAME_INDEX.get(name, 0)
            out.append(integer(15, 0x10, index) if index else b"\x10" + length(len(name)) + name)
        elif field.is_literal:
            beginning = self._names.get(name)
            out.append(self._beginning(name) if beginning is None else beginning)
        else:
            number = self._places.get(field, 0)
            if number >= self._oldest:  # but another encoder had it since
                field.holder, field.number = self._holder, number
                index = self._added + SIZE + 1 - number
                out.append(INDEXED[index] if index < 256 else integer(127, 0x80, index))
                return
            pair = (name, value)
            number = self._numbers.get(pair, 0)
            if number:
                self._found(field, number, out)
                return
            static = FIELD_INDEX.get(pair, 0)
            if static:
                field.static = static
                out.append(INDEXED[static])
                return
            if field.size > self._limit // 4:  # it would push out too many others
                out.append(self._beginning(name))
            else:
                index = NAME_INDEX.get(name, 0)
                out.append(integer(63, 0x40, index) if index else b"\x40" + length(len(name)) + name)
                self._add(pair, field)
        out.append(length(len(value)))
        out.append(value)

    def _found(self, field: HeaderField, number: int, out: list[bytes]) -> None:
        """6.1: it is in the table."""
        field.holder, field.number = self._holder, number
        if len(self._places) >= _MOST_PLACES:
            self._places.clear()
        self._places[field] = number
        index = self._added + SIZE + 1 - number
        out.append(INDEXED[index] if index < 256 else integer(127, 0x80, index))

    def _beginning(self, name: bytes) -> bytes:
        """6.2.2: a literal without a place in the table, up to its value."""
        index = NAME_INDEX.get(name, 0)
        beginning = integer(15, 0, index) if index else b"\x00" + length(len(name)) + name
        if len(name) <= _LONGEST_NAME:
            if len(self._names) >= _MOST_NAMES:
                self._names.clear()
            self._names[name] = beginning
        return beginning

    def _add(self, pair: tuple[bytes, bytes], field: HeaderField) -> None:
        self._evict(self._limit - field.size)
        self._order.append(pair)
        self._added += 1
        self._numbers[pair] = self._added
        self.size += field.size
        field.holder, field.number = self._holder, self._added

    def _evict(self, room: int) -> None:
        """4.3, 4.4: remove the oldest until the rest takes at most `room` bytes."""
        order = self._order
        while self.size > room:
            name, value = oldest = order[self._first]
            self._first += 1
            self._oldest += 1
            self.size -= len(name) + len(value) + 32
            del self._numbers[oldest]
        if self._first > _MOST_EVICTED:
            del order[: self._first]
            self._first = 0

    def _tell_update(self, out: list[bytes]) -> None:
        """6.3, 4.2."""
        if self._least_update < self._update:
            self._evict(self._least_update)
            out.append(integer(31, 0x20, self._least_update))
        out.append(integer(31, 0x20, self._update))
        self._limit = self._update
        self._evict(self._limit)
        self._update = self._least_update = -1
