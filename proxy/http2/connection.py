"""One connection of HTTP/2 as a stream of bytes, at either end: how it reads, writes, asks whether its peer is there.

May know its transport and its engine. Must not know messages: `client` and `upstream`, built on this one, have streams.

An owner of an engine is told of output by `wants_flush`. `Flusher` then calls `flush`, once a turn.
While the transport is full, content waits in the engine's queues, whose streams tell their other sides.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import Final, cast

from proxy.http2.bulk import LENT_BYTES, Bulk, Reader
from proxy.http2.engine.codes import HTTP_1_1_REQUIRED, NO_ERROR, name_of
from proxy.http2.engine.engine import Engine
from proxy.http2.flushing import Flushed, Flusher
from proxy.telemetry.metrics import Http2Metrics, count
from proxy.transport.deadlines import NEVER, Ticker
from proxy.transport.flow import BEHIND, Flow
from proxy.transport.sockets import descriptor, protocols
from proxy.transport.turns import FULL_READ_BYTES

PING_S: Final = 20.0  # for the answer to a PING
_PAYLOAD: Final = b"ops-ping"
_MOST_DISCARDED: Final = 1024 * 1024
_JOINED_BYTES: Final = 32 * 1024  # of content; more of it is written piece by piece, since to copy it costs more


class Writer(Flushed):
    """Flushes a connection: an owner has one base only."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def flush(self) -> None:
        self._connection.flush()


