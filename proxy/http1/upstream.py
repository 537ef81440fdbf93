"""The upstream's side of an exchange, in HTTP/1.1: one connection, one request and response at a time.

May know sockets (through its transport) and messages. Must not know the client, nor why a request is sent.

Its states, and what leads from one to another:

    state     is told of                      and then is
    IDLE      ask                             ASKED
              bytes that nobody asked for     CLOSING
    ASKED     the first byte                  ANSWERED
              its loss                        LOST; the request may be sent again if the connection was kept
    ANSWERED  a head, 1xx                     ANSWERED
              101                             DETACHED
              a final head                    BODY, or what `end` leads to where the response is whole
    BODY      the end of the body             what `end` leads to
    these 3   a bad response, a deadline      CLOSING
              end                             IDLE, or CLOSING where it is retired or its peer does not read
              abort                           CLOSING
              its loss, with bytes unread     LAST
    LAST      the end of what is left         LOST
    any       close                           CLOSING: what was written is still sent
              its loss                        LOST

Whoever receives the response is there in ASKED, ANSWERED, BODY and LAST, and nowhere else. `is_retired` is no state of
the exchange: such a connection serves the present one to its end, and no other. Why its reading is paused, and whether
its peer reads, is `flow`'s.
"""

from __future__ import annotations

import asyncio
import select
from abc import abstractmethod
from collections.abc import Callable
from typing import Final, cast, final

from proxy.http1.message.bodies import Body, ChunkedBody, CloseBody, LengthBody
from proxy.http1.message.heads import HeadLimits, HeadReader
from proxy.http1.message.lists import is_offered
from proxy.http1.message.response import read_response, read_start
from proxy.http1.message.write import as_chunks, request_head
from proxy.listener.pools import Pool
from proxy.listener.sides import HEARD, PERHAPS, Answerer, Receiver
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import FieldKinds
from proxy.transport.aside import Aside
from proxy.transport.deadlines import NEVER, Ticker
from proxy.transport.flow import BEHIND, OTHER_SIDE_FULL, Flow
from proxy.transport.outbox import Outbox
from proxy.transport.sockets import descriptor, has_unread, watch
from proxy.transport.tunnel import End
from proxy.transport.turns import FULL_READ_BYTES

# Of responses; there is no setting for them, since an upstream is trusted further than a client.
RESPONSE_LIMITS: Final = HeadLimits(
    line_bytes=8 * 1024,
    field_bytes=64 * 1024,
    field_count=256,
    line_fault=Fault.RESPONSE_HEAD_TOO_LARGE,
    field_fault=Fault.RESPONSE_HEAD_TOO_LARGE,
    bad_fault=Fault.BAD_RESPONSE,
    empty_lines=0,  # what stands before a status line is no part of this response
)
RESPONSE_TIMEOUT: Final = Fault.RESPONSE_TIMEOUT  # bound once: to find an enum member costs 0.1 µs
_BUFFER_BYTES: Final = 64 * 1024  # until somebody says otherwise
_MAX_INTERIM = 32  # 1xx responses to one request; more is a flood
_LAST_BYTES_S: Final = 3.0  # for an upstream that has answered to take what is left of its request

IDLE: Final = 0  # serves nobody
ASKED: Final = 1  # a request is on its way; no byte of the response has come
ANSWERED: Final = 2  # some has; its final head is not whole
BODY: Final = 3  # the body of the response is being read
LAST: Final = 4  # the connection is gone; what came before is still being read
DETACHED: Final = 5  # the transport is a tunnel's
CLOSING: Final = 6
LOST: Final = 7
_NAMES: Final = ("idle", "asked", "answered", "reading a body", "lost, still read", "detached", "closing", "lost")


class Keeper(Pool):
    """The pool that a connection belongs to, as the connection sees it."""

    @abstractmethod
    def release(self, connection: UpstreamConnection) -> None:
        """`connection` has served its exchange and can serve another."""

    @abstractmethod
    def lost(self, connection: UpstreamConnection) -> None:
        """`connection` is closed, by whomever."""


