"""The client's end of a connection: requests go, responses come (RFC 9113). PURE.

A stream is opened as its request is written, in `take_parts`: ids and header tables follow the order on the wire.
"""

from __future__ import annotations

from typing import Final, final

from proxy.http2.engine.codes import (
    DEFAULT_WINDOW,
    ENABLE_PUSH,
    HEADER_TABLE_SIZE,
    INITIAL_WINDOW_SIZE,
    LARGEST_ID,
    MAX_HEADER_LIST_SIZE,
    PREFACE,
    PROTOCOL_ERROR,
)
from proxy.http2.engine.connection import BY_PEER, NOBODY
from proxy.http2.engine.engine import Engine
from proxy.http2.engine.errors import ConnectionFault, Malformed
from proxy.http2.engine.heads import read_response
from proxy.http2.engine.limits import Limits
from proxy.http2.engine.owner import Owner
from proxy.http2.engine.streams import Stream, StreamUser, Unsent
from proxy.http2.hpack.decoder import DEFAULT_TABLE_BYTES
from proxy.http2.hpack.encoder import Literal
from proxy.http2.hpack.field import HeaderField, Judge

_MOST_INTERIM: Final = 32  # 1xx to one request; more are a flood
_USUAL_STREAMS: Final = 100
_UNLIMITED: Final = 1 << 30


@final
class ClientEngine(Engine):
    """A connection to an upstream."""

    __slots__ = ("next_id",)

    def __init__(self, owner: Owner, limits: Limits, judge: Judge) -> None:
        super().__init__(owner, limits, judge, False)
        self.next_id = 1  # of the next stream; they are used up at 2^31 (5.1.1)

    def start(self) -> None:
        """The preface and SETTINGS (3.4)."""
        limits = self._limits
        settings = [(ENABLE_PUSH, 0), (MAX_HEADER_LIST_SIZE, limits.header_list_bytes)]
        if limits.stream_window != DEFAULT_WINDOW:
            settings.append((INITIAL_WINDOW_SIZE, limits.stream_window))
        if limits.table_bytes != DEFAULT_TABLE_BYTES:
            settings.append((HEADER_TABLE_SIZE, limits.table_bytes))
        self._start(settings, PREFACE)

    # --- opening

    @property
    def streams_total(self) -> int:
        return self.next_id // 2

    @property
    def room(self) -> int:
        """How many streams may be opened now; 0 for good if the connection is closing, or its ids are used up."""
        if self.is_closing:
            return 0
        waiting = len(self._opening)
        ids = (LARGEST_ID - self.next_id) // 2 + 1 - waiting
        return min(ids, self._most_streams() - len(self.streams) - waiting)

    def _most_streams(self) -> int:
        """Open at once. Before its settings come, an upstream gets as many as RFC 9113, 6.5.2 has each allow."""
        if not self.peer.is_known:
            return _USUAL_STREAMS
        return self.peer.max_streams if self.peer.max_streams >= 0 else _UNLIMITED

    @property
    def is_used_up(self) -> bool:
        """Whether there are no more ids for new streams."""
        return self.next_id + 2 * len(self._opening) > LARGEST_ID

    def open(self, user: StreamUser, fields: list[HeaderField], literals: list[Literal], done: bool) -> Stream:
        """A request, as soon as `take_parts` is called and the upstream allows it. `:method` comes first.

        Only if there is `room`.
        """
        stream = Stream(self, user, 0)
        unsent = stream.unsent = Unsent()
        unsent.fields = fields
        unsent.literals = literals
        stream.is_bodiless = fields[0].value == b"HEAD"
        stream.is_queued_done = done
        self._opening.append(stream)
        if not self._is_awake:
            self._is_awake = True
            self._wake()
        return stream

    def users(self) -> list[StreamUser]:
        """Of the streams that are open, and of those that wait for it."""
        return [stream.user for stream in [*self.streams.values(), *self._opening]]

    def _open_waiting(self) -> None:
        opening = self._opening
        most = self._most_streams()
        while opening and len(self.streams) < most:
            stream = opening.popleft()
            id = self.next_id
            self.next_id = id + 2
            stream.id = id
            stream.is_open = True
            stream.window = self.peer.initial_window
            self.streams[id] = stream
            unsent = stream.unsent
            assert unsent is not None
            fields, literals = unsent.fields or [], unsent.literals or []
            unsent.fields = unsent.literals = None
            has_queue = unsent.pieces is not None
            is_early = not has_queue and bool(unsent.early)
            if not has_queue:
                stream.unsent = None
            done = stream.is_queued_done and not has_queue and not is_early
            self._write_headers(stream, fields, literals, done)
            if done:
                self._local_done(stream)
            elif is_early:
                self._send_early(stream, unsent)
            elif has_queue:
                self._make_ready(stream)
                self._tell_full(stream)

    def _send_early(self, stream: Stream, unsent: Unsent) -> None:
        """What its user has sent before it was opened; it has no queue yet, and no trailers."""
        user = stream.user
        if self._write_whole(stream, unsent.early, unsent.size_bytes, stream.is_queued_done):
            if stream.is_full:
                stream.is_full = False
                user.on_full(False)
        else:
            unsent.queue()
            stream.unsent = unsent
            self._make_ready(stream)
            self._tell_full(stream)

    # --- responses

    def _on_new_block(self, id: int, fields: list[HeaderField], done: bool) -> None:
        """Only for a stream that has ended: then it may have crossed with our RST_STREAM."""
        if self._is_unused(id):
            raise ConnectionFault(PROTOCOL_ERROR, "HEADERS for an idle stream")
        self._charge_noise("HEADERS")

    def _on_head(self, stream: Stream, fields: list[HeaderField], done: bool) -> None:
        """8.1: any number of 1xx, and one final head."""
        stream.is_remote_done = done
        try:
            if self._decoder.is_oversized:
                raise Malformed("a header list beyond the limit")
            head = read_response(fields)
            if head.status < 200:
                stream.left -= 1
                if done or stream.left < -1 - _MOST_INTERIM:
                    raise Malformed("a 1xx that ends the stream, or too many of them")
                stream.user.on_interim(head)
                return
            if head.status == 204 or head.status == 304:
                stream.is_bodiless = True
            elif done and head.length > 0 and not stream.is_bodiless:
                raise Malformed("a Content-Length, and no content")
        except Malformed as error:
            self._fail_stream(stream, PROTOCOL_ERROR, str(error))
            return
        stream.had_head = True
        stream.left = head.length
        stream.user.on_response(head, done)
        if done and stream.is_local_done and not stream.is_over:
            self._over(stream, BY_PEER)

    def _done_early(self, stream: Stream) -> None:
        """The usual case: the request is whole, and the response comes."""

    # --- what differs between the ends

    def _is_unused(self, id: int) -> bool:
        return id >= self.next_id or not id & 1

    def _on_goaway(self, last_id: int, code: int) -> None:
        """6.8: streams above `last_id` have not been seen. The last of several GOAWAYs has the real one."""
        self.is_closing = True
        detail = "the upstream said GOAWAY before it saw the request"
        for stream in list(self._opening):
            user, stream.user, stream.is_over = stream.user, NOBODY, True
            user.on_reset(code, True, detail)
        self._opening.clear()
        for stream in list(self.streams.values()):
            if stream.id > last_id and not stream.is_over:
                self._tell(stream, code, True, detail)

    def _charge_reset(self, stream: Stream) -> None:
        """An upstream can reset no more streams than we open."""

    def _charge_fault(self) -> None:
        """The same."""
