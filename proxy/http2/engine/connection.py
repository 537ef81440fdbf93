"""The life of a connection and of its streams: which are open, how they ended, and the credit they are given. PURE.

A stream that has ended may still get frames: whether that is a fault depends on how it ended (RFC 9113, 5.1).
So the connection remembers that of the last streams:

    by us         our RST_STREAM may have crossed with them: they are ignored
    by the peer   it knew: STREAM_CLOSED
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Final

from proxy.http2.engine import frames
from proxy.http2.engine.codes import CANCEL, DEFAULT_WINDOW, LARGEST_ID, NO_ERROR, name_of
from proxy.http2.engine.limits import Limits
from proxy.http2.engine.output import Output
from proxy.http2.engine.owner import Owner
from proxy.http2.engine.streams import Nobody, Stream
from proxy.http2.engine.windows import ReceiveWindow

# How a stream has ended.
UNKNOWN: Final = 0  # never existed, or long ago
BY_US: Final = 1  # by our RST_STREAM, before the peer had ended its side
BY_PEER: Final = 2  # the peer had ended its side, or the whole stream

_REMEMBERED: Final = 512  # ended streams: at least this many, at most twice as many
_MOST_DETAIL: Final = 128  # bytes of text in a GOAWAY

NOBODY: Final = Nobody()


class Connection(Output):
    """The streams of one connection."""

    __slots__ = (
        "_before",
        "_goaway_id",
        "_held_bytes",
        "_limits",
        "_now",
        "_owner",
        "_receive",
        "_recently",
        "_uncredited",
        "is_closing",
        "is_failed",
        "last_id",
        "streams",
    )

    def __init__(self, owner: Owner, limits: Limits) -> None:
        super().__init__(limits.table_bytes)
        self._owner = owner
        self._limits = limits
        self._now = 0.0  # when the bytes came that are being read
        self.streams: dict[int, Stream] = {}  # open ones
        self.last_id = 0  # of the newest stream that the peer has opened
        self._recently: dict[int, int] = {}  # streams that have ended: how
        self._before: dict[int, int] = {}  # the same, of those before
        self._goaway_id = LARGEST_ID  # streams of the peer above this one are ignored
        self.is_closing = False  # no new streams: one of both has said GOAWAY
        self.is_failed = False  # we read and write no more
        self._receive = ReceiveWindow(limits.connection_window, limits.connection_window)
        self._uncredited = 0  # content for which the connection's window has not been given back
        self._held_bytes = 0  # content that streams owe, all together

    @property
    @abstractmethod
    def streams_total(self) -> int:
        """How many streams there have been."""

    @property
    def is_idle(self) -> bool:
        """Whether no stream is open, or waits to be."""
        return not self.streams and not self._opening

    def _wake(self) -> None:
        self._owner.wants_flush()

    def _start(self, settings: list[tuple[int, int]], before: bytes) -> None:
        increment = self._limits.connection_window - DEFAULT_WINDOW
        update = frames.window_update(b"\x00\x00\x00\x00", increment) if increment > 0 else b""
        self._write(before + frames.settings(settings) + update)

    # --- credit

    def _take(self, stream: Stream, size: int) -> bool:
        """So many bytes of a stream have come. False if it is more than its window allows."""
        receive = stream.receive
        if receive is None:
            limits = self._limits
            receive = stream.receive = ReceiveWindow(limits.stream_window, limits.most_stream_window)
        return receive.take(size)

    def _is_expected(self, stream: Stream, size: int, done: bool) -> bool:
        """8.1.1: as much content as Content-Length says; none where there is none."""
        left = stream.left
        if left >= 0 and not stream.is_bodiless:
            left -= size
            stream.left = left
            if left < 0 or (done and left):
                return False
        return stream.had_head and not (size and stream.is_bodiless)

    def _credit(self, stream: Stream, size: int) -> None:
        """So many bytes of a stream have been handed on, padding included."""
        if not stream.is_held or stream.is_over or stream.receive is None:
            self._credit_stream(stream, size)
        else:
            stream.receive.owed += size
            self._held_bytes += size
        self._credit_connection(size)

    def _credit_stream(self, stream: Stream, size: int) -> None:
        if stream.receive is not None and not stream.is_remote_done and not stream.is_over:
            increment = stream.receive.give(size)
            if increment:
                self._write(frames.window_update(self._id_bytes(stream.id), increment))

    def _credit_connection(self, size: int) -> None:
        """One slow stream must not hold up the others: its content counts only beyond a limit for all."""
        if self.is_failed:
            return
        due = self._uncredited + size
        self._uncredited = min(due, max(0, self._held_bytes - self._limits.max_held_bytes))
        increment = self._receive.give(due - self._uncredited)
        if increment:
            self._write(frames.window_update(b"\x00\x00\x00\x00", increment))

    def hold(self, stream: Stream, held: bool) -> None:
        receive = stream.receive
        if not held and receive is not None and receive.owed:
            self._credit_stream(stream, self._settle_debt(receive))

    def _settle_debt(self, receive: ReceiveWindow) -> int:
        size = receive.owed
        receive.owed = 0
        self._held_bytes -= size
        if self._uncredited:
            self._credit_connection(0)
        return size

    # --- the ends of streams

    def reset(self, stream: Stream, code: int) -> None:
        if stream.is_over:
            return
        if not stream.is_open:
            stream.is_over = True
            self._opening.remove(stream)
            self._owner.on_stream_over()
            return
        self._write(frames.reset(self._id_bytes(stream.id), code))
        self._owner.on_reset(code, False)
        self._over(stream, BY_US)

    def _over(self, stream: Stream, how: int) -> None:
        """It has ended, and holds nothing any longer."""
        stream.is_over = True
        del self.streams[stream.id]
        self._remember(stream.id, BY_PEER if stream.is_remote_done else how)
        stream.unsent = None
        if stream.receive is not None and stream.receive.owed:
            self._settle_debt(stream.receive)
        stream.user = NOBODY
        self._owner.on_stream_over()

    def _remember(self, id: int, how: int) -> None:
        if len(self._recently) >= _REMEMBERED:
            self._before = self._recently
            self._recently = {}
        self._recently[id] = how

    def _how_ended(self, id: int) -> int:
        return self._recently.get(id) or self._before.get(id, UNKNOWN)

    def _local_done(self, stream: Stream) -> None:
        stream.is_local_done = True
        if stream.is_remote_done:
            self._over(stream, BY_PEER)
        else:
            self._done_early(stream)

    @abstractmethod
    def _done_early(self, stream: Stream) -> None:
        """Our END_STREAM has been written, and the peer's has not come."""

    def _fail_stream(self, stream: Stream, code: int, detail: str) -> None:
        """The peer has broken a rule on one stream."""
        user = stream.user
        self._write(frames.reset(self._id_bytes(stream.id), code))
        self._owner.on_reset(code, False)
        self._over(stream, BY_US)
        self._owner.on_malformed(code, detail)
        user.on_reset(code, False, detail)
        self._charge_fault()

    @abstractmethod
    def _charge_fault(self) -> None:
        """The peer has made us reset a stream: that counts as if it had done so itself. Raises ConnectionFault."""

    def _tell(self, stream: Stream, code: int, unheard: bool, detail: str) -> None:
        """It has ended, not by its user's will."""
        user = stream.user
        self._over(stream, BY_PEER)
        user.on_reset(code, unheard, detail)

    # --- the end of the connection

    @abstractmethod
    def _stop_reading(self) -> None:
        """Forget what is not read yet."""

    def goaway(self, final: bool, code: int = NO_ERROR, detail: str = "") -> None:
        """Say goodbye (6.8). Not `final`: streams that are under way are still taken, as in the first of two."""
        if self.is_failed:
            return
        self.is_closing = True
        last_id = LARGEST_ID
        if final:
            last_id = self._goaway_id = min(self.last_id, self._goaway_id)
        self._write(frames.goaway(last_id, code, detail.encode()[:_MOST_DETAIL]))

    def fail(self, code: int, detail: str) -> None:
        """End the connection: the peer's fault, or, with NO_ERROR, nobody's."""
        if self.is_failed:
            return
        self.goaway(True, code, detail)
        self.is_failed = True
        self._stop_reading()
        self._end_streams(CANCEL if code == NO_ERROR else code, f"the connection failed: {name_of(code)}, {detail}")
        self._owner.on_failed(code, detail)

    def lost(self) -> None:
        """The transport is gone."""
        self.is_failed = self.is_closing = True
        self._stop_reading()
        self._end_streams(CANCEL, "the connection was lost")
        self._out = []

    def _end_streams(self, code: int, detail: str) -> None:
        for stream in list(self._opening):
            user, stream.user, stream.is_over = stream.user, NOBODY, True
            user.on_reset(code, True, detail)
        self._opening.clear()
        for stream in list(self.streams.values()):
            if not stream.is_over:
                self._tell(stream, code, False, detail)
        self._ready.clear()
