"""A connection to an upstream, as a stream of bytes that the pool keeps: its states, its backpressure, its end.

May know its transport and its pool as a `Keeper`.
Must not know messages: the class in `upstream`, built on this one, sends requests.

Its states, and what leads from one to another:

    state     is told of                      and then is
    IDLE      ask                             ASKED, or HELD on a connection that nobody looked at
              bytes that nobody asked for     CLOSING
    HELD      the end of the turn             ASKED: the request is sent
              bytes that nobody asked for     CLOSING; the request goes elsewhere
              its loss                        LOST; the request goes elsewhere
    ASKED     the first byte                  ANSWERED
              its loss                        LOST; the request may be sent again if the connection was kept
    ANSWERED  a head, 1xx                     ANSWERED
              101                             DETACHED
              a final head                    BODY, or what `end` leads to if the response is whole
    BODY      the end of the body             what `end` leads to
    these 3   a bad response, a deadline      CLOSING
              end                             IDLE, or CLOSING if it is retired or its peer does not read
              abort                           CLOSING
              its loss, with bytes unread     LAST
    LAST      the end of what is left         LOST
    any       close                           CLOSING: what was written is still sent
              its loss                        LOST

There is a receiver of the response in HELD, ASKED, ANSWERED, BODY and LAST, and in no other state.
`is_retired` is not a state: such a connection finishes its present exchange, and serves no other.
`flow` knows why reading is paused, and whether the peer reads.
"""

from __future__ import annotations

import asyncio
import select
from abc import abstractmethod
from typing import Final, cast, final

from proxy.listener.sides import Answerer, Receiver
from proxy.listener.upstreams.queued import QueuedPool
from proxy.semantics.faults import Fault
from proxy.transport.deadlines import NEVER, Ticker
from proxy.transport.flow import OTHER_SIDE_FULL, Flow
from proxy.transport.processes import UNKNOWN, Ends, ends
from proxy.transport.sockets import descriptor, has_unread, watch

RESPONSE_TIMEOUT: Final = Fault.RESPONSE_TIMEOUT  # bound once, for speed
_BUFFER_BYTES: Final = 64 * 1024  # the default
_LAST_BYTES_S: Final = 3.0  # for an upstream that has answered to read the rest of its request

IDLE: Final = 0  # serves no exchange
HELD: Final = 1  # a request waits for the end of the turn (`HeldRequests`)
ASKED: Final = 2  # a request is on its way; no byte of the response has come
ANSWERED: Final = 3  # some has; its final head is incomplete
BODY: Final = 4  # the body of the response is being read
LAST: Final = 5  # the connection is gone; bytes that came before are still being read
DETACHED: Final = 6  # the transport belongs to a tunnel
CLOSING: Final = 7
LOST: Final = 8
_NAMES: Final = (
    "idle",
    "held",
    "asked",
    "answered",
    "reading a body",
    "lost, still read",
    "detached",
    "closing",
    "lost",
)


class Keeper(QueuedPool):
    """The pool that a connection belongs to, as the connection sees it."""

    @abstractmethod
    def release(self, connection: KeptConnection) -> None:
        """`connection` has finished its exchange and can serve another."""

    @abstractmethod
    def detached(self, connection: KeptConnection) -> None:
        """`connection` is the end of a tunnel from now on. Its loss is still told."""

    @abstractmethod
    def lost(self, connection: KeptConnection) -> None:
        """`connection` is closed, by either side."""

    @abstractmethod
    def departed(self) -> None:
        """A held request was sent."""

    @abstractmethod
    def unfit(self, reason: str) -> None:
        """A connection with a held request is closed; why: "peer" or "surplus-bytes"."""


@final
class HeldRequests:
    """Requests on kept connections, held until the turn of the event loop ends.

    An idle connection may have ended, or hold bytes that would pass for the response.
    When the turn ends, the event loop has told all that the kernel knew when the turn began.
    So nobody has to ask the kernel before each request (docs/decisions/006).
    """

    __slots__ = ("_connections", "_loop", "_turn_ends")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._turn_ends = self._let_go  # bound once, for speed
        self._connections: list[KeptConnection] = []

    def hold(self, connection: KeptConnection) -> None:
        """Let `connection` depart when this turn ends."""
        self._connections.append(connection)
        if len(self._connections) == 1:
            self._loop.call_soon(self._turn_ends)

    def _let_go(self) -> None:
        connections, self._connections = self._connections, []
        for connection in connections:
            connection.depart()


