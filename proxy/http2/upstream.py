"""A connection to an upstream, in HTTP/2, which many exchanges share: how many streams it may have, and its end.

May know its pool as a `Sharer`. Must not know messages: `upstream_stream` has one stream for each exchange.

What it is, and what leads from one to another:

    made       waits in `greeted`: nothing of a request is sent before its SETTINGS have come
    open       takes streams while it has `room`
    retired    takes none; it closes behind the last of those that are open (GOAWAY of either side, ids used up,
               another address of the target, the pool's end)
    closed     `is_closed`
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import final

from proxy.http2.engine.client import ClientEngine
from proxy.http2.engine.codes import NO_ERROR
from proxy.http2.engine.fields import FieldJudge
from proxy.http2.engine.heads import RequestHead
from proxy.http2.engine.limits import Limits
from proxy.http2.engine.streams import Stream
from proxy.http2.flushing import Flusher
from proxy.http2.message.trailers import Trailers
from proxy.http2.upstream_stream import UpstreamSide, UpstreamStream
from proxy.listener.upstreams.queued import QueuedPool
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import FieldKinds
from proxy.transport.deadlines import NEVER, Ticker


class Sharer(QueuedPool):
    """The pool that a connection belongs to, as the connection sees it."""

    @abstractmethod
    def has_room(self, connection: UpstreamConnection) -> None:
        """It may open more streams than it has."""

    @abstractmethod
    def retired(self, connection: UpstreamConnection) -> None:
        """It takes no new streams."""

    @abstractmethod
    def lost(self, connection: UpstreamConnection) -> None:
        """It is closed, by either side."""


@final
class UpstreamConnection(UpstreamSide):
    """One connection to an upstream, from its making to its end."""

    __slots__ = (
        "_is_malformed",
        "_is_waited_for",
        "_most_streams",
        "_sharer",
        "_used",
        "greeted",
        "idle_until",
        "is_retired",
        "peer",
        "served",
    )

    def __init__(
        self,
        sharer: Sharer,
        ticker: Ticker,
        flusher: Flusher,
        kinds: FieldKinds,
        trailers: Trailers,
        *,
        most_streams: int,
        ping_s: float,
    ) -> None:
        super().__init__(ticker, flusher)
        self._sharer = sharer
        self.kinds = kinds
        self.trailers = trailers
        self._most_streams = most_streams
        self.ping_s = ping_s
        self._used = 0  # streams
        self._is_waited_for = False  # the pool wants to know of room
        self._is_malformed = False  # the stream that is about to be told of its end has broken a rule
        # Until its SETTINGS come, an upstream may turn out not to speak HTTP/2. Nothing is sent to it before that.
        self.greeted: asyncio.Future[Refusal | None] = asyncio.get_running_loop().create_future()
        self.is_retired = False  # takes no new streams
        self.idle_until = NEVER
        self.peer = ""
        self.remote = (b"", 0)
        self.served = 0  # exchanges
        self.connect_s = 0.0
        self.client = ClientEngine(self, Limits(), FieldJudge(kinds, False))
        self.engine = self.client

    def __repr__(self) -> str:
        retired = ", retired" if self.is_retired else ""
        return f"<UpstreamConnection {self.peer or 'unix'}, {self._used} streams{retired}, {self.served} served>"

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._take_transport(transport)
        if self.greeted.done():  # by ALPN it does not speak HTTP/2
            return
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self.peer = str(peer[0])
            self.remote = self.peer.encode("ascii"), int(peer[1])
        self.client.start()

    def _on_lost(self, exc: Exception | None) -> None:
        self._greet(Refusal(Fault.NO_HTTP2, "the upstream closed the connection instead of beginning HTTP/2"))
        self._sharer.lost(self)

    def _greet(self, refusal: Refusal | None) -> None:
        if not self.greeted.done():
            self.greeted.set_result(refusal)

    # --- what the pool asks

    @property
    def is_lost(self) -> bool:
        """Whether its transport is closed, or about to be."""
        return self.is_closed

    @property
    def is_idle(self) -> bool:
        """Whether it serves no exchange."""
        return not self._used

    @property
    def room(self) -> int:
        """How many more streams it takes now."""
        if self.is_retired or self.is_closed:
            return 0
        mine = self._most_streams - self._used
        theirs = self.client.room
        return mine if mine < theirs else theirs

    def stream(self) -> UpstreamStream:
        """One more. Only if there is room."""
        return UpstreamStream(self)

    def call_when_room(self) -> None:
        """Tell the pool of the next stream that ends."""
        self._is_waited_for = True

    def retire(self) -> None:
        """Take no new streams; close after those that are open."""
        if self.is_retired:
            return
        self.is_retired = True
        self._sharer.retired(self)
        self._close_if_idle()

    def close(self) -> None:
        """Say goodbye, and close."""
        self.is_retired = True
        if not self.is_closed:
            self.client.fail(NO_ERROR, "idle")

    def abort(self) -> None:
        """Close at once."""
        self.is_retired = True
        self.transport.abort()

    def on_tick(self, now: float) -> None:
        """Sweep the deadlines of its streams."""
        for user in self.client.users():
            if isinstance(user, UpstreamStream) and user.deadline <= now:
                user.on_deadline()
        self._count_streams()
        self._check_peer()

    # --- what the engine tells (see engine.owner)

    def on_settings(self) -> None:
        self._greet(None)
        if self._is_waited_for:
            self.wants_flush()

    def on_stream_over(self) -> None:
        if self._is_waited_for:
            self.wants_flush()

    def on_goaway(self, code: int, detail: bytes) -> None:
        self._count_goaway(code, True)
        self.retire()

    def on_failed(self, code: int, detail: str) -> None:
        self._count_goaway(code, False)
        self._greet(Refusal(Fault.NO_HTTP2, f"the upstream does not speak HTTP/2: {detail}"))
        if not self.is_retired:
            self.is_retired = True
            self._sharer.retired(self)
        self.wants_flush()

    def on_malformed(self, code: int, detail: str) -> None:
        self._is_malformed = True

    def on_request(self, stream: Stream, head: RequestHead, done: bool) -> None:
        """Upstreams send none."""

    def on_oversized(self, stream: Stream, done: bool) -> None:
        """Upstreams send none."""

    def _close(self) -> None:
        self.is_closed = True
        self.transport.close()

    def flush(self) -> None:
        if self._is_waited_for and self.room > 0:  # first, so that what then begins goes out with the rest
            self._is_waited_for = False
            self._sharer.has_room(self)
        super().flush()
        if self.client.is_used_up and not self.is_retired:
            self.retire()

    # --- what its streams tell

    def was_malformed(self) -> bool:
        was, self._is_malformed = self._is_malformed, False
        return was

    def began(self) -> None:
        self._used += 1
        self.served += 1

    def ended(self) -> None:
        self._used -= 1
        if not self._used:
            self._close_if_idle()

    def _close_if_idle(self) -> None:
        if self.is_retired and not self._used and not self.is_closed and not self.engine.is_failed:
            self.client.fail(NO_ERROR, "no more streams are open")
