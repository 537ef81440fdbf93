"""What one connection writes: frames of all its streams, in turn, as far as the peer's windows allow. PURE.

Frames gather in a list until `take_parts`, at the end of whatever brought them about.
Content that the windows do not allow waits in the queue of its stream.
Streams with a queue take turns, one frame each: none holds up another, except that all share the connection's window.
A stream that is to be opened is not written before `take_parts` either: until then it leaves no trace if withdrawn.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from typing import Final

from proxy.http2.engine import frames
from proxy.http2.engine.budgets import Bucket
from proxy.http2.engine.codes import DEFAULT_WINDOW
from proxy.http2.engine.limits import PeerSettings
from proxy.http2.engine.streams import Carrier, Stream, Unsent
from proxy.http2.hpack.encoder import Encoder, Literal
from proxy.http2.hpack.field import HeaderField

_BURST_BYTES: Final = 512 * 1024  # of content between two calls of `take_parts`; a turn of the loop is bounded
_PAUSED: Final = -1
_MOST_UNOPENED_BYTES: Final = 65536  # of content for a stream that is to be opened, before its user is told to wait
_USEFUL_BYTES: Final = 256  # a part of some content that earns the peer its WINDOW_UPDATEs
_CREDITS_A_FRAME: Final = 3  # peers tell of each frame twice: for the stream and for the connection


class Output(Carrier):
    """The sending half of a connection."""

    __slots__ = (
        "_burst",
        "_credits",
        "_encoder",
        "_id",
        "_id_as_bytes",
        "_is_awake",
        "_noise",
        "_opening",
        "_out",
        "_ready",
        "_window",
        "peer",
        "taken_bytes",
    )

    def __init__(self, table_bytes: int) -> None:
        self.peer = PeerSettings()
        self._encoder = Encoder(table_bytes)
        self._window = DEFAULT_WINDOW  # content that the peer allows on all streams together
        self._id, self._id_as_bytes = 0, b"\x00\x00\x00\x00"  # of the stream written last: often more of it follows
        self._out: list[bytes] = []
        self._is_awake = False  # the owner knows that there is output
        self._opening: deque[Stream] = deque()
        self._ready: deque[Stream] = deque()  # streams that wait for their turn only, not for their own window
        self._burst = _BURST_BYTES  # content that may still be written before the next `take_parts`
        self.taken_bytes = 0
        self._noise = Bucket(1000, 200)  # frames that bring nobody anything
        self._credits = Bucket(2000, 500)  # WINDOW_UPDATE

    # --- what the halves ask of each other

    @abstractmethod
    def _wake(self) -> None:
        """Tell the owner that there is output."""

    @abstractmethod
    def _open_waiting(self) -> None:
        """Open the streams that wait for it, as far as the peer allows."""

    @abstractmethod
    def _local_done(self, stream: Stream) -> None:
        """Its END_STREAM has been written."""

    # --- output

    def _write(self, frame: bytes) -> None:
        self._out.append(frame)
        if not self._is_awake:
            self._is_awake = True
            self._wake()

    def _id_bytes(self, id: int) -> bytes:
        """As a frame has it (4.1)."""
        if id != self._id:
            self._id = id
            self._id_as_bytes = id.to_bytes(4, "big")
        return self._id_as_bytes

    def take_parts(self) -> list[bytes]:
        """All that is to be written now, in pieces; `taken_bytes` of them are content.

        Then `has_more` says whether there is more for a later turn.
        """
        if self._opening:
            self._open_waiting()
        taken = 0
        if self._burst != _PAUSED:
            taken = _BURST_BYTES - self._burst
            if self._ready:
                self._burst = _BURST_BYTES
                self._drain()
                taken += _BURST_BYTES - self._burst
            self._burst = _BURST_BYTES
        self.taken_bytes = taken
        out, self._out = self._out, []
        self._is_awake = False
        return out

    def take_output(self) -> bytes:
        """`take_parts` in one piece."""
        return b"".join(self.take_parts())

    @property
    def has_more(self) -> bool:
        """Whether `take_parts` would give more content, in a later turn."""
        return bool(self._ready) and self._window > 0 and self._burst != _PAUSED

    def pause_sending(self) -> None:
        """The transport is full: content waits, all other frames go on."""
        self._burst = _PAUSED

    def resume_sending(self) -> None:
        """The transport has room again."""
        self._burst = _BURST_BYTES
        self._drain()

    # --- what streams ask

    def send_headers(self, stream: Stream, fields: list[HeaderField], literals: list[Literal], done: bool) -> None:
        if stream.is_over or stream.is_queued_done:
            return
        unsent = stream.unsent
        if unsent is not None:
            unsent.trailers, unsent.trailing = fields, literals
            self._enqueue(stream, unsent, b"", 0, True)
            return
        self._write_headers(stream, fields, literals, done)
        if done:
            stream.is_queued_done = True
            self._local_done(stream)

    def _write_headers(self, stream: Stream, fields: list[HeaderField], literals: list[Literal], done: bool) -> None:
        block = self._encoder.encode(fields, literals)
        frames.write_headers(self._out, block, self._id_bytes(stream.id), done, self.peer.max_frame)
        if not self._is_awake:
            self._is_awake = True
            self._wake()

    def send(self, stream: Stream, content: bytes, done: bool) -> None:
        size = len(content)
        if stream.is_queued_done or stream.is_over:
            return
        unsent = stream.unsent
        if unsent is not None:
            self._enqueue(stream, unsent, content, size, done)
        elif not self._write_whole(stream, content, size, done):
            unsent = stream.unsent = Unsent()
            self._enqueue(stream, unsent, content, size, done)

    def _enqueue(self, stream: Stream, unsent: Unsent, content: bytes, size: int, done: bool) -> None:
        pieces = unsent.pieces
        if pieces is None:
            if not (stream.is_open or (unsent.early and size)) and unsent.trailers is None:
                if size:
                    unsent.early = content
                    unsent.size_bytes = size
                stream.is_queued_done = done
                if size > _MOST_UNOPENED_BYTES:
                    self._tell_full(stream)
                return
            pieces = unsent.queue()
        if size:
            pieces.append(content)
            unsent.size_bytes += size
        stream.is_queued_done = done
        if not stream.is_open:
            if unsent.size_bytes > _MOST_UNOPENED_BYTES:
                self._tell_full(stream)
            return
        self._make_ready(stream)
        self._tell_full(stream)

    # --- queues

    def _write_whole(self, stream: Stream, content: bytes, size: int, done: bool) -> bool:
        """All of it, in one frame, unless others wait or a window is too small."""
        if size:  # an empty frame needs no window (6.9.1)
            if (
                self._ready
                or size > stream.window
                or size > self._window
                or size > self._burst
                or size > self.peer.max_frame
            ):
                return False
            stream.window -= size
            self._window -= size
            self._burst -= size
        self._credits.earned += _CREDITS_A_FRAME
        self._noise.earned += 1
        out = self._out
        out.append(frames.data_beginning(size, done))
        out.append(self._id_bytes(stream.id))
        out.append(content)
        if not self._is_awake:
            self._is_awake = True
            self._wake()
        if done:
            stream.is_queued_done = True
            self._local_done(stream)
        return True

    def _tell_full(self, stream: Stream) -> None:
        if stream.queued_bytes and not stream.is_full:
            stream.is_full = True
            stream.user.on_full(True)

    def _make_ready(self, stream: Stream) -> None:
        """An open stream has a queue. If its own window allows more of that, it waits for its turn."""
        if not stream.queued_bytes:  # its end alone, which needs no window (6.9.1)
            self._write_piece(stream)
        elif not stream.is_ready and stream.window > 0:
            stream.is_ready = True
            self._ready.append(stream)
            self._drain()

    def _drain(self) -> None:
        """Write content of the streams that are ready, in turn."""
        ready = self._ready
        while ready and self._burst > 0:
            stream = ready[0]
            if stream.unsent is None:  # it has ended
                ready.popleft()
                stream.is_ready = False
                continue
            if self._window <= 0 and stream.queued_bytes:
                return
            ready.popleft()
            user = stream.user
            if self._write_piece(stream):
                stream.is_ready = False
                if stream.is_full:
                    stream.is_full = False
                    user.on_full(False)
            elif stream.window > 0:
                ready.append(stream)
            else:
                stream.is_ready = False

    def _write_piece(self, stream: Stream) -> bool:
        """One frame of its queue; and what ends the stream, if the queue is empty then, which is returned."""
        unsent = stream.unsent
        assert unsent is not None
        queue = unsent.pieces
        assert queue is not None
        room = min(stream.window, self._window, self.peer.max_frame)
        parts: list[bytes] = []
        left = max(room, 0)
        at = unsent.first_at
        while queue and left:
            piece = queue[0]
            size = len(piece) - at
            if size <= left:
                parts.append(piece[at:] if at else piece)
                queue.popleft()
                at = 0
                left -= size
            else:
                parts.append(piece[at : at + left])
                at += left
                left = 0
        unsent.first_at = at
        size = max(room, 0) - left
        unsent.size_bytes -= size
        is_last = not unsent.size_bytes
        trailers = unsent.trailers
        done = is_last and stream.is_queued_done and trailers is None
        if size or done:
            stream.window -= size
            self._window -= size
            self._burst = max(0, self._burst - size)
            if size >= _USEFUL_BYTES or is_last:  # small because its content is, not because the window is
                self._credits.earned += _CREDITS_A_FRAME
                self._noise.earned += 1
            self._write(frames.data_beginning(size, done))
            self._out.append(self._id_bytes(stream.id))
            self._out += parts
        if not is_last:
            return False
        stream.unsent = None
        if trailers is not None:
            self._write_headers(stream, trailers, unsent.trailing or [], True)
            done = True
        if done:
            self._local_done(stream)
        return True
