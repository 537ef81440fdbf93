"""Frames come out whole, however their bytes come in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab.http2 import Frame, frame, parse

from proxy.http2.engine.codes import FRAME_SIZE_ERROR, PREFACE, PROTOCOL_ERROR
from proxy.http2.engine.errors import ConnectionFault
from proxy.http2.engine.reader import FrameReader

FRAMES = st.lists(
    st.tuples(st.integers(0, 255), st.integers(0, 255), st.integers(0, 2**31 - 1), st.binary(max_size=40)), max_size=8
)


def read(reader: FrameReader, *pieces: bytes) -> list[Frame]:
    got = []
    for piece in pieces:
        reader.feed(piece)
        while reader.next():
            got.append(Frame(reader.kind, reader.flags, reader.id, reader.data[reader.start : reader.end]))
    return got


@given(FRAMES, st.lists(st.integers(1, 30), min_size=1, max_size=20), st.booleans())
def test_pieces_of_any_size(frames: list[tuple[int, int, int, bytes]], sizes: list[int], preface: bool) -> None:
    wire = (PREFACE if preface else b"") + b"".join(frame(*one) for one in frames)
    pieces, at, turn = [], 0, 0
    while at < len(wire):
        size = sizes[turn % len(sizes)]
        pieces.append(wire[at : at + size])
        at, turn = at + size, turn + 1
    assert read(FrameReader(preface), *pieces) == [Frame(*one) for one in frames]


def test_what_is_left_is_read_before_what_comes_next() -> None:
    reader = FrameReader(False)
    first, second, third = frame(0, 0, 1, b"a"), frame(0, 0, 1, b"b"), frame(0, 0, 1, b"c")
    reader.feed(first + second + third[:5])
    assert reader.next()
    assert reader.is_behind
    reader.feed(third[5:])
    assert [frame.payload for frame in read(reader, b"")] == [b"b", b"c"]
    assert not reader.is_behind


def test_the_reserved_bit_is_ignored() -> None:
    """4.1."""
    assert read(FrameReader(False), b"\0\0\0\0\0\x80\0\0\1") == [Frame(0, 0, 1, b"")]
    assert read(FrameReader(False), b"\0\0\0\0\0\xf1\2\3\4") == [Frame(0, 0, 0x71020304, b"")]


def test_the_largest_frame_and_one_byte_more() -> None:
    """4.2."""
    assert len(read(FrameReader(False), frame(0, 0, 1, bytes(16384)))[0].payload) == 16384
    with pytest.raises(ConnectionFault) as caught:
        read(FrameReader(False), frame(0, 0, 1, bytes(16385))[:9])
    assert caught.value.code == FRAME_SIZE_ERROR


@pytest.mark.parametrize("wire", [b"GET / HTTP/1.1\r\n", b"P", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\x00"])
def test_another_preface_is_refused_at_its_first_wrong_byte(wire: bytes) -> None:
    """3.4."""
    reader = FrameReader(True)
    if PREFACE.startswith(wire):
        assert read(reader, wire) == []
        wire = b"X"
    with pytest.raises(ConnectionFault) as caught:
        read(reader, wire)
    assert caught.value.code == PROTOCOL_ERROR


def test_bytes_by_the_hundred_thousand_are_not_copied_again_and_again() -> None:
    reader = FrameReader(False)
    wire = frame(0, 0, 1, bytes(16384))
    assert len(read(reader, *(wire[at : at + 1] for at in range(len(wire))))) == 1
    assert parse(wire)[0].payload == bytes(16384)


LARGE = [(0, 1, 3, bytes([number]) * size) for number, size in enumerate((5, 0, 16384, 3, 100, 16384, 16384, 0, 7))]


@pytest.mark.parametrize("first", [*range(30), 16380, 16400, 16410, 16430, 16520, 20000, 33000])
@pytest.mark.parametrize("second", [17000, 16385, 32900, 40000])
@pytest.mark.parametrize("read_before", [0, 1, 2])
def test_large_pieces_behind_a_part_of_a_frame(first: int, second: int, read_before: int) -> None:
    """A large piece completes the frame, and is gone through where it is.

    `read_before`: the number of frames read before the next piece comes.
    """
    wire = b"".join(frame(*one) for one in LARGE)
    reader = FrameReader(False)
    got = []
    for piece in (wire[:first], wire[first : first + second], wire[first + second :], b""):
        reader.feed(piece)
        left = read_before
        while (left or not piece) and reader.next():
            left -= 1
            got.append(Frame(reader.kind, reader.flags, reader.id, reader.data[reader.start : reader.end]))
    assert got == [Frame(*one) for one in LARGE]
    assert not reader.is_behind
    assert len(reader.data) + len(reader._following) == 0
