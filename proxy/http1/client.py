"""The client's side of an exchange, in HTTP/1.1: reads the requests of one connection, one after another.

May know messages.
The listener decides where requests go; `connection` has bytes and states.
While a request is being answered, nothing more is read.
Bytes that came early are put aside and parsed later.
"""

from __future__ import annotations

import asyncio
from typing import Final, final

from proxy.http1.answering import BY_CLOSE
from proxy.http1.connection import BODY, BUSY, CLOSED, ENDING, FRESH, HEAD, TUNNEL, UNREAD
from proxy.http1.message.answers import ESTABLISHED
from proxy.http1.message.bodies import Body, request_body
from proxy.http1.message.head import Head
from proxy.http1.message.heads import HeadLimits, HeadReader
from proxy.http1.message.request import Request, check_request_line, read_request
from proxy.http1.message.write import switching_head
from proxy.http1.opening import Opening, Other
from proxy.http1.redirected import is_foreign
from proxy.listener.dispatch import open_exchange
from proxy.listener.exchange import Exchange
from proxy.listener.listener import Listener
from proxy.listener.listener_rules import ListenerRules
from proxy.listener.sides import Answerer, Receiver
from proxy.plan import Limits
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.response import Response
from proxy.transport.deadlines import NEVER
from proxy.transport.flow import BEHIND
from proxy.transport.tunnel import End, FarEnd, TunnelSide, open_tunnel
from proxy.transport.turns import FULL_READ_BYTES

_PIECE_BYTES: Final = 16 * 1024  # bytes put aside that are parsed at once
_BEGUN_BYTES: Final = 16  # room for a method after the empty lines allowed before it

# A client that has just connected is about to send a request. A closed listener still waits this long for it.
_FIRST_REQUEST_S: Final = 1.0
# A busy client may have sent its next one when we close, and a POST that meets our end is lost. Since the last answer.
_NEXT_REQUEST_S: Final = 0.25


def head_limits(limits: Limits) -> HeadLimits:
    """The limits of request heads."""
    return HeadLimits(
        line_bytes=limits.request_line_bytes,
        field_bytes=limits.header_bytes,
        field_count=limits.header_count,
        line_fault=Fault.TARGET_TOO_LONG,
        field_fault=Fault.HEADERS_TOO_LARGE,
        bad_fault=Fault.BAD_REQUEST,
    )