@final
class UpstreamConnection(Answerer):
    """One connection to an upstream, from its making to its end."""

    __slots__ = (
        "_aside",
        "_body",
        "_chunks",
        "_fd",
        "_flow",
        "_interim",
        "_is_due",
        "_is_tls",
        "_keeper",
        "_kinds",
        "_lost",
        "_outbox",
        "_reader",
        "_receiver",
        "_saw_eof",
        "_state",
        "_ticker",
        "_watch",
        "buffer_bytes",
        "idle_until",
        "is_retired",
        "keep_alive_s",
        "peer",
        "served",
        "transport",
    )

    transport: asyncio.Transport
    _flow: Flow
    _watch: select.poll

    def __init__(self, keeper: Keeper, ticker: Ticker, outbox: Outbox, kinds: FieldKinds) -> None:
        """`keeper` has its deadline swept."""
        self._keeper = keeper
        self._ticker = ticker
        self._outbox = outbox
        self._kinds = kinds
        self.buffer_bytes = _BUFFER_BYTES
        self._state = IDLE
        self._receiver: Receiver | None = None
        self._fd = -1
        self._is_tls = False  # then a body ends only with an orderly end of TLS: see `connection_lost`
        self._reader = HeadReader(RESPONSE_LIMITS, read_start)
        self._body: Body | None = None
        self._interim = 0
        self._chunks = False  # the request's body is chunked
        self._aside = Aside()  # received, not yet looked at
        self._is_due = False  # a later turn will read on; nothing is taken from the transport until then
        self._lost: Exception | None = None  # with what the connection ended
        self._saw_eof = False
        self.deadline = NEVER
        self.timeout = RESPONSE_TIMEOUT  # what a deadline that passes means
        self.idle_until = NEVER  # set by the pool
        self.keep_alive_s = NEVER  # how long the upstream keeps an idle connection, as far as it said
        self.is_retired = False  # serves its exchange, and no other
        self.peer = ""  # IP address, empty for a Unix socket
        self.served = 0  # exchanges, the present one included

    def __repr__(self) -> str:
        retired = ", retired" if self.is_retired and self._state < LAST else ""
        waiting = self.transport.get_write_buffer_size() if self._state != LOST else 0
        return (
            f"<UpstreamConnection {self.peer or 'unix'} {_NAMES[self._state]}{retired}, {self.served} served, "
            f"{waiting} bytes to send>"
        )

    # --- what the pool asks

    @property
    def is_lost(self) -> bool:
        """Whether its transport is gone."""
        return self._state == LOST

    @property
    def is_usable(self) -> bool:
        """Whether a request may be sent on it."""
        return not (self.is_retired or self.transport.is_closing())

    def has_news(self) -> bool:
        """Whether an idle connection has something for us that no request asked for.

        It may be bytes, which would be taken for the next response, or the end, which the next request would run into.
        """
        return bool(self._watch.poll(0))

    def has_surplus(self) -> bool:
        """Whether that is bytes, not just the end."""
        return has_unread(self._fd)

    # --- what the exchange asks (see sides.Answerer)

    def ask(self, receiver: Receiver, content: bytes, done: bool, trailers: list[bytes]) -> None:
        self._receiver = receiver
        self._state = ASKED
        self._interim = 0
        self.timeout = RESPONSE_TIMEOUT
        self.served += 1
        request, terms = receiver.request, receiver.terms
        data = request_head(request, trace=receiver.trace, host=terms.host(request), hop=receiver.hop)
        self._chunks = request.length is None
        if self._chunks:
            data += as_chunks(content, done, trailers)
        elif content:
            data += content
        if self.buffer_bytes != terms.buffer_bytes:  # it last served another listener, or another plan
            self.buffer_bytes = terms.buffer_bytes
            self.transport.set_write_buffer_limits(high=terms.buffer_bytes)
        if done:
            self._outbox.send(self.transport, data)
        else:
            self.transport.write(data)  # more will follow, and must not overtake it

    def send(self, content: bytes, done: bool, trailers: list[bytes]) -> None:
        self.transport.write(as_chunks(content, done, trailers) if self._chunks else content)

    def end(self) -> None:
        self._receiver = None
        self._body = None
        self.deadline = NEVER
        # One that is full has told this exchange so, and would not tell the next.
        if self.is_retired or self._flow.is_stalled:
            self.close()
            return
        self._state = IDLE
        if self._flow.paused:  # the last bytes of the response were too much for a slow client
            self._flow.pause(OTHER_SIDE_FULL, False)
        self._keeper.release(self)

    def detach(self, tell: Callable[[int], None], received: bytes) -> End:
        self._receiver = None
        self._state = DETACHED
        self.deadline = NEVER
        return End(self.transport, tell, self.connection_lost, received, self._saw_eof, self._flow.is_stalled)

    def close(self) -> None:
        """Close after what was written has been sent, within a time."""
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

    def pause_reading(self) -> None:
        self._flow.pause(OTHER_SIDE_FULL, True)
        self.deadline = NEVER

    def resume_reading(self) -> None:
        if self._receiver is not None and self._state != LAST:
            self._flow.pause(OTHER_SIDE_FULL, False)
            self.deadline = self._ticker.now + self._receiver.terms.timeouts.response_body_s

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._flow = Flow(self.transport)
        self.transport.set_write_buffer_limits(high=self.buffer_bytes)
        peer = transport.get_extra_info("peername")
        self.peer = str(peer[0]) if isinstance(peer, tuple) else ""
        self._fd = descriptor(transport)
        self._watch = watch(self._fd)
        self._is_tls = transport.get_extra_info("sslcontext") is not None

    def data_received(self, data: bytes) -> None:
        receiver = self._receiver
        if receiver is None:
            # Nobody asked for these bytes. Whatever they are, no response may be looked for behind them.
            self.abort()
            return
        if self._state == ASKED:
            self._state = ANSWERED
        if self._is_due:  # it came although nothing is read
            self._aside.put(data)
            return
        try:
            body = self._body
            if body is None:
                self._read_head(data, receiver)
                return
            content, rest = body.feed(data)
            if rest is None:
                if body.is_behind or len(data) >= FULL_READ_BYTES:
                    self._read_later()
                timeouts = receiver.terms.timeouts
                self.deadline = (
                    NEVER if self._flow.paused & OTHER_SIDE_FULL else self._ticker.now + timeouts.response_body_s
                )
                receiver.on_response_content(content, False, [])
            else:
                if rest:
                    self.is_retired = True
                receiver.on_response_content(content, True, body.trailers)
        except Refusal as refusal:
            self._fail(refusal)

    def _read_later(self) -> None:
        """Read on in a later turn, and take nothing from the transport until then."""
        if not self._is_due:
            self._is_due = True
            self._flow.pause(BEHIND, True)
            self._ticker.turns.later(self._read_on)

    def _read_on(self) -> None:
        self._is_due = False
        body = self._body
        if self._receiver is not None:  # as if it came only now
            if body is not None and body.is_behind:
                self.data_received(b"")
            elif not self._aside.is_empty:
                self.data_received(self._aside.take_all())
        if self._is_due or self._state == DETACHED:
            return
        if self._state == LAST:
            self._tell_lost(LAST)
        else:
            self._flow.pause(BEHIND, False)

    def _read_head(self, data: bytes, receiver: Receiver) -> None:
        parsed = self._reader.feed(data, self._kinds)
        if parsed is None:
            return
        line, fields, data = parsed
        response = read_response(line, fields, self._kinds)
        if response.status < 200:
            if response.status == 101:
                if not (receiver.request_done and is_offered(response.upgrade, receiver.request.upgrade)):
                    raise Refusal(Fault.BAD_UPGRADE, "the upstream switched protocols unasked")
                receiver.on_switch(response, data)
                return
            self._interim += 1
            if self._interim > _MAX_INTERIM:
                raise Refusal(Fault.BAD_RESPONSE, "too many 1xx responses from the upstream")
            receiver.on_interim(response)
            if data and self._receiver is receiver:
                self._aside.put_back(data)
                self._read_later()
            return
        if not response.keep_alive:
            self.is_retired = True
        if response.keep_alive_s is not None:
            self.keep_alive_s = float(response.keep_alive_s)
        body: Body
        if not response.has_body(receiver.method):
            # A 204 that announces content (which RFC 9112, 6.3 forbids) may well send it, too.
            is_odd = response.status == 204 and (response.chunked or bool(response.length))
            if data or is_odd:
                self.is_retired = True
            receiver.on_response(response, b"", True, [])
            return
        if response.chunked:
            body = ChunkedBody(Fault.BAD_RESPONSE, self._kinds)
        elif response.length is None:
            body = CloseBody()
            self.is_retired = True
        elif response.length == len(data):  # the common case: everything came at once
            receiver.on_response(response, data, True, [])
            return
        else:
            body = LengthBody(response.length)
        content, rest = body.feed(data)
        if rest is not None:
            if rest:
                self.is_retired = True
            receiver.on_response(response, content, True, body.trailers)
            return
        self._body = body
        self._state = BODY
        if body.is_behind or len(data) >= FULL_READ_BYTES:
            self._read_later()
        self.deadline = self._ticker.now + receiver.terms.timeouts.response_body_s
        self.timeout = Fault.BODY_TIMEOUT
        receiver.on_response(response, content, False, [])

    def eof_received(self) -> bool:
        self._saw_eof = self.is_retired = True
        receiver = self._receiver
        if receiver is None or self._is_tls or self._is_due:
            return False
        # We cannot wait for `connection_lost`: it comes once the upstream has read all that we have to send, which may
        # be never.
        if isinstance(self._body, CloseBody):
            receiver.on_response_content(b"", True, [])
        else:
            before = self._state
            self.abort()
            self._tell_broken_off(receiver, before)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        before = self._state
        self.is_retired = True
        self._lost = exc
        is_last = self._is_due and self._receiver is not None  # what came before is read first
        self._state = LAST if is_last else LOST
        self._keeper.lost(self)
        if not is_last:
            self._tell_lost(before)

    def _tell_lost(self, before: int) -> None:
        self._state = LOST
        receiver, self._receiver = self._receiver, None
        if receiver is None:
            return
        if isinstance(self._body, CloseBody) and self._lost is None and self._saw_eof:
            receiver.on_response_content(b"", True, [])
        else:
            self._tell_broken_off(receiver, before)

    def _tell_broken_off(self, receiver: Receiver, before: int) -> None:
        """`before`: the state in which it came."""
        if before == ASKED:
            # An upstream may close a kept connection just when we send a request on it (RFC 9112, 9.3.1). One that has
            # served no other request cannot have been idle for too long.
            refusal = Refusal(Fault.CONNECTION_LOST, "the upstream closed without a response")
            receiver.on_upstream_failed(refusal, PERHAPS if self.served > 1 else HEARD)
        else:
            refusal = Refusal(Fault.RESPONSE_INCOMPLETE, "the upstream closed in mid-response")
            receiver.on_upstream_failed(refusal, HEARD)

    def pause_writing(self) -> None:
        self._flow.stall()
        if self._receiver is not None:
            self._receiver.on_upstream_full(True)

    def resume_writing(self) -> None:
        self._flow.unstall()
        if self._receiver is not None:
            self._receiver.on_upstream_full(False)

    def on_deadline(self) -> None:
        """The upstream was silent for too long."""
        self.deadline = NEVER
        self._fail(Refusal(self.timeout, "the upstream took too long to answer"))

    def _fail(self, refusal: Refusal) -> None:
        receiver = self._receiver
        self.abort()
        if receiver is not None:
            receiver.on_upstream_failed(refusal, HEARD)