class Connection(Reader):
    """One connection. Its engine is made by `connection_made`."""

    __slots__ = (
        "_counts",
        "_discarded_bytes",
        "_fd",
        "_flow",
        "_flusher",
        "_heard_at",
        "_is_bulk",
        "_is_due",
        "_is_more_due",
        "_is_pinged",
        "_streams_open",
        "_streams_total",
        "_ticker",
        "_writer",
        "engine",
        "is_closed",
        "is_tls",
        "ping_s",
        "transport",
    )

    transport: asyncio.Transport
    engine: Engine
    _flow: Flow

    def __init__(self, ticker: Ticker, flusher: Flusher) -> None:
        self._ticker = ticker
        self._flusher = flusher
        self._writer = Writer(self)
        self._fd = -1
        self._discarded_bytes = 0  # behind the end
        self._is_bulk = False  # it reads by `bulk`
        self._is_due = False  # a later turn reads on; until then nothing is taken from the transport
        self._is_more_due = False  # a later turn writes on
        self._heard_at = NEVER  # when bytes came last
        self._is_pinged = False  # and no answer has come
        self._counts: Http2Metrics | None = None
        self._streams_open = 0  # as they are counted there
        self._streams_total = 0
        self.ping_s = 0.0  # silence before we ask; 0: we do not
        self.is_tls = False
        self.is_closed = False  # by us, or lost

    # --- asyncio.Protocol

    def _take_transport(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._flow = Flow(self.transport, self._on_paused)
        self._fd = descriptor(transport)
        self.is_tls = transport.get_extra_info("sslcontext") is not None
        self._heard_at = self._ticker.now

    def data_received(self, data: bytes) -> None:
        if self.is_closed:
            self._discard(len(data))
            return
        self._heard_at = self._ticker.now
        self._is_pinged = False
        self._flusher.begin()
        try:
            if self.engine.feed(data, self._ticker.now) or len(data) >= FULL_READ_BYTES:
                self._read_later()
            if len(data) >= FULL_READ_BYTES and not self._is_bulk:
                self._is_bulk = True
                self.transport.set_protocol(protocols(lambda: Bulk(self, self._flusher.buffer()))())
        finally:
            self._flusher.end()

    def lent_received(self, data: memoryview) -> None:
        """`data_received`, of bytes that are others' then."""
        if self.is_closed or len(data) < LENT_BYTES or self.engine.is_behind:
            self.data_received(data.tobytes())
            return
        self._heard_at = self._ticker.now
        self._is_pinged = False
        self._flusher.begin()
        try:
            if self.engine.feed(b"", self._ticker.now, data) or len(data) >= FULL_READ_BYTES:
                self._read_later()
        finally:
            self._flusher.end()

    def _read_later(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._flow.pause(BEHIND, True)
            self._ticker.turns.later(self._read_on)

    def _read_on(self) -> None:
        self._is_due = False
        if self.is_closed:
            return
        self._flusher.begin()
        try:
            if self.engine.is_behind and self.engine.feed(b"", self._ticker.now):
                self._read_later()
            else:
                self._flow.pause(BEHIND, False)
        finally:
            self._flusher.end()

    def eof_received(self) -> bool:
        """A peer that has ended its side sends no credit any more: the connection is over."""
        return False

    def pause_writing(self) -> None:
        self._flow.stall()
        self.engine.pause_sending()

    def resume_writing(self) -> None:
        self._flow.unstall()
        self.engine.resume_sending()
        if self.engine.has_more:
            self.wants_flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        self._ticker.ends.forget(self._fd)
        self._flusher.begin()
        try:
            self.engine.lost()
            self._count_streams()
            if self._counts is not None:
                self._counts.connections_open -= 1
            self._on_lost(exc)
        finally:
            self._flusher.end()

    @abstractmethod
    def _on_lost(self, exc: Exception | None) -> None:
        """The transport is gone; the streams have been told."""

    def _on_paused(self, paused: bool) -> None:
        if paused:
            self._ticker.ends.watch(self._fd, self._ended_unread)
        else:
            self._ticker.ends.forget(self._fd)

    def _ended_unread(self, lost: bool) -> None:
        """The peer has left while nothing is read from it."""
        if lost and not self.is_closed:
            self.transport.abort()

    # --- writing

    def wants_flush(self) -> None:
        self._flusher.later(self._writer)

    def flush(self) -> None:
        """Write what the engine has."""
        engine = self.engine
        parts = engine.take_parts()
        if parts and not self.transport.is_closing():
            if engine.taken_bytes > _JOINED_BYTES:
                self.transport.writelines(parts)
            else:
                self.transport.write(b"".join(parts))
        if engine.has_more and not self._is_more_due:
            self._is_more_due = True
            self._ticker.turns.later(self._write_on)
        if engine.is_failed and not self.is_closed:
            self._close()

    def _write_on(self) -> None:
        self._is_more_due = False
        if not self.is_closed:
            self.flush()

    def _close(self) -> None:
        """Close once everything written has been sent.

        A close with unread bytes would be an RST, which can destroy our GOAWAY: so what the peer still sends is read.
        """
        self.is_closed = True
        if self.transport.is_closing() or not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self._flow.resume()

    def _discard(self, size: int) -> None:
        """Bytes behind the end, from a peer that has not read it yet, or does not want to."""
        self._discarded_bytes += size
        if self._discarded_bytes > _MOST_DISCARDED:
            self.transport.abort()

    # --- counters

    def count_in(self, counts: Http2Metrics) -> None:
        """It is one of the connections that these are about."""
        self._counts = counts
        counts.connections_open += 1
        counts.connections_total += 1

    def _count_streams(self) -> None:
        """A tick. Counting each stream as it comes would cost every call something."""
        counts = self._counts
        if counts is not None:
            number, total = len(self.engine.streams), self.engine.streams_total
            counts.streams_open += number - self._streams_open
            counts.streams_total += total - self._streams_total
            self._streams_open, self._streams_total = number, total

    def on_reset(self, code: int, received: bool) -> None:
        if self._counts is not None:
            count(self._counts.resets, ("received" if received else "sent", _label(code)))

    def _count_goaway(self, code: int, received: bool) -> None:
        if self._counts is not None:
            count(self._counts.goaways, ("received" if received else "sent", _label(code)))

    # --- whether the peer is there

    def _check_peer(self) -> None:
        """Ask a peer that has been silent for long, while streams are open; end with one that does not answer."""
        now = self._ticker.now
        if self._is_pinged:
            if now >= self._heard_at + self.ping_s + PING_S and not self._flow.paused:
                self.transport.abort()
        elif self.ping_s and now >= self._heard_at + self.ping_s and not self.engine.is_idle:
            self._is_pinged = True
            self.engine.ping(_PAYLOAD)

    def on_pong(self, payload: bytes) -> None:
        """Whatever comes shows that the peer is there."""


def _label(code: int) -> str:
    """An error code in a metric: those that nobody has defined are one."""
    return name_of(code) if NO_ERROR <= code <= HTTP_1_1_REQUIRED else "OTHER"
