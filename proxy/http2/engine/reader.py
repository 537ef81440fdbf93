"""Frames out of bytes that come in pieces of any size (RFC 9113, 4). PURE.

For speed: a frame is not an object. `next` says where the next one is.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final, final

from proxy.http2.engine.codes import FRAME_SIZE_ERROR, HEAD_BYTES, LARGEST_ID, LEAST_MAX_FRAME, PREFACE, PROTOCOL_ERROR
from proxy.http2.engine.errors import ConnectionFault

if TYPE_CHECKING:
    from mypy_extensions import i64  # compiled, a machine word; else an int

_LARGE_BYTES: Final = 16 * 1024
_LARGE_FRAME: Final = 2 * 1024  # a smaller one is copied together with those behind it, since each copy costs something
_PIECE: Final = 4 * 1024  # so many bytes of them
_read_head: Final = Struct(">HBBBL").unpack_from
_read_full: Final = Struct(f">HBBBL{LEAST_MAX_FRAME}s").unpack_from
_NOTHING: Final = memoryview(b"")


@final
class FrameReader:
    """After `next`, the frame's payload is `data[start:end]`.

    What follows `data` is copied frame by frame.
    """

    __slots__ = (
        "_at",
        "_following",
        "_following_at",
        "_following_end",
        "_held",
        "_is_run",
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
        self._following = _NOTHING  # comes after `data`, from `_following_at` on
        self._following_at = 0
        self._following_end = 0
        self._is_run = False  # the last frame was as large as any
        self.kind = 0
        self.flags = 0
        self.id = 0  # of the stream
        self.start = 0
        self.end = 0

    @property
    def is_behind(self) -> bool:
        """Whether bytes are left that `next` has not looked at."""
        return self._at < len(self.data) or self._following_at < self._following_end

    def feed(self, data: bytes) -> None:
        """More bytes, for `next`. Raises ConnectionFault if they do not begin as they must."""
        if self._parts:
            if self._held + len(data) < self._needed:
                self._parts.append(data)
                self._held += len(data)
                return
            if len(data) > _LARGE_BYTES and not self._wants_preface:
                self.lend(memoryview(data))
                return
            self._parts.append(data)
            data = b"".join(self._parts)
            self._parts = []
        elif self.is_behind:
            if not data:
                return
            self.keep()
            data = self.data[self._at :] + data
        self.data = data
        self._at = 0
        if self._wants_preface:
            self._take_preface()

    def lend(self, data: memoryview) -> None:
        """`feed`, for many bytes behind the preface, when nothing is left. What they lie in is needed until `keep`."""
        missing = 0
        self.data = b""
        if self._parts:
            missing = min(self._needed - self._held, len(data))
            self._parts.append(data[:missing].tobytes())
            self.data = b"".join(self._parts)
            self._parts = []
        self._at = 0
        self._following = data
        self._following_at = missing
        self._following_end = len(data)

    def keep(self) -> bool:
        """Copy what is left of what was lent. Whether `next` has anything to look at, as in `is_behind`."""
        if self._following_at < self._following_end:
            self.data = self.data[self._at :] + self._following[self._following_at :].tobytes()
            self._at = 0
            self._forget_following()
        return self._at < len(self.data)

    def _forget_following(self) -> None:
        self._following = _NOTHING
        self._following_at = self._following_end = 0

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
            if not left and self._following_end and self._next_large():
                return True
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
        self.data = b""
        self._at = 0
        self._forget_following()
        self._parts = []

    def _next_large(self) -> bool:
        """`next`, if what follows begins with a whole large frame: then its payload is copied, and nothing else."""
        at = self._following_at
        left = self._following_end - at - HEAD_BYTES
        if left < _LARGE_FRAME:
            return False
        is_full = self._is_run and left >= LEAST_MAX_FRAME
        if is_full:
            whole: tuple[int, int, int, int, int, bytes] = _read_full(self._following, at)
            high, low, kind, flags, id, payload = whole
            self._is_run = is_full = high << 8 | low == LEAST_MAX_FRAME
            length = LEAST_MAX_FRAME
        if not is_full:
            head: tuple[int, int, int, int, int] = _read_head(self._following, at)
            high, low, kind, flags, id = head
            length = high << 8 | low
            if not _LARGE_FRAME <= length <= min(left, LEAST_MAX_FRAME):
                return False
            payload = self._following[at + HEAD_BYTES : at + HEAD_BYTES + length].tobytes()
            self._is_run = length == LEAST_MAX_FRAME
        self.kind = kind
        self.flags = flags
        self.id = id & LARGEST_ID
        self.data = payload
        self.start = 0
        self.end = self._at = length
        self._following_at = at + HEAD_BYTES + length
        return True

    def _go_on(self, needed: int) -> bool:
        """Take what follows, until there are `needed` bytes. If there are not, hold what is left."""
        end = self._following_end
        if not end:
            self._hold(needed)
            return False
        rest = self.data[self._at :]
        at = self._following_at
        missing = needed - len(rest)
        end = self._following_at = min(end, at + (missing if rest else max(missing, _PIECE)))
        self.data = rest = rest + self._following[at:end].tobytes()
        self._at = 0
        if len(rest) >= needed:
            return True
        self._forget_following()
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
