"""The server's end of a connection: requests come, responses go (RFC 9113). PURE."""

from __future__ import annotations

from typing import final

from proxy.http2.engine import frames
from proxy.http2.engine.budgets import Bucket
from proxy.http2.engine.codes import (
    DEFAULT_WINDOW,
    ENABLE_CONNECT_PROTOCOL,
    ENHANCE_YOUR_CALM,
    HEADER_TABLE_SIZE,
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    MAX_HEADER_LIST_SIZE,
    NO_ERROR,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    STREAM_CLOSED,
)
from proxy.http2.engine.connection import BY_US, NOBODY, UNKNOWN
from proxy.http2.engine.engine import Engine
from proxy.http2.engine.errors import ConnectionFault, Malformed
from proxy.http2.engine.heads import read_request
from proxy.http2.engine.limits import Limits
from proxy.http2.engine.owner import ServerOwner
from proxy.http2.engine.streams import Stream
from proxy.http2.hpack.decoder import DEFAULT_TABLE_BYTES
from proxy.http2.hpack.field import HeaderField, Judge


@final
class ServerEngine(Engine):
    """A client's connection."""

    __slots__ = ("_requests", "_resets")

    def __init__(self, owner: ServerOwner, limits: Limits, judge: Judge, resets: Bucket) -> None:
        """`resets`: how often a client may reset streams, or make us reset them; for all its connections."""
        super().__init__(owner, limits, judge, True)
        self._requests = owner
        self._resets = resets

    def start(self) -> None:
        """Our preface: SETTINGS (3.4)."""
        limits = self._limits
        settings = [
            (MAX_CONCURRENT_STREAMS, limits.max_streams),
            (MAX_HEADER_LIST_SIZE, limits.header_list_bytes),
        ]
        if limits.stream_window != DEFAULT_WINDOW:
            settings.append((INITIAL_WINDOW_SIZE, limits.stream_window))
        if limits.table_bytes != DEFAULT_TABLE_BYTES:
            settings.append((HEADER_TABLE_SIZE, limits.table_bytes))
        if limits.extended_connect:
            settings.append((ENABLE_CONNECT_PROTOCOL, 1))
        self._start(settings, b"")

    # --- streams

    @property
    def streams_total(self) -> int:
        return (self.last_id + 1) // 2

    def _on_new_block(self, id: int, fields: list[HeaderField], done: bool) -> None:
        """A request (5.1.1); or a block that comes too late."""
        if not id & 1:
            raise ConnectionFault(PROTOCOL_ERROR, "a client's streams have odd ids")
        if id <= self.last_id:
            self._on_late_block(id)
            return
        self.last_id = id
        if id > self._goaway_id:  # 6.8: the client will send it elsewhere
            self._remember(id, BY_US)
            return
        limits = self._limits
        if len(self.streams) >= limits.max_streams:  # 5.1.2
            self._charge_noise("requests beyond SETTINGS_MAX_CONCURRENT_STREAMS")
            self._write(frames.reset(id.to_bytes(4, "big"), REFUSED_STREAM))
            self._owner.on_reset(REFUSED_STREAM, False)
            self._remember(id, BY_US)
            return
        stream = Stream(self, NOBODY, self.peer.initial_window)
        stream.id = id
        stream.is_open = stream.had_head = True
        stream.is_remote_done = done
        self.streams[id] = stream
        if self._block_is_bad:
            self._fail_stream(stream, PROTOCOL_ERROR, "a stream that depends on itself")
        elif self._decoder.is_oversized:
            self._requests.on_oversized(stream, done)
        else:
            try:
                head = read_request(fields, done, limits.extended_connect)
            except Malformed as error:
                self._fail_stream(stream, PROTOCOL_ERROR, str(error))
                return
            stream.left = head.length
            self._noise.earned += 1
            self._credits.earned += 2  # clients open a window for what they ask for
            self._requests.on_request(stream, head, done)

    def _on_late_block(self, id: int) -> None:
        how = self._how_ended(id)
        if how == BY_US:
            self._charge_noise("HEADERS")
        elif how == UNKNOWN:
            raise ConnectionFault(PROTOCOL_ERROR, "a new stream with an id below that of the last")
        else:
            raise ConnectionFault(STREAM_CLOSED, "HEADERS for a stream that has ended")

    def _on_head(self, stream: Stream, fields: list[HeaderField], done: bool) -> None:
        """Requests have theirs from the beginning."""

    def _done_early(self, stream: Stream) -> None:
        """8.1: the response is whole, so nobody wants the rest of the request. A tunnel has two directions (8.5)."""
        if stream.is_tunnel:
            return
        self._write(frames.reset(self._id_bytes(stream.id), NO_ERROR))
        self._owner.on_reset(NO_ERROR, False)
        self._over(stream, BY_US)

    # --- what differs between the ends

    def _is_unused(self, id: int) -> bool:
        return id > self.last_id or not id & 1

    def _on_goaway(self, last_id: int, code: int) -> None:
        """A client's: it takes no pushes, which we never make."""

    def _open_waiting(self) -> None:
        """A server opens none."""

    def _charge_reset(self, stream: Stream) -> None:
        self._charge_fault()

    def _charge_fault(self) -> None:
        if not self._resets.spend(self._now):
            raise ConnectionFault(ENHANCE_YOUR_CALM, "too many streams were reset")
