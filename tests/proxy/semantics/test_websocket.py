"""Where WebSocket frames end, and the Close frame that may stand there (RFC 6455, 5.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Close, Frame, Opcode

from proxy.semantics.websocket import MOST_FRAMES, Frames, going_away

CLOSE = Frame(Opcode.CLOSE, Close(1001, "").serialize())


def frame(size: int, *, mask: bool) -> bytes:
    return Frame(Opcode.BINARY, bytes(size)).serialize(mask=mask)


@given(
    st.lists(st.tuples(st.sampled_from((0, 1, 125, 126, 65535, 65536)), st.booleans()), max_size=4),
    st.lists(st.integers(0, 70_000), max_size=6),
)
def test_it_is_between_frames_exactly_where_one_has_ended(parts: list[tuple[int, bool]], cuts: list[int]) -> None:
    """Whatever pieces they come in."""
    frames = [frame(size, mask=mask) for size, mask in parts]
    ends = {0}
    for one in frames:
        ends.add(max(ends) + len(one))
    data = b"".join(frames)
    places = sorted({0, *(cut for cut in (*cuts, *ends) if cut <= len(data))})
    followed = Frames()
    for before, place in zip((0, *places), places, strict=False):
        followed.feed(data[before:place])
        assert followed.is_between == (place in ends), followed


@pytest.mark.parametrize("size", [0, 1, 126, 65536])
def test_byte_by_byte(size: int) -> None:
    followed = Frames()
    head = frame(size, mask=True)
    for place in range(min(len(head), 20)):
        assert followed.is_between == (place == 0)
        followed.feed(head[place : place + 1])
    followed.feed(head[20:])
    assert followed.is_between


def test_nothing_follows_a_close() -> None:
    followed = Frames()
    followed.feed(frame(3, mask=False) + CLOSE.serialize(mask=False))
    assert not followed.is_between
    followed.feed(frame(3, mask=False))
    assert not followed.is_between
    assert repr(followed) == "<Frames lost>"


def test_a_flood_of_frames_is_not_followed() -> None:
    followed = Frames()
    followed.feed(frame(1, mask=False) * (MOST_FRAMES - 1))
    assert followed.is_between
    followed.feed(frame(1, mask=False) * (MOST_FRAMES + 1))
    assert not followed.is_between


def test_going_away_is_a_close_frame() -> None:
    assert going_away() == CLOSE.serialize(mask=False)
    mask = b"\x01\x02\x03\x04"
    assert going_away(mask) == b"\x88\x82" + mask + bytes((0x03 ^ 1, 0xE9 ^ 2))


def test_what_is_shown_of_a_position() -> None:
    frames = Frames()
    assert repr(frames) == "<Frames between frames>"
    frames.feed(b"\x81\x05he")
    assert repr(frames) == "<Frames in a frame>"
    frames.feed(b"llo\x88\x00")
    assert repr(frames) == "<Frames lost>"
