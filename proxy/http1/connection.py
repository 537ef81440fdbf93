"""A client's connection as a stream of bytes: how it writes, pauses reading, and ends.

May know its transport and its listener's rules.
Must not know what the bytes mean: the class in `client`, built on this one, reads requests.

Its states, and what leads from one to another:

    state   is told of                           and then is
    FRESH   a whole head                         BODY if content follows, else BUSY
            a bad head, EOF, or a deadline       ENDING
            that the listener is shut            FRESH, for a second more
    HEAD    all of this, but                     as above
            that the listener is shut            ENDING, unless another head has begun
    BODY    the end of the body                  BUSY
            the end of the answer                ENDING: what is left of the request would be taken for the next
            a bad body, EOF, or a deadline       ENDING: the answer is cut if it has begun
    BUSY    the end of the answer                HEAD; UNREAD if the client is behind; ENDING if it was the last
            EOF, in a later turn                 ENDING: nobody waits for the answer, unless half-closes are served
            101, or the connection of a CONNECT  TUNNEL
            a cut answer                         ENDING
            a deadline                           ENDING: the client takes too little of its answer
    UNREAD  that the client has read it          HEAD, or ENDING
    ENDING  that the client has read all         CLOSED, at the latest by a deadline
    any     the transport's loss                 CLOSED

`_saw_eof` is the client's half of the connection: it may end in any state. `flow` knows why reading is paused.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from typing import Final, cast

from proxy.listener.listener_rules import ListenerRules
from proxy.listener.sides import Asker
from proxy.plan import Timeouts
from proxy.transport.aside import Aside
from proxy.transport.certificates import certificate_names
from proxy.transport.deadlines import NEVER, Ticker
from proxy.transport.flow import BEHIND, OTHER_SIDE_FULL, Flow
from proxy.transport.outbox import Outbox
from proxy.transport.processes import UNKNOWN, Ends, ends
from proxy.transport.sockets import address_of, descriptor, has_unread, reset
from proxy.transport.tunnel import End

FRESH: Final = 0  # no complete request yet; a head may be being read
HEAD: Final = 1  # after a request: waits for another head, or reads it
BODY: Final = 2  # reads the body of a request, which may already be answered
BUSY: Final = 3  # the request is complete; its answer is not
UNREAD: Final = 4  # the answer is written; the client still has to read it
TUNNEL: Final = 5  # the transport belongs to a tunnel
ENDING: Final = 6  # everything is sent; input is discarded until the client has read our last bytes
CLOSED: Final = 7
_NAMES: Final = ("fresh", "waiting", "reading a body", "busy", "unread", "tunnel", "ending", "closed")

# If we close with unread bytes, the kernel sends RST, which can destroy our last response (RFC 9112, 9.6).
# So we stop writing, and read on for a while.
_LINGER_S: Final = 3.0  # of silence
_LINGER_LONGEST_S: Final = 30.0  # while bytes come


class Connection(Asker):
    """One connection from a client, by the limits and timeouts of its listener's rules."""

    __slots__ = (
        "_abandons",
        "_aside",
        "_buffer_bytes",
        "_fd",
        "_flow",
        "_idle_s",
        "_is_due",
        "_least_read",
        "_least_sent",
        "_linger_until",
        "_outbox",
        "_saw_eof",
        "_silent_at",
        "_state",
        "_ticker",
        "_timeouts",
        "deadline",
        "is_tls",
        "transport",
    )

    transport: asyncio.Transport
    _flow: Flow
    _timeouts: Timeouts
    _idle_s: float
    _buffer_bytes: int
    _least_sent: int  # bytes a second of its request
    _least_read: int  # bytes a second of its answer
    _abandons: bool  # a client that ends its side after a whole request is gone

    def __init__(self, ticker: Ticker, outbox: Outbox) -> None:
        self._ticker = ticker
        self._outbox = outbox
        self._state = FRESH
        self._aside = Aside()  # received, not yet processed
        self._is_due = False  # a later turn will read on
        self._saw_eof = False
        self._fd = -1
        self.pinned = None
        self.process = UNKNOWN
        self._silent_at = NEVER  # when a body will have been silent for too long
        self.is_tls = False
        self.deadline = NEVER
        self._linger_until = NEVER

    def __repr__(self) -> str:
        half = ", half-closed" if self._saw_eof else ""
        waiting = self.transport.get_write_buffer_size() if self._state != CLOSED else 0
        peer = self.address.decode("ascii") or "unix"
        return f"<{type(self).__name__} {peer} {_NAMES[self._state]}{half}, {waiting} bytes to send>"

    def _take_transport(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._fd = descriptor(transport)
        self.is_tls = transport.get_extra_info("sslcontext") is not None
        self._flow = Flow(self.transport, self._on_paused)
        peer = transport.get_extra_info("peername")
        self.address = address_of(peer)
        self.port = int(peer[1]) if isinstance(peer, tuple) else 0
        self.names = certificate_names(transport.get_extra_info("peercert"))

    def ends(self) -> Ends | None:
        return ends(self.transport)

    def _detach(self, tell: Callable[[int], None], on_lost: Callable[[Exception | None], None]) -> End:
        """Give the transport away: this end of a tunnel. Bytes after the request belong to the new protocol, too."""
        self._state = TUNNEL
        self.deadline = NEVER
        self._ticker.ends.forget(self._fd)
        self._outbox.flush()
        return End(self.transport, tell, on_lost, self._aside.take_all(), self._saw_eof, self._flow.is_stalled)

    def _keep_to(self, rules: ListenerRules) -> None:
        self._timeouts = rules.plan.timeouts
        self._idle_s = self._timeouts.idle_s  # here, for speed
        self._buffer_bytes = rules.plan.limits.buffer_bytes
        clients = rules.plan.clients
        self._abandons = clients.half_close == "abandon"
        self._least_sent, self._least_read = clients.send_bytes_per_s, clients.read_bytes_per_s
        if self._state != TUNNEL and not self.transport.is_closing():
            self.transport.set_write_buffer_limits(high=self._buffer_bytes)

    # --- writing

    def write(self, data: bytes) -> None:
        self._outbox.flush()
        self.transport.write(data)

    def send(self, message: bytes) -> None:
        # Only messages that cannot fill the transport may wait: backpressure must be known before the next request.
        if self.transport.get_write_buffer_size() or len(message) > self._buffer_bytes:
            self.write(message)
        else:
            self._outbox.send(self.transport, message)

    # --- reading

    def _put_aside(self, data: bytes) -> None:
        """Keep bytes that came early, and pause reading until they are processed."""
        self._aside.put(data)
        self._flow.pause(BEHIND, True)

    def _put_back(self, data: bytes) -> None:
        """The same for the rest of the bytes being read, which goes before everything aside."""
        self._aside.put_back(data)
        self._flow.pause(BEHIND, True)

    def _read_later(self) -> None:
        """Read on in a later turn, and take nothing from the transport until then."""
        self._flow.pause(BEHIND, True)
        if not self._is_due:
            self._is_due = True
            self._ticker.turns.later(self._read_on)

    @abstractmethod
    def _read_on(self) -> None:
        """Process one more piece of the bytes aside. `_is_due` is true until it begins."""

    def _has_unread(self) -> bool:
        """Whether the kernel holds bytes that have not been read yet."""
        return has_unread(self._fd)

    def _on_paused(self, paused: bool) -> None:
        if paused:
            self._ticker.ends.watch(self._fd, self._ended_unread)
        else:
            self._ticker.ends.forget(self._fd)

    @abstractmethod
    def _ended_unread(self, lost: bool) -> None:
        """The client has ended its side while nothing is read; or, if `lost`, the whole connection."""

    def hold(self, held: bool) -> None:
        is_reading = self._state == BODY
        if is_reading:  # while we do not read, the client is not to blame for silence
            self.deadline = self._silent_at = NEVER if held else self._ticker.now + self._timeouts.body_read_s
            if not held:
                self._pace_anew()
        if is_reading or not held:
            self._flow.pause(OTHER_SIDE_FULL, held)

    @abstractmethod
    def _pace_anew(self) -> None:
        """From now on the client is waited for."""

    def _is_held(self) -> bool:
        """Whether we have paused reading a body. Then we cause the silence, and only writing has deadlines."""
        return self._state == BODY and self._flow.paused != 0

    # --- ending

    def _end(self) -> None:
        """End our side, and wait until the client has read everything."""
        if self._saw_eof or not self.transport.can_write_eof() or self.transport.is_closing():
            self._close()
            return
        self._linger()
        self.transport.write_eof()
        self._flow.resume()

    def _close(self) -> None:
        """Close once everything written has been sent."""
        self._linger()
        self.transport.close()

    def _linger(self) -> None:
        self._state = ENDING
        self._aside.take_all()
        self._flow.unstall()  # a slow client, too, gets time for the last answer
        self.deadline = self._ticker.now + _LINGER_S
        self._linger_until = self._ticker.now + _LINGER_LONGEST_S
        self._outbox.flush()

    def _linger_on(self) -> None:
        """The client is still sending: it may still have to read our answer."""
        self.deadline = min(self._ticker.now + _LINGER_S, self._linger_until)

    def _cut(self, *, ends_at_close: bool) -> None:
        """End in the middle of a response. `ends_at_close`: a clean close would look like the end of the response."""
        if ends_at_close:
            self._state = ENDING
            reset(self.transport)
        else:
            self._close()
