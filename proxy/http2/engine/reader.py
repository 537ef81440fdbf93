"""Frames out of bytes that come in pieces of any size (RFC 9113, 4). PURE.

For speed: a frame is not an object. `next` says where the next one is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from proxy.http2.engine.codes import FRAME_SIZE_ERROR, HEAD_BYTES, LEAST_MAX_FRAME, PREFACE, PROTOCOL_ERROR
from proxy.http2.engine.errors import ConnectionFault

if TYPE_CHECKING:
    from mypy_extensions import i64  # compiled, a machine word; else an int

_LARGE_BYTES: Final = 16 * 1024


@final
class FrameReader:
    """After `next`, the frame's payload is `data[start:end]`."""

    __slots__ = (
        "_at",
        "_following",
        "_following_at",
        "_held",
        "_needed",
        "_parts",
        "_wants_preface",
        "data",
        "end",
        "flags",
        "id",
        "kind",
        "start",
    )

    def __init__(self, wants_preface: bool) -> None:
        """`wants_preface`: a client's begins with it (3.4)."""
        self._wants_preface = wants_preface
        self._parts: list[bytes] = []  # of a frame that is not whole
        self._held = 0  # bytes in them
        self._needed = 0  # bytes that must be there before it is worth looking again
        self._at = 0  # where the next frame begins
        self.data = b""
        self._following = b""  # comes after `data`, from `_following_at` on
        self._following_at = 0
        self.kind = 0
        self.flags = 0
        self.id = 0  # of the stream
        self.start = 0
        self.end = 0

    @property
    def is_behind(self) -> bool:
        """Whether bytes are left that `next` has not looked at."""
        return self._at < len(self.data) or self._following_at < len(self._following)

    def feed(self, data: bytes) -> None:
        """More bytes, for `next`. Raises ConnectionFault if they do not begin as they must."""
        if self._parts:
            held = self._held + len(data)
            if held < self._needed:
                self._parts.append(data)
                self._held = held
                return
            if len(data) > _LARGE_BYTES and not self._wants_preface:
                # For speed: only the rest of the frame is copied, and not all that follows.
                missing = self._needed - self._held
                self._parts.append(data[:missing])
                self._following = data
                self._following_at = missing
            else:
                self._parts.append(data)
            data = b"".join(self._parts)
            self._parts = []
        elif self.is_behind:
            if not data:
                return
            data = self.data[self._at :] + self._following[self._following_at :] + data
            self._following = b""
            self._following_at = 0
        self.data = data
        self._at = 0
        if self._wants_preface:
            self._take_preface()

    def _take_preface(self) -> None:
        data = self.data
        if not data.startswith(PREFACE):
            if not PREFACE.startswith(data):
                raise ConnectionFault(PROTOCOL_ERROR, "no HTTP/2 preface")
            self._hold(len(data) + 1)
        else:
            self._wants_preface = False
            self._at = len(PREFACE)

    def next(self) -> bool:
        """Whether there is a whole frame; then the attributes are its own. Raises ConnectionFault if it is too long."""
        data = self.data
        at: i64 = self._at
        left: i64 = len(data) - at
        if left < HEAD_BYTES:
            return self._go_on(HEAD_BYTES) and self.next()
        length: i64 = data[at] << 16 | data[at + 1] << 8 | data[at + 2]
        if length > LEAST_MAX_FRAME:  # we announce no larger one
            raise ConnectionFault(FRAME_SIZE_ERROR, "a frame of more than 16384 bytes")
        length += HEAD_BYTES
        if left < length:
            return self._go_on(length) and self.next()
        self.kind = data[at + 3]
        self.flags = data[at + 4]
        # 4.1: the reserved bit is ignored.
        self.id = (data[at + 5] & 0x7F) << 24 | data[at + 6] << 16 | data[at + 7] << 8 | data[at + 8]
        self.start = at + HEAD_BYTES
        self.end = self._at = at + length
        return True

    def stop(self) -> None:
        """Forget what is left: the connection is over."""
        self.data = self._following = b""
        self._at = self._following_at = 0
        self._parts = []

    def _go_on(self, needed: int) -> bool:
        """Take what follows, until there are `needed` bytes. If there are not, hold what is left."""
        following = self._following
        at = self._following_at
        if at < len(following):
            rest = self.data[self._at :]
            missing = needed - len(rest)
            if not rest:
                self.data = following
                self._at = at
                self._following = b""
                self._following_at = 0
                return True
            self.data = rest + following[at : at + missing]
            self._at = 0
            self._following_at = at + missing
            if len(self.data) == needed:
                return True
        self._following = b""
        self._following_at = 0
        self._hold(needed)
        return False

    def _hold(self, needed: int) -> None:
        """Keep what is left, until there are `needed` bytes."""
        if self._at < len(self.data):
            rest = self.data[self._at :]
            self._parts = [rest]
            self._held = len(rest)
            self._needed = needed
        self.data = b""
        self._at = 0
