"""Header blocks that a peer may send, or may not: valid ones, nearly valid ones, and noise."""

from __future__ import annotations

import random

import hpack

from proxy.http2.hpack import huffman
from proxy.http2.hpack.encoder import Encoder
from proxy.http2.hpack.field import HeaderField
from proxy.http2.hpack.integers import integer

_NAMES = (b":method", b":path", b":status", b"cookie", b"x-a", b"traceparent", b"authorization", b"", b"x" * 100)
_VALUES = (b"", b"GET", b"200", b"/", b"application/grpc", b"y" * 200, b"\xff\x00\r\n", b"z" * 3000)

Fields = list[tuple[bytes, bytes]]


class Writer:
    """Writes the blocks of one connection."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._ours = Encoder()
        self._theirs = hpack.Encoder()
        self.table_bytes = 4096

    def block(self) -> bytes:
        """The next one. Those of one encoder follow each other until the first of another kind."""
        dice = self._dice
        kind = dice.random()
        if kind < 0.35:
            return self._ours.encode([self._field(*pair) for pair in self._fields()], [])
        if kind < 0.55:
            return bytes(self._theirs.encode(self._fields(), huffman=dice.random() < 0.7))
        if kind < 0.95:
            return b"".join(self._representation() for _ in range(dice.randrange(8)))
        return dice.randbytes(dice.randrange(20))

    def broken(self, block: bytes) -> bytes:
        """The same with a fault: a byte changed, lost or added, or the end cut off."""
        dice = self._dice
        if not block:
            return dice.randbytes(2)
        at = dice.randrange(len(block))
        fault = dice.randrange(4)
        if fault == 0:
            return block[:at] + bytes((block[at] ^ (1 << dice.randrange(8)),)) + block[at + 1 :]
        if fault == 1:
            return block[:at] + block[at + 1 :]
        if fault == 2:
            return block[:at] + dice.randbytes(1) + block[at:]
        return block[:at]

    def _fields(self) -> Fields:
        return [self._pair() for _ in range(self._dice.randrange(10))]

    def _pair(self) -> tuple[bytes, bytes]:
        dice = self._dice
        name = dice.choice(_NAMES) if dice.random() < 0.8 else dice.randbytes(dice.randrange(1, 12))
        value = dice.choice(_VALUES) if dice.random() < 0.7 else dice.randbytes(dice.randrange(12))
        return name, value

    def _field(self, name: bytes, value: bytes) -> HeaderField:
        how = self._dice.random()
        return HeaderField(name, value, 0, how < 0.1, how < 0.3)

    def _representation(self) -> bytes:
        """One of section 6, with what may be wrong in it."""
        dice = self._dice
        kind = dice.random()
        index = dice.choice((0, 1, 61, 62, 63, 64, 70, 126, 127, 128, 200, dice.randrange(1 << 34)))
        if dice.random() < 0.6:
            index = dice.randrange(1, 64)
        if kind < 0.3:
            return self._integer(127, 0x80, index)
        if kind < 0.4:
            size = dice.choice((0, 30, 31, 100, self.table_bytes, self.table_bytes + 1, 1 << 20))
            return self._integer(31, 0x20, size)
        prefix, first = dice.choice(((63, 0x40), (63, 0x40), (15, 0x00), (15, 0x10)))
        name, value = self._pair()
        if dice.random() < 0.5:
            return self._integer(prefix, first, index) + self._string(value)
        return bytes((first,)) + self._string(name) + self._string(value)

    def _string(self, text: bytes) -> bytes:
        dice = self._dice
        if dice.random() < 0.5:
            return self._integer(127, 0, len(text)) + text
        code = huffman.encode(text) if dice.random() < 0.9 else dice.randbytes(dice.randrange(8))
        return self._integer(127, 0x80, len(code)) + code

    def _integer(self, prefix: int, first: int, value: int) -> bytes:
        """Sometimes longer than it has to be."""
        written = integer(prefix, first, value)
        if len(written) > 1 and self._dice.random() < 0.05:
            zeros = self._dice.randrange(1, 5)
            return written[:-1] + bytes((written[-1] | 0x80,)) + b"\x80" * (zeros - 1) + b"\x00"
        return written
