"""Frames are written as RFC 9113, 6 has them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab.http2 import Frame, parse

from proxy.http2.engine import codes, frames

ID = b"\x00\x00\x00\x07"


@given(st.integers(0, 70000), st.booleans())
def test_data(size: int, done: bool) -> None:
    wire = frames.data_beginning(size, done) + ID + bytes(size)
    assert parse(wire) == [Frame(codes.DATA, codes.END_STREAM if done else 0, 7, bytes(size))]


@pytest.mark.parametrize("size", [0, 1, 1024, 1025, 16384, 16385, 32768, 50000])
@pytest.mark.parametrize("done", [False, True])
def test_a_block_takes_as_many_frames_as_it_needs(size: int, done: bool) -> None:
    """6.10."""
    out: list[bytes] = []
    block = bytes(range(250)) * 200
    frames.write_headers(out, block[:size], ID, done, 16384)
    first, *others = parse(b"".join(out))
    assert (first.kind, first.flags & codes.END_STREAM) == (codes.HEADERS, codes.END_STREAM if done else 0)
    assert all(frame.kind == codes.CONTINUATION and frame.id == 7 for frame in others)
    assert [bool(frame.flags & codes.END_HEADERS) for frame in (first, *others)] == [*[False] * len(others), True]
    assert b"".join(frame.payload for frame in (first, *others)) == block[:size]
    assert len(others) == max(0, -(-size // 16384) - 1)


def test_the_others() -> None:
    wire = frames.reset(ID, 8) + frames.settings([(4, 100), (3, 1)]) + frames.ping(b"12345678", codes.ACK)
    wire += frames.goaway(5, 11, b"calm") + frames.window_update(ID, 70000) + frames.SETTINGS_ACK
    assert parse(wire) == [
        Frame(codes.RST_STREAM, 0, 7, b"\0\0\0\x08"),
        Frame(codes.SETTINGS, 0, 0, b"\0\4\0\0\0\x64\0\3\0\0\0\1"),
        Frame(codes.PING, codes.ACK, 0, b"12345678"),
        Frame(codes.GOAWAY, 0, 0, b"\0\0\0\5\0\0\0\x0bcalm"),
        Frame(codes.WINDOW_UPDATE, 0, 7, b"\0\1\x11\x70"),
        Frame(codes.SETTINGS, codes.ACK, 0, b""),
    ]
