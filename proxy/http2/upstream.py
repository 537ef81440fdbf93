"""The upstream's side of an exchange, in HTTP/2: a connection that many exchanges share, and one stream of it for each.

May know messages, and its pool as a `Sharer`. Must not know the client, or why a request is sent.

    UpstreamConnection   reads, writes, and knows how many streams it may have
    UpstreamStream       the `Answerer` of one exchange
    _Heard               takes what comes on its stream
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from typing import Final, final

from proxy.http2.connection import Connection
from proxy.http2.engine.client import ClientEngine
from proxy.http2.engine.codes import CANCEL, NO_ERROR, name_of
from proxy.http2.engine.fields import FieldJudge
from proxy.http2.engine.heads import RequestHead, ResponseHead
from proxy.http2.engine.limits import Limits
from proxy.http2.engine.streams import Stream, StreamUser
from proxy.http2.flushing import Flusher
from proxy.http2.hpack.field import HeaderField
from proxy.http2.message.grpc import read_status
from proxy.http2.message.response import read_response
from proxy.http2.message.trailers import Trailers
from proxy.http2.message.write import request_fields
from proxy.listener.sides import HEARD, UNHEARD, Answerer, Receiver
from proxy.listener.upstreams.pools import Pool
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import FieldKinds
from proxy.semantics.request import CALL, TUNNEL
from proxy.transport.deadlines import NEVER, Ticker
from proxy.transport.processes import Ends, ends
from proxy.transport.tunnel import End

_RESPONSE_TIMEOUT: Final = Fault.RESPONSE_TIMEOUT  # bound once, for speed
_BODY_TIMEOUT: Final = Fault.BODY_TIMEOUT


class Sharer(Pool):
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
class UpstreamConnection(Connection):
    """One connection to an upstream, from its making to its end."""

    __slots__ = (
        "_client",
        "_is_malformed",
        "_is_waited_for",
        "_kinds",
        "_most_streams",
        "_sharer",
        "_trailers",
        "_users",
        "greeted",
        "idle_until",
        "is_retired",
        "peer",
        "remote",
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
        self._kinds = kinds
        self._trailers = trailers
        self._most_streams = most_streams
        self.ping_s = ping_s
        self._users: set[UpstreamStream] = set()
        self._is_waited_for = False  # the pool wants to know of room
        self._is_malformed = False  # the stream that is about to be told of its end has broken a rule
        # Until its SETTINGS come, an upstream may turn out not to speak HTTP/2. Nothing is sent to it before that.
        self.greeted: asyncio.Future[Refusal | None] = asyncio.get_running_loop().create_future()
        self.is_retired = False  # takes no new streams
        self.idle_until = NEVER
        self.peer = ""
        self.remote: tuple[bytes, int] = (b"", 0)
        self.served = 0  # exchanges
        self._client = ClientEngine(self, Limits(), FieldJudge(kinds, False))
        self.engine = self._client

    def __repr__(self) -> str:
        retired = ", retired" if self.is_retired else ""
        return f"<UpstreamConnection {self.peer or 'unix'}, {len(self._users)} streams{retired}, {self.served} served>"

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._take_transport(transport)
        if self.greeted.done():  # by ALPN it does not speak HTTP/2
            return
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self.peer = str(peer[0])
            self.remote = self.peer.encode("ascii"), int(peer[1])
        self._client.start()

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
        return not self._users

    @property
    def room(self) -> int:
        """How many more streams it takes now."""
        if self.is_retired or self.is_closed:
            return 0
        mine = self._most_streams - len(self._users)
        theirs = self._client.room
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
            self._client.fail(NO_ERROR, "idle")

    def abort(self) -> None:
        """Close at once."""
        self.is_retired = True
        self.transport.abort()

    def on_tick(self, now: float) -> None:
        """Sweep the deadlines of its streams."""
        for user in [user for user in self._users if user.deadline <= now]:
            user.on_deadline()
        self._check_peer()

    def ends(self) -> Ends | None:
        """Both ends of the connection."""
        return ends(self.transport)

    # --- what the engine tells (see engine.owner)

    def on_settings(self) -> None:
        self._greet(None)
        if self._is_waited_for:
            self.wants_flush()

    def on_stream_over(self) -> None:
        if self._is_waited_for:
            self.wants_flush()

    def on_goaway(self, code: int, detail: bytes) -> None:
        self.retire()

    def on_failed(self, code: int, detail: str) -> None:
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
        if self._client.is_used_up and not self.is_retired:
            self.retire()

    # --- what its streams tell

    def was_malformed(self) -> bool:
        """Whether the stream that is being told of its end was malformed."""
        was, self._is_malformed = self._is_malformed, False
        return was

    def began(self, user: UpstreamStream) -> None:
        """It is in use."""
        self._users.add(user)
        self.served += 1

    def ended(self, user: UpstreamStream) -> None:
        """It is no longer."""
        self._users.discard(user)
        if not self._users:
            self._close_if_idle()

    def _close_if_idle(self) -> None:
        if self.is_retired and not self._users and not self.is_closed and not self.engine.is_failed:
            self._client.fail(NO_ERROR, "no more streams are open")

    @property
    def client(self) -> ClientEngine:
        """Its engine."""
        return self._client

    @property
    def kinds(self) -> FieldKinds:
        """Of the fields of its responses."""
        return self._kinds

    @property
    def trailers(self) -> Trailers:
        """As all connections have them."""
        return self._trailers

    @property
    def now(self) -> float:
        """The time of the last tick."""
        return self._ticker.now


@final
class UpstreamStream(Answerer):
    """One request on its way to an upstream, and its response."""

    __slots__ = ("_connection", "_is_done", "_is_held", "_receiver", "_stream")

    def __init__(self, connection: UpstreamConnection) -> None:
        self._connection = connection
        self._receiver: Receiver | None = None
        self._stream: Stream | None = None
        self._is_held = False
        self._is_done = False  # the response is whole
        self.deadline = NEVER
        self.timeout = _RESPONSE_TIMEOUT
        self.remote = connection.remote
        self.is_pinned = False
        self.process = -1

    def __repr__(self) -> str:
        return f"<UpstreamStream {self._stream!r}>"

    def ends(self) -> Ends | None:
        return self._connection.ends()

    # --- what the exchange asks (see sides.Answerer)

    def ask(self, receiver: Receiver, content: bytes, done: bool, trailers: list[bytes]) -> None:
        self._receiver = receiver
        connection = self._connection
        connection.began(self)
        request, terms = receiver.request, receiver.terms
        client = connection.client
        if request.upgrade or (request.pace == TUNNEL and not client.peer.extended_connect):
            self._drop()
            text = "the upstream speaks HTTP/2, and takes no protocol but HTTP there"
            receiver.on_upstream_failed(Refusal(Fault.BAD_UPGRADE, text), HEARD)
            return
        fields, literals = request_fields(
            request, trace=receiver.trace, host=terms.host(request), hop=receiver.hop, is_tls=connection.is_tls
        )
        is_whole = done and not trailers
        self._stream = stream = client.open(_Heard(self), fields, literals, is_whole and not content)
        if content:
            stream.send(content, is_whole)
        if done and trailers:
            stream.send_headers(connection.trailers.fields(trailers), [], True)

    def send(self, content: bytes, done: bool, trailers: list[bytes]) -> None:
        stream = self._stream
        if stream is None:
            return
        if not trailers:
            stream.send(content, done)
            return
        if content:
            stream.send(content, False)
        stream.send_headers(self._connection.trailers.fields(trailers), [], True)

    def pause_reading(self) -> None:
        self._is_held = True
        self.deadline = NEVER
        if self._stream is not None:
            self._stream.hold(True)

    def resume_reading(self) -> None:
        self._is_held = False
        receiver = self._receiver
        if receiver is not None:
            self.deadline = self._connection.now + receiver.terms.body_waits[receiver.request.pace]
        if self._stream is not None:
            self._stream.hold(False)

    def may_be_unheard(self) -> bool:
        return True

    def has_more(self) -> bool:
        return False

    def is_ready_for(self, pool: object) -> bool:
        return False

    def close(self) -> None:
        self.abort()

    def end(self) -> None:
        self._drop()

    def abort(self) -> None:
        stream = self._stream
        is_done = self._is_done
        self._drop()
        if stream is not None:
            stream.reset(NO_ERROR if is_done else CANCEL)

    def detach(self, tell: Callable[[int], None], received: bytes) -> End:
        raise NotImplementedError  # HTTP/2 has no 101

    def on_deadline(self) -> None:
        """The upstream has been silent for too long."""
        receiver, fault = self._receiver, self.timeout
        self.abort()
        if receiver is not None:
            receiver.on_upstream_failed(Refusal(fault, "the upstream took too long to answer"), HEARD)

    def _drop(self) -> None:
        """Nobody is told any longer."""
        self._receiver = None
        self._stream = None
        self.deadline = NEVER
        self._connection.ended(self)

    # --- what comes

    def heard_response(self, head: ResponseHead, done: bool) -> None:
        """The final head."""
        receiver = self._receiver
        if receiver is None:
            return
        response = read_response(head, self._connection.kinds)
        request = receiver.request
        if done:
            self._is_done = True
            if request.pace == CALL:
                receiver.rpc_status = read_status(head.plain)
        else:
            self.deadline = self._connection.now + receiver.terms.body_waits[request.pace]
            self.timeout = _BODY_TIMEOUT
        receiver.on_response(response, b"", done, [])

    def heard_interim(self, head: ResponseHead) -> None:
        """A 1xx."""
        if self._receiver is not None:
            self._receiver.on_interim(read_response(head, self._connection.kinds))

    def heard_content(self, content: bytes, done: bool) -> None:
        """Content of the response."""
        receiver = self._receiver
        if receiver is None:
            return
        if done:
            self._is_done = True
        elif not self._is_held:
            self.deadline = self._connection.now + receiver.terms.body_waits[receiver.request.pace]
        receiver.on_response_content(content, done, [])

    def heard_trailers(self, fields: list[HeaderField]) -> None:
        """The end of the response."""
        receiver = self._receiver
        if receiver is None:
            return
        self._is_done = True
        if receiver.request.pace == CALL:
            receiver.rpc_status = read_status(fields)
        receiver.on_response_content(b"", True, self._connection.trailers.lines(fields))

    def heard_full(self, full: bool) -> None:
        """The upstream takes the request more slowly than it comes."""
        if self._receiver is not None:
            self._receiver.on_upstream_full(full)

    def heard_end(self, code: int, unheard: bool, detail: str) -> None:
        """There will be no more of the response."""
        receiver = self._receiver
        is_malformed = self._connection.was_malformed()
        self._stream = None
        self._drop()
        if receiver is None:
            return
        if self._connection.is_closed or self._connection.engine.is_failed:
            refusal = Refusal(Fault.CONNECTION_LOST, detail)
        elif is_malformed:
            refusal = Refusal(Fault.BAD_RESPONSE, detail)
        else:
            refusal = Refusal(Fault.STREAM_RESET, detail or name_of(code), code)
        receiver.on_upstream_failed(refusal, UNHEARD if unheard else HEARD)


@final
class _Heard(StreamUser):
    """Passes on what comes on a stream: its side of the exchange has another base."""

    __slots__ = ("_user",)

    def __init__(self, user: UpstreamStream) -> None:
        self._user = user

    def on_response(self, head: ResponseHead, done: bool) -> None:
        self._user.heard_response(head, done)

    def on_interim(self, head: ResponseHead) -> None:
        self._user.heard_interim(head)

    def on_content(self, content: bytes, done: bool) -> None:
        self._user.heard_content(content, done)

    def on_trailers(self, fields: list[HeaderField]) -> None:
        self._user.heard_trailers(fields)

    def on_full(self, full: bool) -> None:
        self._user.heard_full(full)

    def on_reset(self, code: int, unheard: bool, detail: str) -> None:
        self._user.heard_end(code, unheard, detail)
