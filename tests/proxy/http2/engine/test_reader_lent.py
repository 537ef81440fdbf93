"""Frames out of bytes that are lent: what is left is copied before they are somebody else's."""

from __future__ import annotations

import random

import pytest

from proxy.http2.engine.errors import ConnectionFault
from proxy.http2.engine.reader import FrameReader

Frame = tuple[int, int, int, bytes]

SIZES = (0, 1, 4, 100, 300, 2047, 2048, 2049, 4096, 16383, 16384, 16384, 16384)


def wire(frame: Frame) -> bytes:
    kind, flags, id, payload = frame
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + id.to_bytes(4, "big") + payload


def frames(chance: random.Random) -> list[Frame]:
    return [
        (
            chance.randrange(256),
            chance.randrange(256),
            chance.randrange(1 << 31),
            chance.randbytes(chance.choice(SIZES)),
        )
        for _ in range(chance.randrange(1, 40))
    ]


class Lender:
    """Lends pieces to a reader, all in the same place."""

    def __init__(self) -> None:
        self.reader = FrameReader(False)
        self.got: list[Frame] = []
        self._place = bytearray(700_000)

    def take(self, most: int) -> None:
        reader = self.reader
        while most and reader.next():
            self.got.append((reader.kind, reader.flags, reader.id, reader.data[reader.start : reader.end]))
            most -= 1

    def lend(self, piece: bytes, most: int = 1000) -> None:
        self._place[: len(piece)] = piece
        self.reader.lend(memoryview(self._place)[: len(piece)])
        self.take(most)
        self.reader.keep()
        self._place[: len(piece)] = b"\xff" * len(piece)


@pytest.mark.parametrize("seed", range(40))
def test_split_anywhere(seed: int) -> None:
    chance = random.Random(seed)
    wanted = frames(chance)
    data = b"".join(map(wire, wanted))
    lender = Lender()
    place = 0
    while place < len(data):
        piece = data[place : place + chance.choice((1, 5, 9, 20, 1000, 20_000, 300_000))]
        place += len(piece)
        if chance.random() < 0.6 and not lender.reader.is_behind:
            lender.lend(piece, chance.choice((0, 2, 1000)))
        else:
            lender.reader.feed(piece)
            lender.take(chance.choice((3, 1000)))
    lender.reader.feed(b"")
    lender.take(1000)
    assert lender.got == wanted
    assert not lender.reader.is_behind


def test_byte_by_byte() -> None:
    wanted: list[Frame] = [(0, 0, 1, b"x" * 3000), (8, 0, 0, bytes(4)), (0, 1, 1, b"y" * 16384)]
    lender = Lender()
    for byte in b"".join(map(wire, wanted)):
        lender.lend(bytes((byte,)))
    assert lender.got == wanted


def test_a_frame_that_is_too_long_behind_full_ones() -> None:
    data = wire((0, 0, 1, bytes(16384))) * 3 + b"\x00\x40\x01" + bytes(20_000)
    lender = Lender()
    with pytest.raises(ConnectionFault):
        lender.lend(data)
    assert len(lender.got) == 3
