"""One request and its response on their way through the sidecar. Pairs a client's connection with an upstream's.

May know the pool, the upstream's connection, and the client's as a `Client`. It decides whether a request is sent
again, how a message is framed for the side it goes to, and who is told when one side fails. It has no task of its own:
all of it is callbacks. Most exchanges are just `begin`, `on_connected`, `on_response`, and over.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from time import perf_counter
from typing import Final, final

from proxy.http1.message.request import IDEMPOTENT, Request, is_offered
from proxy.http1.message.response import Response
from proxy.http1.message.write import as_chunks, interim_head, response_head, switching_head
from proxy.http1.pool import Pool, Waiter
from proxy.http1.upstream import RESPONSE_TIMEOUT, UpstreamConnection
from proxy.listener.routes import Route
from proxy.semantics.faults import Fault, Refusal
from proxy.translate import Translation
from proxy.transport.deadlines import NEVER, Ticker
from proxy.transport.outbox import Outbox

_MAX_REPLAY_BYTES: Final = 64 * 1024  # a request that may be sent again is remembered up to this size


class Client(ABC):
    """The client's side, as an exchange sees it. A class for the reason that `Receiver` is one."""

    __slots__ = ()

    @property
    @abstractmethod
    def date(self) -> bytes:
        """The time, as a Date field has it."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Send to the client."""

    @abstractmethod
    def send(self, message: bytes) -> None:
        """Send a whole response to the client, when this turn of the event loop ends."""

    @abstractmethod
    def hold(self, held: bool) -> None:
        """Read no more of the request for now, or read on."""

    @abstractmethod
    def is_keeping(self) -> bool:
        """Whether the connection may go on after this exchange, as far as the listener is concerned."""

    @abstractmethod
    def switch(self, upstream: UpstreamConnection, rest: bytes, idle_s: float) -> None:
        """Make a tunnel of both connections."""

    @abstractmethod
    def exchange_over(self, *, keep_alive: bool) -> None:
        """The response is written whole."""

    @abstractmethod
    def exchange_failed(self, refusal: Refusal, *, begun: bool) -> None:
        """There is no (whole) response; `begun`: some of it is written."""


