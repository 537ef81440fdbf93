"""The client's side of an exchange: reads the requests of one connection, one after another.

May know request messages. Where a request is sent is the listener's business; bytes and states are `connection`'s.
While a request is being answered, nothing more is read. What had come by then is put aside, and parsed in its turn.
"""

from __future__ import annotations

import asyncio
from typing import Final, final

from proxy.http1.connection import BODY, BUSY, ENDING, HEAD, TUNNEL, Connection
from proxy.http1.exchange import Exchange
from proxy.http1.message.answers import ESTABLISHED, options_response, problem_response
from proxy.http1.message.bodies import Body, request_body
from proxy.http1.message.heads import HeadReader
from proxy.http1.message.request import Request, check_request_line
from proxy.http1.upstream import UpstreamConnection
from proxy.listener.listener import Listener
from proxy.listener.listener_rules import ListenerRules
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.problem import problem_of
from proxy.transport.deadlines import NEVER
from proxy.transport.flow import BEHIND
from proxy.transport.tunnel import End, FarEnd, open_tunnel
from proxy.transport.turns import FULL_READ_BYTES

_PIECE_BYTES: Final = 16 * 1024  # of what was put aside, read at once
_BEGUN_BYTES: Final = 16  # room for a method behind the empty lines that may stand before it

# A client that has just connected is about to send a request. Once the listener is shut, it is waited for so long.
_FIRST_REQUEST_S: Final = 1.0