class KeptConnection(Answerer):
    """One connection to an upstream, from its making to its end."""

    __slots__ = (
        "_fd",
        "_flow",
        "_is_tls",
        "_keeper",
        "_receiver",
        "_saw_eof",
        "_state",
        "_ticker",
        "_watch",
        "buffer_bytes",
        "idle_until",
        "is_retired",
        "is_unseen",
        "keep_alive_s",
        "peer",
        "served",
        "transport",
    )

    transport: asyncio.Transport
    _flow: Flow
    _watch: select.poll

    def __init__(self, keeper: Keeper, ticker: Ticker) -> None:
        self._keeper = keeper
        self._ticker = ticker
        self._state = IDLE
        self._receiver: Receiver | None = None
        self._fd = -1
        self._is_tls = False  # then a body ends only with a clean end of TLS: see `connection_lost`
        self._saw_eof = False
        self.buffer_bytes = _BUFFER_BYTES
        self.connect_s = 0.0
        self.deadline = NEVER
        self.timeout = RESPONSE_TIMEOUT  # the fault when the deadline passes
        self.idle_until = NEVER  # set by the pool
        self.keep_alive_s = NEVER  # how long the upstream keeps an idle connection, if it said so
        self.is_retired = False  # finishes its exchange, and serves no other
        self.is_unseen = False  # nobody has looked for news, so the next request is held
        self.is_pinned = False
        self.remote = b"", 0
        self.process = UNKNOWN
        self.peer = ""  # IP address, empty for a Unix socket
        self.served = 0  # exchanges, including the present one

    def __repr__(self) -> str:
        retired = ", retired" if self.is_retired and self._state < LAST else ""
        waiting = self.transport.get_write_buffer_size() if self._state != LOST else 0
        return (
            f"<{type(self).__name__} {self.peer or 'unix'} {_NAMES[self._state]}{retired}, {self.served} served, "
            f"{waiting} bytes to send>"
        )

    # --- what the pool asks

    @property
    def is_lost(self) -> bool:
        """Whether its transport is closed."""
        return self._state == LOST

    @property
    def is_usable(self) -> bool:
        """Whether a request may be sent on it."""
        return not (self.is_retired or self.transport.is_closing())

    def is_ready_for(self, pool: object) -> bool:
        return self._keeper is pool and self._state == IDLE and self.is_usable and not self.has_news()

    def has_news(self) -> bool:
        """Whether an idle connection has unexpected input.

        That is bytes, which would look like the next response, or the end, which would break the next request.
        """
        return bool(self._watch.poll(0))

    def has_surplus(self) -> bool:
        """Whether that is bytes, not just the end."""
        return has_unread(self._fd)

    def close(self) -> None:
        """Close after everything written has been sent, within a time limit."""
        self._close(_LAST_BYTES_S)
        self.transport.close()

    def abort(self) -> None:
        self._close(NEVER)
        self.transport.abort()

    def _close(self, within_s: float) -> None:
        self._receiver = None
        self.is_retired = True
        if self._state == LAST:
            self._state = LOST
        elif self._state < CLOSING:
            self._state = CLOSING
            self.deadline = self._ticker.now + within_s

    @abstractmethod
    def depart(self) -> None:
        """Send the held request, unless the connection has turned out to be unfit."""

    @abstractmethod
    def on_deadline(self) -> None:
        """The upstream has been silent for too long."""

    # --- backpressure

    def pause_reading(self) -> None:
        self._flow.pause(OTHER_SIDE_FULL, True)
        self.deadline = NEVER

    def resume_reading(self) -> None:
        if self._receiver is not None and self._state != LAST:
            self._flow.pause(OTHER_SIDE_FULL, False)
            self.deadline = self._ticker.now + self._receiver.terms.timeouts.response_body_s

    def pause_writing(self) -> None:
        self._flow.stall()
        if self._receiver is not None:
            self._receiver.on_upstream_full(True)

    def resume_writing(self) -> None:
        self._flow.unstall()
        if self._receiver is not None:
            self._receiver.on_upstream_full(False)

    def ends(self) -> Ends | None:
        return ends(self.transport)

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._flow = Flow(self.transport)
        self.transport.set_write_buffer_limits(high=self.buffer_bytes)
        peer = transport.get_extra_info("peername")
        self.peer = str(peer[0]) if isinstance(peer, tuple) else ""
        if isinstance(peer, tuple):
            self.remote = self.peer.encode("ascii"), int(peer[1])
        self._fd = descriptor(transport)
        self._watch = watch(self._fd)
        self._is_tls = transport.get_extra_info("sslcontext") is not None
