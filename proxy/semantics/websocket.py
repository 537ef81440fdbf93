"""WebSocket frames, as far as a tunnel needs them to send a Close (RFC 6455, 5.2 and 5.5.1). PURE.

Only finds where frames end. Extensions change the content of a frame, but not its length.
"""

from __future__ import annotations

from typing import Final, final

MOST_FRAMES: Final = 2000  # frames in one piece; a peer with more is no longer followed
_CLOSE: Final = 0x8
_GOING_AWAY: Final = (1001).to_bytes(2, "big")


@final
class Frames:
    """The frames of one direction, in pieces of any size."""

    __slots__ = ("_head", "_is_lost", "_left")

    def __init__(self) -> None:
        self._head = b""  # the incomplete head of a frame
        self._left = 0  # bytes of the present frame that have not come
        self._is_lost = False  # we must not send a frame: a Close has passed, or the position is lost

    def __repr__(self) -> str:
        state = "lost" if self._is_lost else "between frames" if self.is_between else "in a frame"
        return f"<Frames {state}>"

    @property
    def is_between(self) -> bool:
        """Whether our own frame may follow the bytes so far."""
        return not (self._is_lost or self._left or self._head)

    def feed(self, data: bytes) -> None:
        """Follow `data`."""
        if self._is_lost:
            return
        if self._head:
            data = self._head + data
            self._head = b""
        size, position = len(data), self._left
        for _ in range(MOST_FRAMES):
            head = data[position : position + 14]  # the longest form
            if not head:
                self._left = position - size
                return
            if len(head) < 2 or len(head) < (needed := _head_size(head[1])):
                self._head, self._left = head, 0
                return
            if head[0] & 0xF == _CLOSE:
                break
            length = head[1] & 0x7F
            if length > 125:
                length = int.from_bytes(head[2 : 4 if length == 126 else 10], "big")
            position += needed + length
        self._is_lost = True


def _head_size(second: int) -> int:
    """The length of a head, by its second byte."""
    length = second & 0x7F
    return 2 + (2 if length == 126 else 8 if length == 127 else 0) + (4 if second & 0x80 else 0)


def going_away(mask: bytes = b"") -> bytes:
    """A Close frame with 1001. A client's has a `mask` of four random bytes."""
    if not mask:
        return bytes((0x80 | _CLOSE, len(_GOING_AWAY))) + _GOING_AWAY
    masked = bytes(byte ^ mask[place] for place, byte in enumerate(_GOING_AWAY))
    return bytes((0x80 | _CLOSE, 0x80 | len(_GOING_AWAY))) + mask + masked