@final
class ClientConnection(Connection):
    """One connection from a client, and its requests."""

    __slots__ = ("_begun", "_body", "_exchange", "_has_asked", "_listener", "_reader", "_request")

    def __init__(self, listener: Listener) -> None:
        super().__init__(listener.ticker, listener.outbox)
        self._listener = listener
        self._reader = HeadReader(listener.rules.head_limits, check_request_line)
        self._begun = b""  # the first bytes of a head that is not whole, or was refused
        self._has_asked = False  # a head came whole, now or before
        self._body: Body | None = None
        self._request: Request | None = None  # the one that was read last, until it is answered
        self._exchange: Exchange | None = None

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._take_transport(transport)
        if not self._listener.admit(self):
            self._state = ENDING
            self.transport.abort()
            return
        super().use(self._listener.rules)
        self.deadline = self._ticker.now + self._timeouts.idle_s
        if self._listener.is_draining:
            self.shut()

    def data_received(self, data: bytes) -> None:
        state = self._state
        if state == HEAD:
            self._read_head(data)
        elif state == BODY:
            self._read_body(data)
        elif state == BUSY:
            self._put_aside(data)
        elif len(data) >= FULL_READ_BYTES:  # ENDING: it is thrown away, but not as fast as it comes
            self._read_later()

    def eof_received(self) -> bool:
        self._saw_eof = True
        return self._is_due or self._read_eof()  # what came before is read first

    def connection_lost(self, exc: Exception | None) -> None:
        self.deadline = NEVER
        exchange, self._exchange = self._exchange, None
        if exchange is not None and self._state != TUNNEL:
            exchange.abandon()
            gone = Refusal(Fault.CLIENT_GONE, "the client went away")
            stopped = Refusal(Fault.STOPPED, "the sidecar stopped before the exchange was over")
            self._listener.record(self, exchange.request, exchange, stopped if self._listener.is_stopped else gone)
        self._state = ENDING
        self._listener.forget(self)

    def pause_writing(self) -> None:
        self._flow.stall()
        if self._state == BUSY or self._is_held():
            self.deadline = self._ticker.now + self._timeouts.idle_s
        if self._exchange is not None:
            self._exchange.on_client_full(True)

    def resume_writing(self) -> None:
        self._flow.unstall()
        if self._state == BUSY or self._is_held():
            self.deadline = NEVER
        if self._exchange is not None:
            self._exchange.on_client_full(False)
        elif self._state == BUSY:
            self.exchange_over(keep_alive=True)  # the answer was whole; we only waited for the client to read it

    def on_deadline(self) -> None:
        if self._is_due:  # it is we who have yet to read
            self.deadline = self._ticker.now + self._timeouts.idle_s
        elif self._state == HEAD:
            if self._begun:
                text = f"the request head was not complete within {self._timeouts.header_read_s:g} s"
                self.refuse(Refusal(Fault.REQUEST_TIMEOUT, text))
            elif not self._has_unread():
                self._close()
        elif self._state == BODY and not (self._is_held() and self._flow.is_stalled):
            text = f"no byte of the request body came for {self._timeouts.body_read_s:g} s"
            self.refuse(Refusal(Fault.REQUEST_TIMEOUT, text))
        elif self._flow.has_moved():
            self.deadline = self._ticker.now + self._timeouts.idle_s  # slow, but it does read
        else:
            self.transport.abort()

    # --- reading

    def _read_head(self, data: bytes) -> None:
        try:
            parsed = self._reader.feed(data, self._listener.rules.kinds)
            if parsed is None:
                if self._reader.is_started:  # an empty line does not start a head: old clients send one behind a body
                    if not self._begun:
                        self.deadline = self._ticker.now + self._timeouts.header_read_s
                    self._begun = (self._begun + data)[:_BEGUN_BYTES]
                return
            self.deadline = NEVER
            line, fields, rest = parsed
            self._state = BUSY
            self._has_asked = True
            self._request = request = self._listener.read(line, fields)
            if self._begun:
                self._begun = b""
                self._reader = HeadReader(self._listener.rules.head_limits, check_request_line)  # new ones, maybe
            if rest and not request.has_body:
                self._put_back(rest)
                rest = b""
            if request.method == b"CONNECT":
                self._listener.connect(self, request)
            elif request.max_forwards == 0:  # OPTIONS, which goes no further (RFC 9110, 7.6.2)
                keep_alive = request.keep_alive and not request.has_body and self.is_keeping()
                self.write(options_response(self.date, close=not keep_alive))
                self._listener.record(self, request, None, None)
                self.exchange_over(keep_alive=keep_alive)
            elif request.has_body:
                self._begin_body(*self._listener.open(self, request), rest)
            else:
                self._exchange, head = self._listener.open(self, request)
                self._exchange.begin(head, b"", True, [])
        except Refusal as refusal:
            self._begun = (self._begun + data)[:_BEGUN_BYTES]
            self.refuse(refusal)

    def _begin_body(self, exchange: Exchange, head: bytes, rest: bytes) -> None:
        request = exchange.request
        self._exchange = exchange  # first of all: `refuse` has to find it where its body is refused at once
        rules = self._listener.rules
        self._body = request_body(request.length, request.chunked, rules.kinds, rules.plan.limits.body_bytes)
        exchange.begin(head, *self._take(rest))

    def _read_body(self, data: bytes) -> None:
        try:
            content, done, trailers = self._take(data)
        except Refusal as refusal:
            self.refuse(refusal)
            return
        if self._exchange is not None and (content or done):
            self._exchange.send_content(content, done, trailers)

    def _take(self, data: bytes) -> tuple[bytes, bool, list[bytes]]:
        """The content in `data`, whether the body ends there, its trailers. Afterwards the state is BODY or BUSY."""
        body = self._body
        assert body is not None
        content, rest = body.feed(data)
        if rest is None:
            self._state = BODY
            self.deadline = self._ticker.now + self._timeouts.body_read_s
            if body.is_behind or not self._aside.is_empty or len(data) >= FULL_READ_BYTES:
                self._read_later()
            return content, False, body.trailers
        self._state = BUSY
        stalled = self._flow.is_stalled  # by an early answer
        self.deadline = self._ticker.now + self._timeouts.idle_s if stalled else NEVER
        self._body = None
        if rest:
            self._put_back(rest)
        return content, True, body.trailers

    def _read_eof(self) -> bool:
        """The client has ended its side. False where nothing is left to do, and the transport may close."""
        if self._state == BODY or (self._state == HEAD and self._reader.is_started):
            self.refuse(Refusal(Fault.INCOMPLETE_REQUEST, "the client ended the connection in mid-request"))
            return True
        # The client will send no more, but a request that came whole is still answered.
        if self._state == BUSY or not self._aside.is_empty:
            return True
        self._outbox.flush()  # an answer may have come in this very turn, and False closes the transport
        return False

    # --- what an exchange asks (see exchange.Client)

    @property
    def date(self) -> bytes:
        """The time, as a Date field has it."""
        return self._listener.date()

    def is_keeping(self) -> bool:
        # Where we drain, or the client has ended its side, we still serve what has been read, and nothing more.
        return not self._aside.is_empty or not (self._listener.is_draining or self._saw_eof)

    def exchange_over(self, *, keep_alive: bool) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            self._listener.record(self, exchange.request, exchange, None)
        if self._state != BUSY or not (keep_alive and self.is_keeping()):
            self._end()
            return
        self._request = None
        self.deadline = self._ticker.now + self._timeouts.idle_s
        if self._flow.is_stalled:
            return  # the next request waits until the client has read this answer: see `resume_writing`
        self._state = HEAD
        if not self._aside.is_empty:
            # Not called from here: each request that is answered at once would make the stack deeper.
            self._read_later()
        else:
            self._flow.resume()

    def _read_on(self) -> None:
        self._is_due = False
        body = self._body
        if self._state == HEAD:
            while (
                not self._aside.is_empty and self._state == HEAD and not self._is_due
            ):  # one head, in however many pieces
                self._read_head(self._aside.take(_PIECE_BYTES))
        elif self._state == BODY and body is not None and (body.is_behind or not self._aside.is_empty):
            self._read_body(b"" if body.is_behind else self._aside.take(_PIECE_BYTES))
        if self._is_due or not self._aside.is_empty or self._state == TUNNEL:
            return
        self._flow.pause(BEHIND, False)
        if self._saw_eof and self._state != ENDING and not self._read_eof():
            self._close()

    def exchange_failed(self, refusal: Refusal, *, begun: bool) -> None:
        exchange, self._exchange = self._exchange, None
        assert exchange is not None
        self._listener.record(self, exchange.request, exchange, refusal)
        if begun:
            self._cut(ends_at_close=exchange.ends_at_close)
            return
        keep_alive = self._state == BUSY and exchange.request.keep_alive and self.is_keeping()
        self._answer(refusal, close=not keep_alive)
        self.exchange_over(keep_alive=keep_alive and exchange.request.minor == 1)

    def switch(self, upstream: UpstreamConnection, rest: bytes, idle_s: float) -> None:
        self._begin_tunnel("upgrade", upstream.detach(self._listener.count_tunnel_out, rest), idle_s)

    def _begin_tunnel(self, kind: str, far: End, idle_s: float) -> None:
        exchange, self._exchange = self._exchange, None
        listener = self._listener
        listener.record(self, self._request, exchange, None)
        listener.tunnel_opened(kind)
        open_tunnel(self._detach(listener.count_tunnel_in, self._tunnel_lost), far, self._ticker, idle_s)

    def _tunnel_lost(self, exc: Exception | None) -> None:
        self._listener.tunnel_closed()
        self.connection_lost(exc)

    def _answer(self, refusal: Refusal, *, close: bool = True) -> None:
        request = self._request  # None: its head was not read to its end
        head_only = request.method == b"HEAD" if request is not None else self._begun.lstrip(b"\r\n")[:5] == b"HEAD "
        problem = problem_of(refusal.fault, refusal.detail)
        self.write(problem_response(problem, date=self.date, head_only=head_only, close=close))

    # --- what a listener asks (see connection.Connection)

    def refuse(self, refusal: Refusal) -> None:
        if self._state == ENDING:
            return
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.abandon()
        self._listener.record(self, self._request, exchange, refusal)
        if exchange is not None and exchange.response is not None:
            self._cut(ends_at_close=exchange.ends_at_close)
        else:
            self._answer(refusal)
            self._end()

    def connected(self, far: FarEnd, idle_s: float) -> None:
        if self._state != BUSY:
            far.abort()
            return
        self.write(ESTABLISHED)
        self._begin_tunnel("connect", far.end(self._listener.count_tunnel_out), idle_s)

    @property
    def is_expecting(self) -> bool:
        return self._state == HEAD

    def use(self, rules: ListenerRules) -> None:
        super().use(rules)
        if not self._reader.is_started:  # a head that has begun is read to its end by the limits of before
            self._reader = HeadReader(rules.head_limits, check_request_line)

    def shut(self) -> None:
        if self._state != HEAD or self._reader.is_started or not self._aside.is_empty or self._has_unread():
            return
        if not self._has_asked:
            self.deadline = min(self.deadline, self._ticker.now + _FIRST_REQUEST_S)
        else:
            self._end()