@final
class ClientConnection(Opening):
    """One connection from a client, and its requests."""

    __slots__ = ("_body", "_reader", "_switched", "_tunnel")

    def __init__(self, listener: Listener, other: Other | None = None) -> None:
        """`other`: the protocol of clients that turn out not to speak HTTP/1; None: it is not served."""
        super().__init__(listener, other)
        self._reader = self._new_reader()
        self._body: Body | None = None
        self._tunnel: TunnelSide | None = None
        self._switched: Exchange | None = None  # that has become the tunnel

    def _new_reader(self) -> HeadReader:
        return HeadReader(head_limits(self._listener.rules.plan.limits), check_request_line)

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._take_transport(transport)
        if not self._listener.admit(self):
            self._state = CLOSED
            self.transport.abort()
            return
        self._keep_to(self._listener.rules)
        self.deadline = self._ticker.now + self._idle_s
        self._look_where_to()
        if self._listener.is_shut:
            self.shut()

    def data_received(self, data: bytes) -> None:
        state = self._state
        if state == FRESH and self._other is not None:
            data = self._look_at_opening(data)
            if not data:
                return
        if state <= HEAD:
            if state == FRESH and self._original is not None and not self._begun and is_foreign(data):
                self._pass(data)
                return
            self._read_head(data)
        elif state == BODY:
            self._read_body(data)
        elif state <= UNREAD:
            self._put_aside(data)
        else:  # ENDING: bytes are discarded, but not as fast as they come
            self._linger_on()
            if len(data) >= FULL_READ_BYTES:
                self._read_later()

    def _hand_over(self, other: Other, opening: bytes) -> None:
        self._state = CLOSED  # to this protocol; the other admits it anew
        self._listener.forget_handshake(self, is_made=True)
        other.take_over(self.transport, opening)

    def eof_received(self) -> bool:
        self._saw_eof = True
        return self._is_due or self._read_eof()  # what came before is read first

    def connection_lost(self, exc: Exception | None) -> None:
        self.deadline = NEVER
        self._ticker.ends.forget(self._fd)
        self._abandon()
        self._state = CLOSED
        pinned, self.pinned = self.pinned, None
        if pinned is not None:
            pinned.close()
        self._listener.forget(self)

    def pause_writing(self) -> None:
        self._flow.stall()
        if self._state == BUSY or self._is_held():
            self.deadline = self._ticker.now + self._idle_s
        if self._exchange is not None:
            self._exchange.on_client_full(True)

    def resume_writing(self) -> None:
        self._flow.unstall()
        if self._state == BUSY or self._is_held():
            self.deadline = NEVER
        if self._exchange is not None:
            self._exchange.on_client_full(False)
        elif self._state == UNREAD:
            self._go_on()

    def on_deadline(self) -> None:
        if self._is_due:  # we are the ones who have to read
            self.deadline = self._ticker.now + self._idle_s
        elif self._state <= HEAD:
            if self._begun:
                text = f"the request head was not complete within {self._timeouts.header_read_s:g} s"
                self.refuse(Refusal(Fault.REQUEST_TIMEOUT, text))
            elif not self._has_unread():
                self._close()
        elif self._state == BODY and not (self._is_held() and self._flow.is_stalled):
            self._judge_body()
        elif self._flow.has_moved(self._least_read * self._idle_s):
            self.deadline = self._ticker.now + self._idle_s  # the client is slow, but it reads
        else:
            self._give_up_answer()
            self.transport.abort()

    # --- reading

    def _read_head(self, data: bytes) -> None:
        try:
            head = self._reader.feed(data, self._listener.rules.kinds)
            if head is None:
                if self._reader.is_started:  # an empty line does not start a head: old clients send one after a body
                    if not self._begun:
                        self.deadline = self._ticker.now + self._timeouts.header_read_s
                    self._begun = (self._begun + data)[:_BEGUN_BYTES]
                return
            self.deadline = NEVER
            self._state = BUSY
            self._request = request = self._read(head)
            if self._begun:
                self._begun = b""
                self._reader = self._new_reader()  # the limits may have changed by now
            rest = head.rest
            has_body = request.length != 0  # as its property says; for speed
            if rest and not has_body:
                self._put_back(rest)
                rest = b""
            if request.method == b"CONNECT":
                self._listener.connect(self, request)
            elif request.max_forwards == 0:
                self._answer_options(request)
                self._go_on()
            elif has_body:
                self._begin_body(request, rest)
            else:
                self._exchange = exchange = open_exchange(self._listener, self, request)
                exchange.begin(b"", True, [])
        except Refusal as refusal:
            self._begun = (self._begun + data)[:_BEGUN_BYTES]
            self.refuse(refusal)

    def _read(self, head: Head) -> Request:
        """A request, checked against the rules for every request. Raises Refusal."""
        rules = self._listener.rules
        request = read_request(head, rules.kinds, rules.read_authority)
        if rules.is_proxy and request.minor == 0:
            request.keep_alive = False  # RFC 9112, 9.3: old proxies pass on a keep-alive that they do not understand
        if self.is_tls:
            request.scheme = "https"
        rules.check(request)
        return request

    def _begin_body(self, request: Request, rest: bytes) -> None:
        # First: `refuse` needs it if its body is refused at once.
        self._exchange = exchange = open_exchange(self._listener, self, request)
        rules = self._listener.rules
        length = request.length
        self._pace_anew()
        self._body = request_body(length or 0, length is None, rules.kinds, rules.plan.limits.body_bytes)
        exchange.begin(*self._take(rest))

    def _read_body(self, data: bytes) -> None:
        try:
            content, done, trailers = self._take(data)
        except Refusal as refusal:
            self.refuse(refusal)
            return
        if self._exchange is not None and (content or done):
            self._exchange.send_content(content, done, trailers)

    def _take(self, data: bytes) -> tuple[bytes, bool, list[bytes]]:
        """The content in `data`, whether the body ends there, and its trailers. Then the state is BODY or BUSY."""
        body = self._body
        assert body is not None
        content, rest = body.feed(data)
        if rest is None:
            self._state = BODY
            self._silent_at = deadline = self._ticker.now + self._timeouts.body_read_s
            self.deadline = deadline if deadline < self._judged_at else self._judged_at
            if body.is_behind or not self._aside.is_empty or len(data) >= FULL_READ_BYTES:
                self._read_later()
            return content, False, body.trailers
        self._state = BUSY
        stalled = self._flow.is_stalled  # by an early answer
        self.deadline = self._ticker.now + self._idle_s if stalled else NEVER
        self._body = None
        if rest:
            self._put_back(rest)
        return content, True, body.trailers

    def _read_eof(self) -> bool:
        """The client has ended its side. Returns False if nothing is left to do, so the transport may close."""
        state = self._state
        if state == BODY or (state <= HEAD and self._reader.is_started):
            self.refuse(Refusal(Fault.INCOMPLETE_REQUEST, "the client closed in the middle of its request"))
            return True
        # The client will send no more. A setting says whether it still waits for an answer.
        if state == BUSY and self._abandons:
            self._leave_soon()
            return True
        if BUSY <= state <= UNREAD or not self._aside.is_empty:
            return True
        self._outbox.flush()  # an answer may come in this turn, and False would close the transport
        return False

    # --- what an exchange asks (see sides.Asker)

    def switch(self, response: Response, answerer: Answerer, rest: bytes, idle_s: float) -> None:
        exchange, self._exchange = self._exchange, None
        assert exchange is not None
        self.write(switching_head(response))
        self._listener.record_switch(exchange, self)
        self._switched = exchange
        is_websocket = response.upgrade.lower() == b"websocket"
        self._begin_tunnel("upgrade", answerer.detach(self._listener.count_tunnel_out, rest), idle_s, is_websocket)

    def _begin_tunnel(self, kind: str, far: End, idle_s: float, is_websocket: bool = False) -> None:
        listener = self._listener
        listener.tunnel_opened(kind, self.address)
        near = self._detach(listener.count_tunnel_in, self._tunnel_lost)
        self._tunnel = open_tunnel(near, far, self._ticker, idle_s, is_websocket=is_websocket)

    def exchange_over(self) -> None:
        exchange, self._exchange = self._exchange, None
        assert exchange is not None
        self._listener.record(exchange, self, None)
        self._go_on()

    def _go_on(self) -> None:
        """The answer is written. Go on with the next request, or close."""
        if self._state == BODY or not self._keeps or (self._saw_eof and self._aside.is_empty):
            self._end()
            return
        self._request = None
        self.deadline = self._ticker.now + self._idle_s
        if self._flow.is_stalled:
            self._state = UNREAD  # the next request waits until the client has read this answer (`resume_writing`)
            return
        self._state = HEAD
        if not self._aside.is_empty:
            # Not called directly: each request answered at once would make the stack deeper.
            self._read_later()
            return
        if self._flow.paused:
            self._flow.resume()
        if self._listener.is_shut:  # but the answer's head has said that the connection continues
            self.shut()

    def _read_on(self) -> None:
        self._is_due = False
        body = self._body
        if self._state <= HEAD:  # one head, in any number of pieces
            while not self._aside.is_empty and self._state <= HEAD and not self._is_due:
                self._read_head(self._aside.take(_PIECE_BYTES))
        elif self._state == BODY and body is not None and (body.is_behind or not self._aside.is_empty):
            self._read_body(b"" if body.is_behind else self._aside.take(_PIECE_BYTES))
        if self._saw_eof and self._abandons and self._state == BUSY:
            self._leave_soon()
        if self._is_due or not self._aside.is_empty or self._state == TUNNEL:
            return
        self._flow.pause(BEHIND, False)
        if self._saw_eof and self._state < ENDING and not self._read_eof():
            self._close()

    def exchange_failed(self, refusal: Refusal, cut: bool) -> None:
        exchange, self._exchange = self._exchange, None
        request = self._request
        assert exchange is not None
        assert request is not None
        self._listener.record(exchange, self, refusal)
        if cut:
            self._cut(ends_at_close=self._framing == BY_CLOSE)
            return
        keep_alive = self._state == BUSY and request.keep_alive and self.is_keeping()
        self._answer_problem(refusal, close=not keep_alive, exchange=exchange)
        self._keeps = keep_alive and request.minor == 1
        self._go_on()

    def _tunnel_lost(self, exc: Exception | None) -> None:
        self._listener.tunnel_closed(self.address, self._switched)
        self.connection_lost(exc)

    # --- what a listener asks (see sides.Asker and accepted.Accepted)

    def refuse(self, refusal: Refusal) -> None:
        if self._state >= ENDING:
            return
        if self._passes:
            self._refuse_tunnel(refusal)
            return
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            self._listener.record_refused(self._request, self.address, refusal)
        else:
            exchange.abandon()
            self._listener.record(exchange, self, refusal)
        if exchange is not None and exchange.status:  # it has been answered in part
            self._cut(ends_at_close=self._framing == BY_CLOSE)
        else:
            self._answer_problem(refusal, exchange=exchange)
            self._end()

    def connected(self, far: FarEnd, idle_s: float) -> None:
        if self._state != BUSY:
            far.abort()
            return
        if self._passes:
            self._begin_tunnel("redirected", far.end(self._listener.count_tunnel_out), idle_s)
            return
        request = self._request
        assert request is not None
        self.write(ESTABLISHED)
        self._listener.record_answered(request, self.address)
        self._begin_tunnel("connect", far.end(self._listener.count_tunnel_out), idle_s)

    @property
    def is_expecting(self) -> bool:
        return self._state <= HEAD

    @property
    def open_exchanges(self) -> int:
        return 1 if self._exchange is not None or self._state in (BUSY, TUNNEL) else 0

    def receivers(self) -> list[Receiver]:
        one = self._exchange if self._exchange is not None else self._switched
        return [one] if one is not None else []

    def use(self, rules: ListenerRules) -> None:
        self._keep_to(rules)
        if not self._reader.is_started:  # a head that has begun is read to its end by the old limits
            self._reader = self._new_reader()

    def close_tunnel(self) -> None:
        if self._tunnel is not None and self._state == TUNNEL:
            self._tunnel.close()

    def shut(self) -> None:
        if self._state > HEAD or self._reader.is_started or not self._aside.is_empty or self._has_unread():
            return
        now = self._ticker.now
        if self._state == FRESH:
            self.deadline = min(self.deadline, now + _FIRST_REQUEST_S)
            return
        answered = min(now, self.deadline - self._idle_s)
        if answered + _NEXT_REQUEST_S > now:
            self.deadline = min(self.deadline, answered + _NEXT_REQUEST_S)
        else:
            self._end()
