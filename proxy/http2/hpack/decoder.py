"""Header blocks to fields (RFC 7541, 3 and 6). PURE.

The decoder bounds what a peer can make it hold: the table by its size, and a list of fields by its limit.
A list beyond the limit is decoded to its end, but not kept: the table has to stay the peer's (RFC 9113, 10.5.1).
"""

from __future__ import annotations

from typing import Final, final

from proxy.http2.hpack import huffman
from proxy.http2.hpack.errors import BadBlock
from proxy.http2.hpack.field import HeaderField, Judge
from proxy.http2.hpack.integers import MAX_SHIFT
from proxy.http2.hpack.static_table import SIZE, STATIC

DEFAULT_TABLE_BYTES: Final = 4096  # until SETTINGS_HEADER_TABLE_SIZE says otherwise (RFC 9113, 6.5.2)
_MOST_EVICTED: Final = 256  # places at the beginning of the list that stay empty until they are removed at once
_MOST_NAMES: Final = 64  # whose code is remembered
_LONGEST_CODE: Final = 48
_PATH: Final = 4  # :path in the static table
_INDEX: Final = 5  # the same, "/index.html"
_MOST_PATHS: Final = 64  # whose field is remembered


@final
class Decoder:
    """The decoding end of one direction of one connection."""

    __slots__ = (
        "_allowed",
        "_first",
        "_judge",
        "_limit",
        "_list_bytes",
        "_must_update",
        "_names",
        "_paths",
        "_place",
        "_static",
        "_table",
        "is_oversized",
        "size",
    )

    def __init__(self, judge: Judge, list_bytes: int, table_bytes: int = DEFAULT_TABLE_BYTES) -> None:
        """`list_bytes`: the largest list, by the count of RFC 9113, 6.5.2. `table_bytes`: what the peer may ask for."""
        self._list_bytes = list_bytes
        self._allowed = table_bytes
        self._limit = DEFAULT_TABLE_BYTES
        self._must_update = table_bytes < DEFAULT_TABLE_BYTES
        self._table: list[HeaderField] = []  # oldest first, from `_first` on
        self._first = 0
        self.size = 0  # of the table, in bytes (4.1)
        self._place = 0  # in the block
        self._names: dict[bytes, bytes] = {}  # Huffman's code of a name, with its length -> the name
        # Most clients give paths no place in the table, but call few of them.
        self._paths: dict[bytes, HeaderField] = {}  # a short string as it comes, with its length -> its field
        self.is_oversized = False  # whether the last list was longer than the limit, and so is cut
        self.judge_by(judge)

    def judge_by(self, judge: Judge) -> None:
        """Judge fields by `judge` from now on, those in the tables, too."""
        self._judge = judge
        self._paths.clear()
        self._static: list[HeaderField] = []
        for index, (name, value) in enumerate(STATIC):
            field = HeaderField(name, value, judge.kind_of(name, value))
            field.static = index
            self._static.append(field)
        # New objects: those that messages in flight hold keep their kinds.
        for place in range(self._first, len(self._table)):
            old = self._table[place]
            self._table[place] = HeaderField(old.name, old.value, judge.kind_of(old.name, old.value))

    def allow(self, table_bytes: int) -> None:
        """The peer has acknowledged this SETTINGS_HEADER_TABLE_SIZE. If it is less, its next block says so (4.2)."""
        self._allowed = table_bytes
        if table_bytes < self._limit:
            self._must_update = True

    def decode(self, block: bytes) -> list[HeaderField]:
        """The fields of a whole block, which may be cut (`is_oversized`). Raises BadBlock."""
        fields: list[HeaderField] = []
        table = self._table
        static = self._static
        room = self._list_bytes
        end = len(block)
        place = 0
        self.is_oversized = False
        if self._must_update and (end == 0 or block[0] & 0xE0 != 0x20):
            raise BadBlock("no size update after the table was made smaller")
        is_beginning = True
        while place < end:
            first = block[place]
            place += 1
            if first >= 0x80:  # 6.1: an indexed field
                index = first & 0x7F
                if index == 0x7F:
                    self._place = place
                    index = self._integer(block, end, 0x7F)
                    place = self._place
                if index > SIZE:
                    index = len(table) + SIZE - index
                    if index < self._first:
                        raise BadBlock("an index beyond the table")
                    field = table[index]
                elif index:
                    field = static[index]
                else:
                    raise BadBlock("index 0")
            elif first & 0xE0 == 0x20:  # 6.3: a size update
                if not is_beginning:
                    raise BadBlock("a size update behind a field")
                self._place = place
                self._resize(self._integer(block, end, 0x1F) if first == 0x3F else first & 0x1F)
                place = self._place
                continue
            else:
                self._place = place
                field = self._literal(block, end, first)
                place = self._place
            is_beginning = False
            room -= field.size
            if room >= 0:
                fields.append(field)
        if room < 0:
            self.is_oversized = True
        return fields

    def _literal(self, block: bytes, end: int, first: int) -> HeaderField:
        """6.2: a literal, which goes into the table where it says so."""
        is_indexed = first >= 0x40
        if is_indexed:  # 6.2.1
            index = first & 0x3F
            if index == 0x3F:
                index = self._integer(block, end, 0x3F)
        else:  # 6.2.2, 6.2.3
            index = first & 0x0F
            if index == 0x0F:
                index = self._integer(block, end, 0x0F)
        if index == 0:
            name = self._name(block, end)
        elif index > SIZE:
            index = len(self._table) + SIZE - index
            if index < self._first:
                raise BadBlock("an index beyond the table")
            name = self._table[index].name
        else:
            if _PATH <= first <= _INDEX:
                return self._path(block, end)
            name = self._static[index].name
        value = self._string(block, end)
        kind = self._judge.kind_of(name, value)
        if not is_indexed:
            return HeaderField(name, value, kind, first >= 0x10, True)
        field = HeaderField(name, value, kind)
        room = self._limit - field.size
        if self.size > room:
            self._evict(room)
        if room >= 0:
            self._table.append(field)
            self.size += field.size
        return field

    def _path(self, block: bytes, end: int) -> HeaderField:
        """6.2.2: a path that gets no place in the table. The same path is the same object."""
        start = self._place
        size = block[start] & 0x7F if start < end else 0x7F
        code = block[start : start + size + 1] if size < 0x7F else b""
        field = self._paths.get(code)
        if field is not None:
            self._place = start + size + 1
            return field
        name = self._static[_PATH].name
        value = self._string(block, end)
        field = HeaderField(name, value, self._judge.kind_of(name, value), False, True)
        if code:
            if len(self._paths) >= _MOST_PATHS:
                self._paths.clear()
            self._paths[code] = field
        return field

    def _integer(self, block: bytes, end: int, value: int) -> int:
        """5.1, behind a prefix of ones. Longer ones than any that we accept are refused."""
        shift = 0
        place = self._place
        while True:
            if place >= end:
                raise BadBlock("the block ends in an integer")
            if shift > MAX_SHIFT:
                raise BadBlock("an integer is too long")
            byte = block[place]
            place += 1
            value += (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                self._place = place
                return value

    def _string(self, block: bytes, end: int) -> bytes:
        """5.2."""
        place = self._place
        if place >= end:
            raise BadBlock("the block ends before a string")
        first = block[place]
        place += 1
        length = first & 0x7F
        if length == 0x7F:
            self._place = place
            length = self._integer(block, end, 0x7F)
            place = self._place
        stop = place + length
        if stop > end:
            raise BadBlock("the block ends in a string")
        self._place = stop
        if first >= 0x80:
            return huffman.decode(block, place, stop)
        return block[place:stop]

    def _name(self, block: bytes, end: int) -> bytes:
        """A string that nearly always is one of few: those in Huffman's code are remembered."""
        start = self._place
        if start >= end or not 0x80 < block[start] <= 0x80 + _LONGEST_CODE:
            return self._string(block, end)
        code = block[start : start + block[start] - 0x7F]
        name = self._names.get(code)
        if name is None or start + len(code) > end:
            name = self._string(block, end)
            if len(self._names) >= _MOST_NAMES:
                self._names.clear()
            self._names[code] = name
        else:
            self._place = start + len(code)
        return name

    def _resize(self, table_bytes: int) -> None:
        if table_bytes > self._allowed:
            raise BadBlock("a size update beyond SETTINGS_HEADER_TABLE_SIZE")
        self._must_update = False
        self._limit = table_bytes
        self._evict(table_bytes)

    def _evict(self, room: int) -> None:
        """4.3, 4.4: remove the oldest until the rest takes at most `room` bytes."""
        table = self._table
        first = self._first
        size = self.size
        count = len(table)
        while size > room and first < count:
            size -= table[first].size
            first += 1
        if first > _MOST_EVICTED or first == count:
            del table[:first]
            first = 0
        self._first = first
        self.size = size