@final
class Exchange(Waiter):
    """See the module. It waits for a connection, and receives the response."""

    # What most exchanges never change is an attribute of the class. To set it on each would cost 0.5 µs.
    _upstream: UpstreamConnection | None = None
    _held = b""  # of the request, until there is a connection
    _replay = b""  # the whole request, where it may be sent again
    _waits = False
    wants_fresh = False  # it is sent for the second time
    _chunks = False  # the response's body is chunked towards the client
    request_done = False
    response: Response | None = None
    over = False
    deadline = NEVER
    bytes_in = 0
    bytes_out = 0
    translation: Translation | None = None  # remembered for the access log alone

    def __init__(
        self, client: Client, route: Route, pool: Pool, request: Request, ticker: Ticker, outbox: Outbox
    ) -> None:
        self._client = client
        self._pool = pool
        self._ticker = ticker
        self._outbox = outbox
        self.route = route
        self.request = request
        self.method = request.method
        self.started = perf_counter()

    @property
    def connect_s(self) -> float:
        """How long the pool may take for a connection of its own."""
        return self.route.timeouts.connect_s

    @property
    def queue_s(self) -> float:
        """How long the pool may let us wait for somebody else's."""
        return self.route.timeouts.queue_s

    @property
    def response_body_s(self) -> float:
        """The longest silence in the response's body."""
        return self.route.timeouts.response_body_s

    @property
    def ends_at_close(self) -> bool:
        """Whether the client learns that the response has ended only by the end of the connection."""
        return self.response is not None and self.response.length is None and self.request.minor == 0

    # --- the request

    def begin(self, head: bytes, content: bytes, done: bool, trailers: list[bytes]) -> None:
        """Send the head, and the content that came with it, as soon as there is a connection."""
        if content or (done and self.request.chunked):
            self.bytes_in = len(content)
            head += self._framed(content, done, trailers)
        self.request_done = done
        self._held = head
        self._pool.acquire(self)
        if self._upstream is None:
            self._wait()

    def send_content(self, content: bytes, done: bool, trailers: list[bytes]) -> None:
        """More of the request's content; `done` with the last."""
        if self.over:
            return
        self.bytes_in += len(content)
        self.request_done = done
        data = self._framed(content, done, trailers)
        upstream = self._upstream
        if upstream is None:
            self._held += data
            return
        upstream.transport.write(data)
        if done and self.response is None:
            upstream.deadline = self._ticker.now + self.route.timeouts.response_head_s

    def _framed(self, content: bytes, done: bool, trailers: list[bytes]) -> bytes:
        return as_chunks(content, done, trailers) if self.request.chunked else content

    # --- the pool's answer

    def _wait(self) -> None:
        if not self.over:
            self._waits = True
            self._ticker.add(self)
            self._client.hold(True)

    def _stop_waiting(self) -> None:
        if self._waits:
            self._waits = False
            self._ticker.discard(self)
            self._client.hold(False)

    def on_connected(self, connection: UpstreamConnection) -> None:
        """Send what there is."""
        self._upstream = connection
        connection.begin(self)
        data = self._held
        self._held = b""
        if self.request_done:
            connection.deadline = self._ticker.now + self.route.timeouts.response_head_s
            connection.timeout = RESPONSE_TIMEOUT
            # An upstream may close a kept connection just when we send a request on it. Then the request is sent again
            # (RFC 9112, 9.3.1). A connection that has served no other request cannot have been idle for too long.
            if connection.served > 1 and self.method in IDEMPOTENT and len(data) <= _MAX_REPLAY_BYTES:
                self._replay = data
        if self._waits:
            self._stop_waiting()  # before the write, which may call `on_upstream_full` at once
        if connection.buffer_bytes != self.route.buffer_bytes:
            connection.hold_at_most(self.route.buffer_bytes)  # it last served another listener, or another plan
        if self.request_done:
            self._outbox.send(connection.transport, data)
        else:
            connection.transport.write(data)  # more will follow, and must not overtake it

    def on_unconnected(self, refusal: Refusal) -> None:
        """There is no connection to be had."""
        self._stop_waiting()
        self._failed(refusal)

    def on_deadline(self) -> None:
        """Waited for a connection for too long."""
        if not self._waits:
            return  # it was abandoned earlier in the same tick
        self._pool.give_up(self)
        self._pool.count_queue_timeout()
        self.on_unconnected(Refusal(Fault.QUEUE_TIMEOUT, "no connection to the upstream became free in time"))

    # --- the upstream's answer

    def on_interim(self, response: Response) -> None:
        """100 and 103 are relayed, but never to HTTP/1.0, which does not know them (RFC 9110, 15.2)."""
        if self.request.minor == 1:
            self._client.write(interim_head(response))

    def on_switch(self, response: Response, rest: bytes) -> None:
        """101 makes a tunnel, where one was asked for and the request is whole."""
        upstream = self._upstream
        assert upstream is not None
        if not (self.request_done and is_offered(response.upgrade, self.request.upgrade)):
            raise Refusal(Fault.BAD_UPGRADE, "the upstream switched protocols unasked")
        self.response = response
        self.over = True
        self._client.write(switching_head(response))
        self._client.switch(upstream, rest, self.route.timeouts.tunnel_idle_s)

    def on_response(self, response: Response, content: bytes, done: bool, trailers: list[bytes]) -> None:
        """Write the head, and the content that came with it, in one piece."""
        self.response = response
        self._replay = b""
        request = self.request
        client = self._client
        minor = request.minor
        # Where the response comes before the request is whole, the client's connection cannot be used again.
        keep_alive = request.keep_alive and self.request_done and client.is_keeping()
        if response.length is None and response.has_body(self.method):
            if minor == 1:
                self._chunks = True
            else:
                keep_alive = False
        request.keep_alive = keep_alive
        if not response.has_date():
            response.lines.append(b"Date: " + client.date)  # RFC 9110, 6.6.1
        data = response_head(
            response,
            as_chunks(content, done, trailers) if self._chunks else content,
            minor=minor,
            keep_alive=keep_alive,
            chunked=self._chunks,
            via=self.route.response_via,
        )
        self.bytes_out = len(content)
        if done:
            client.send(data)
            self._finish()
        else:
            client.write(data)

    def on_response_content(self, content: bytes, done: bool, trailers: list[bytes]) -> None:
        """Pass on content as it comes."""
        self.bytes_out += len(content)
        data = as_chunks(content, done, trailers) if self._chunks else content
        if data:
            self._client.write(data)
        if done:
            self._finish()

    def _finish(self) -> None:
        self.over = True
        upstream = self._upstream
        if upstream is not None:
            self._upstream = None
            if self.request_done:
                if upstream.end():
                    self._pool.release(upstream)
            else:
                upstream.abort()
        self._client.exchange_over(keep_alive=self.request.keep_alive)

    # --- backpressure

    def on_upstream_full(self, full: bool) -> None:
        """The upstream takes the request too slowly: read no more of it from the client. Or it takes more again.

        While it is full, the response's timeout is the limit of its silence.
        """
        upstream = self._upstream
        if self.over or upstream is None:
            return
        self._client.hold(full)
        if full:
            upstream.deadline = self._ticker.now + self.route.timeouts.response_head_s
            upstream.timeout = RESPONSE_TIMEOUT
        elif not self.request_done and self.response is None:
            upstream.deadline = NEVER

    def on_client_full(self, full: bool) -> None:
        """The client takes the response too slowly: read no more of it from the upstream. Or it takes more again."""
        upstream = self._upstream
        if upstream is None:
            return
        if full:
            upstream.pause_reading()
        else:
            upstream.resume_reading()

    # --- the end before the end

    def on_upstream_failed(self, refusal: Refusal) -> None:
        """Try once more where that is safe, else tell the client."""
        if self.over:
            return
        self._upstream = None
        if self._replay and refusal.fault is Fault.CONNECTION_LOST:
            self._held = self._replay
            self._replay = b""
            self.wants_fresh = True
            self._pool.count_retry()
            self._pool.enqueue(self)
            if self._upstream is None:
                self._wait()
            return
        self._failed(refusal)

    def _failed(self, refusal: Refusal) -> None:
        self.over = True
        self._client.exchange_failed(refusal, begun=self.response is not None)

    def abandon(self) -> None:
        """The client is gone, or its request is broken: want nothing more from the upstream."""
        if self.over:
            return
        self.over = True
        if self._waits:
            self._waits = False
            self._ticker.discard(self)
            self._pool.give_up(self)
        if self._upstream is not None:
            self._upstream.abort()
            self._upstream = None
