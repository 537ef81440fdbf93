"""One connection, whichever end of it: bytes in, calls and bytes out (RFC 9113). PURE: the time is an argument.

`server` and `client` are its two ends. What both do with DATA, HEADERS and CONTINUATION is here, the rest in `control`.
`feed` never raises: a peer's fault ends its stream or the connection, and the owner hears of it.

What ends what (5.4):

    a frame, block or setting that nobody may send   the connection: GOAWAY with the code that its rule names
    more noise than the budgets allow                the connection: GOAWAY(ENHANCE_YOUR_CALM)
    a message that is not HTTP (8.1.1)               its stream: RST_STREAM(PROTOCOL_ERROR)
    more content than a stream's window              its stream: RST_STREAM(FLOW_CONTROL_ERROR)
    a frame for a stream that has ended              depends on how it ended: see `connection`

A header block is always decoded, and content always counts, whatever has become of the stream:
the tables and the connection's window are common to all streams.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Final

from proxy.http2.engine import frames
from proxy.http2.engine.codes import (
    ACK,
    COMPRESSION_ERROR,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    HEADERS,
    LARGEST_ID,
    PADDED,
    PRIORITY_FLAG,
    PROTOCOL_ERROR,
    SETTINGS,
    STREAM_CLOSED,
)
from proxy.http2.engine.connection import BY_PEER, BY_US
from proxy.http2.engine.control import Control
from proxy.http2.engine.errors import ConnectionFault, Malformed
from proxy.http2.engine.heads import check_trailers
from proxy.http2.engine.limits import Limits
from proxy.http2.engine.owner import Owner
from proxy.http2.engine.reader import FrameReader
from proxy.http2.engine.streams import Stream
from proxy.http2.hpack.decoder import DEFAULT_TABLE_BYTES, Decoder
from proxy.http2.hpack.errors import BadBlock
from proxy.http2.hpack.field import HeaderField, Judge

# The work of one turn, in units of the cheapest frame.
_WORK: Final = 512
_WORK_OF_A_REQUEST: Final = 8
_WORK_OF_A_RESPONSE: Final = 3  # and of trailers

_MOST_FRAMES_A_BLOCK: Final = 16  # HEADERS and CONTINUATION
_LEAST_BLOCK_BYTES: Final = 32768


class Engine(Control):
    """What both ends have in common."""

    __slots__ = (
        "_block_bytes",
        "_block_done",
        "_block_id",
        "_block_is_bad",
        "_block_parts",
        "_decoder",
        "_has_settings",
        "_most_block_bytes",
        "_reader",
        "_work_of_a_block",
    )

    def __init__(self, owner: Owner, limits: Limits, judge: Judge, is_server: bool) -> None:
        super().__init__(owner, limits)
        # Until the peer has acknowledged our settings, it may use the table that the protocol starts with.
        table_bytes = max(limits.table_bytes, DEFAULT_TABLE_BYTES)
        self._decoder = Decoder(judge, limits.header_list_bytes, table_bytes)
        self._reader = FrameReader(is_server)
        self._is_acknowledged = False
        self._has_settings = False  # the peer's first frame has come (3.4)
        # Larger lists than the limit are refused in order. A block that is much larger cannot be one by accident.
        self._most_block_bytes = max(_LEAST_BLOCK_BYTES, 2 * limits.header_list_bytes)
        self._block_id = 0  # of the stream whose block is not whole yet
        self._block_parts: list[bytes] = []
        self._block_bytes = 0
        self._block_done = False  # it ends the stream
        self._block_is_bad = False  # its stream depends on itself
        self._work_of_a_block = _WORK_OF_A_REQUEST if is_server else _WORK_OF_A_RESPONSE

    @property
    def is_behind(self) -> bool:
        """Whether bytes are left for another turn."""
        return self._reader.is_behind and not self.is_failed

    def judge_by(self, judge: Judge) -> None:
        """Judge fields by `judge` from now on."""
        self._decoder.judge_by(judge)

    def _stop_reading(self) -> None:
        self._reader.stop()

    def _on_acknowledged(self) -> None:
        self._decoder.allow(self._limits.table_bytes)

    # --- frames

    def feed(self, data: bytes, now: float, lent: memoryview | None = None) -> bool:
        """More bytes; `now` in seconds. True if some are left: then call it in a later turn with none.

        `lent`: many bytes, which are others' then. Not before the preface, nor while some are left.
        """
        if self.is_failed:
            return False
        self._now = now
        reader = self._reader
        work = _WORK
        try:
            if lent is None:
                reader.feed(data)
            else:
                reader.lend(lent)
            while work > 0 and reader.next():
                kind = reader.kind
                if kind == DATA and self._has_settings and not self._block_id:
                    self._on_data(reader.id, reader.flags, reader.data, reader.start, reader.end)
                    work -= 1
                    continue
                self._check_order(kind, reader.flags, reader.id)
                if kind == HEADERS:
                    self._on_headers(reader.id, reader.flags, reader.data, reader.start, reader.end)
                    work -= self._work_of_a_block
                elif kind == CONTINUATION:
                    self._on_continuation(reader.flags, reader.data[reader.start : reader.end])
                    work -= self._work_of_a_block
                else:
                    self._on_control(kind, reader.flags, reader.id, reader.data[reader.start : reader.end])
                    work -= 1
        except ConnectionFault as fault:
            self.fail(fault.code, fault.detail)
            return False
        except BadBlock as error:
            self.fail(COMPRESSION_ERROR, str(error))
            return False
        return reader.keep()

    def _check_order(self, kind: int, flags: int, id: int) -> None:
        """3.4: SETTINGS first. 6.10: nothing between the frames of a block."""
        if not self._has_settings:
            if kind != SETTINGS or flags & ACK:
                raise ConnectionFault(PROTOCOL_ERROR, "the first frame is not SETTINGS")
            self._has_settings = True
        if self._block_id:
            if kind != CONTINUATION or id != self._block_id:
                raise ConnectionFault(PROTOCOL_ERROR, "a frame in the middle of a header block")
        elif kind == CONTINUATION:
            raise ConnectionFault(PROTOCOL_ERROR, "CONTINUATION without a header block")

    # --- content

    def _on_data(self, id: int, flags: int, data: bytes, start: int, end: int) -> None:
        """6.1. All of it counts, padding, too (6.9.1)."""
        size = end - start
        if id == 0:
            raise ConnectionFault(PROTOCOL_ERROR, "DATA without a stream")
        if not self._receive.take(size):
            raise ConnectionFault(FLOW_CONTROL_ERROR, "more content than the connection's window")
        if flags & PADDED:
            padding = data[start] + 1 if start < end else size + 1
            if padding > size:
                raise ConnectionFault(PROTOCOL_ERROR, "padding that is longer than its frame")
            start += 1
            end -= padding - 1
        stream = self.streams.get(id)
        if stream is None or stream.is_remote_done:
            self._on_stray_data(id, stream, size)
            return
        if not self._take(stream, size):
            self._credit_connection(size)
            self._fail_stream(stream, FLOW_CONTROL_ERROR, "more content than the stream's window")
            return
        done = flags & END_STREAM != 0
        content = data if not start and end == len(data) else data[start:end]
        if content:
            self._noise.earned += 1
        elif not done:
            self._charge_noise("DATA")
        if done:
            stream.is_remote_done = True
        if not self._is_expected(stream, end - start, done):
            self._credit_connection(size)
            self._fail_stream(stream, PROTOCOL_ERROR, "content that is not as long as announced, or has no place")
            return
        stream.user.on_content(content, done)
        if size:
            self._credit(stream, size)
        if done and stream.is_local_done and not stream.is_over:
            self._over(stream, BY_PEER)

    def _on_stray_data(self, id: int, stream: Stream | None, size: int) -> None:
        """5.1: DATA on a stream that takes none."""
        self._credit_connection(size)
        if stream is not None:
            self._fail_stream(stream, STREAM_CLOSED, "content behind the end of the stream")
        elif self._is_unused(id):
            raise ConnectionFault(PROTOCOL_ERROR, "DATA for an idle stream")
        else:
            self._charge_noise("DATA")
            if self._how_ended(id) != BY_US:
                self._write(frames.reset(id.to_bytes(4, "big"), STREAM_CLOSED))
                self._owner.on_reset(STREAM_CLOSED, False)

    # --- header blocks

    def _on_headers(self, id: int, flags: int, data: bytes, start: int, end: int) -> None:
        """6.2."""
        if id == 0:
            raise ConnectionFault(PROTOCOL_ERROR, "HEADERS without a stream")
        self._block_is_bad = False
        if flags & (PADDED | PRIORITY_FLAG):
            if flags & PADDED:
                end -= data[start] if start < end else 1
                start += 1
            if flags & PRIORITY_FLAG:
                start += 5
                if start <= end:
                    self._block_is_bad = int.from_bytes(data[start - 5 : start - 1], "big") & LARGEST_ID == id
            if start > end:
                too_short = flags & PRIORITY_FLAG and not flags & PADDED
                code = FRAME_SIZE_ERROR if too_short else PROTOCOL_ERROR
                raise ConnectionFault(code, "HEADERS that are shorter than their padding and priority")
        if flags & END_HEADERS:
            self._on_block(id, data[start:end], flags & END_STREAM != 0)
        else:
            self._block_id = id
            self._block_parts = [data[start:end]]
            self._block_bytes = end - start
            self._block_done = flags & END_STREAM != 0

    def _on_continuation(self, flags: int, part: bytes) -> None:
        """6.10."""
        parts = self._block_parts
        parts.append(part)
        self._block_bytes += len(part)
        if self._block_bytes > self._most_block_bytes or len(parts) > _MOST_FRAMES_A_BLOCK:
            raise ConnectionFault(ENHANCE_YOUR_CALM, "a header block without end")
        if flags & END_HEADERS:
            id, self._block_id = self._block_id, 0
            self._block_parts = []
            self._on_block(id, b"".join(parts), self._block_done)

    def _on_block(self, id: int, block: bytes, done: bool) -> None:
        fields = self._decoder.decode(block)
        stream = self.streams.get(id)
        if stream is None:
            self._on_new_block(id, fields, done)
        elif stream.is_remote_done:
            self._fail_stream(stream, STREAM_CLOSED, "HEADERS behind the end of the stream")
        elif self._block_is_bad:
            self._fail_stream(stream, PROTOCOL_ERROR, "a stream that depends on itself")
        elif stream.had_head:
            self._on_trailers(stream, fields, done)
        else:
            self._on_head(stream, fields, done)

    @abstractmethod
    def _on_new_block(self, id: int, fields: list[HeaderField], done: bool) -> None:
        """A block for a stream that is not open."""

    @abstractmethod
    def _on_head(self, stream: Stream, fields: list[HeaderField], done: bool) -> None:
        """The head of a response, final or interim."""

    def _on_trailers(self, stream: Stream, fields: list[HeaderField], done: bool) -> None:
        """8.1."""
        stream.is_remote_done = done
        try:
            if not done:
                raise Malformed("trailers that do not end the stream")
            if self._decoder.is_oversized:
                raise Malformed("trailers beyond the limit")
            if stream.left > 0 and not stream.is_bodiless:
                raise Malformed("less content than announced")
            check_trailers(fields)
        except Malformed as error:
            self._fail_stream(stream, PROTOCOL_ERROR, str(error))
            return
        stream.user.on_trailers(fields)
        if stream.is_local_done and not stream.is_over:
            self._over(stream, BY_PEER)
