"""The upstream's side of an exchange, in HTTP/1.1: sends one request and reads its response, then the next.

May know messages. Must not know the client, or why a request is sent. `kept_connection` has bytes and states.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from proxy.http1.kept_connection import (
    ANSWERED,
    ASKED,
    BODY,
    DETACHED,
    HELD,
    IDLE,
    LAST,
    LOST,
    RESPONSE_TIMEOUT,
    HeldRequests,
    Keeper,
    KeptConnection,
)
from proxy.http1.message.bodies import Body, ChunkedBody, CloseBody, LengthBody
from proxy.http1.message.heads import HeadLimits, HeadReader
from proxy.http1.message.lenient import MANY_FIELDS, MOST_FIELDS, LenientHeads
from proxy.http1.message.lists import is_offered
from proxy.http1.message.response import read_response, read_start
from proxy.http1.message.write import as_chunks, request_head
from proxy.listener.sides import HEARD, PERHAPS, Receiver
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import FieldKinds
from proxy.transport.alerts import alert_detail, alert_of
from proxy.transport.aside import Aside
from proxy.transport.deadlines import NEVER, Ticker
from proxy.transport.flow import BEHIND, OTHER_SIDE_FULL
from proxy.transport.outbox import Outbox
from proxy.transport.sockets import take_unread
from proxy.transport.tunnel import End
from proxy.transport.turns import FULL_READ_BYTES

# The limits of responses. There is no setting for them, since an upstream is trusted more than a client.
RESPONSE_LIMITS: Final = HeadLimits(
    line_bytes=8 * 1024,
    field_bytes=64 * 1024,
    field_count=256,
    line_fault=Fault.RESPONSE_HEAD_TOO_LARGE,
    field_fault=Fault.RESPONSE_HEAD_TOO_LARGE,
    bad_fault=Fault.BAD_RESPONSE,
    empty_lines=0,  # bytes before a status line are not part of this response
)
_HEAD_BYTES: Final = RESPONSE_LIMITS.line_bytes + RESPONSE_LIMITS.field_bytes
_LAST_WORDS_BYTES: Final = 256 * 1024  # of an upstream that is gone
_MAX_INTERIM = 32  # 1xx responses to one request; more are a flood


@final
class UpstreamConnection(KeptConnection):
    """One connection to an upstream, its requests and their responses."""

    __slots__ = (
        "_aside",
        "_body",
        "_chunks",
        "_held",
        "_held_requests",
        "_interim",
        "_is_due",
        "_kinds",
        "_lenient",
        "_lost",
        "_outbox",
        "_reader",
    )

    def __init__(
        self, keeper: Keeper, ticker: Ticker, outbox: Outbox, held_requests: HeldRequests, kinds: FieldKinds
    ) -> None:
        """`keeper` sweeps its deadline; `kinds` are for the fields of its responses."""
        super().__init__(keeper, ticker)
        self._outbox = outbox
        self._held_requests = held_requests
        self._held = b""  # the request, in HELD
        self._kinds = kinds
        self._reader = HeadReader(RESPONSE_LIMITS, read_start)
        self._lenient: LenientHeads | None = None  # of an upstream whose responses the settings forgive
        self._body: Body | None = None
        self._interim = 0
        self._chunks = False  # the request's body is chunked
        self._aside = Aside()  # received, not yet processed
        self._is_due = False  # a later turn will read on; nothing is taken from the transport until then
        self._lost: Exception | None = None  # the error that ended the connection

    # --- what the exchange asks (see sides.Answerer)

    def ask(self, receiver: Receiver, content: bytes, done: bool, trailers: list[bytes]) -> None:
        self._receiver = receiver
        self._state = ASKED
        self._interim = 0
        self.timeout = RESPONSE_TIMEOUT
        self.served += 1
        request, terms = receiver.request, receiver.terms
        data = request_head(request, receiver.trace, terms.host(request), receiver.hop)
        self._chunks = request.length is None
        if self._chunks:
            data += as_chunks(content, done, trailers)
        elif content:
            data += content
        if terms.leniency or self._lenient is not None:
            self._be_lenient(terms.leniency, receiver.request.method)
        if self.buffer_bytes != terms.buffer_bytes:  # it last served another listener or plan
            self.buffer_bytes = terms.buffer_bytes
            self.transport.set_write_buffer_limits(high=terms.buffer_bytes)
        if self.is_unseen:
            self.is_unseen = False
            self._state = HELD
            self._held = data
            self._held_requests.hold(self)
        elif done:
            self._outbox.send(self.transport, data)
        else:
            self.transport.write(data)  # more will follow and must not overtake it

    def depart(self) -> None:
        data, self._held = self._held, b""
        if self._state == HELD and not self.transport.is_closing():
            self._state = ASKED
            self._keeper.departed()
            self.transport.write(data)

    def _take_back(self, receiver: Receiver, reason: str) -> None:
        """The connection is unfit, and the request was not sent: it goes elsewhere."""
        self._keeper.unfit(reason)
        self.abort()
        receiver.on_unsent()

    def _be_lenient(self, ways: frozenset[str], method: bytes) -> None:
        """How the next response is read. (It last served another plan, or another method.)"""
        self._lenient = LenientHeads(ways, _HEAD_BYTES, method) if ways else None
        count = MOST_FIELDS if MANY_FIELDS in ways else RESPONSE_LIMITS.field_count
        self._reader = HeadReader(RESPONSE_LIMITS._replace(field_count=count), read_start)

    def send(self, content: bytes, done: bool, trailers: list[bytes]) -> None:
        if self._state == LAST:  # nobody is there to take it; what was said before is still being read
            return
        self.transport.write(as_chunks(content, done, trailers) if self._chunks else content)

    def has_more(self) -> bool:
        return self._is_due or self.has_news()

    def end(self) -> None:
        self._receiver = None
        self._body = None
        self.deadline = NEVER
        # A full connection has told this exchange so, and would not tell the next one.
        if self.is_retired or self._flow.is_stalled:
            self.close()
            return
        self._state = IDLE
        if self._flow.paused:  # the client was too slow for the last bytes of the response
            self._flow.pause(OTHER_SIDE_FULL, False)
        if not self.is_pinned:
            self._keeper.release(self)

    def detach(self, tell: Callable[[int], None], received: bytes) -> End:
        self._receiver = None
        self._state = DETACHED
        self.deadline = NEVER
        self._keeper.detached(self)
        return End(self.transport, tell, self.connection_lost, received, self._saw_eof, self._flow.is_stalled)

    # --- asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        receiver = self._receiver
        if receiver is None:
            # Nobody asked for these bytes, so no response may be read after them.
            self.abort()
            return
        if self._state == ASKED:
            self._state = ANSWERED
        elif self._state == HELD:
            self._take_back(receiver, "surplus-bytes")
            return
        if self._is_due:  # it came although reading is paused
            self._aside.put(data)
            return
        try:
            body = self._body
            if body is None:
                self._read_head(data, receiver)
                return
            content, rest = body.feed(data)
            if rest is None:
                if body.is_behind or not self._aside.is_empty or len(data) >= FULL_READ_BYTES:
                    self._read_later()
                timeouts = receiver.terms.timeouts
                self.deadline = (
                    NEVER if self._flow.paused & OTHER_SIDE_FULL else self._ticker.now + timeouts.response_body_s
                )
                receiver.on_response_content(content, False, [])
            else:
                if rest or not self._aside.is_empty:
                    self.is_retired = True
                receiver.on_response_content(content, True, body.trailers)
        except Refusal as refusal:
            self._fail(refusal)

    def _read_later(self) -> None:
        """Read on in a later turn, and pause the transport until then."""
        if not self._is_due:
            self._is_due = True
            self._flow.pause(BEHIND, True)
            self._ticker.turns.later(self._read_on)

    def _read_on(self) -> None:
        self._is_due = False
        body = self._body
        if self._receiver is not None:  # as if it came now
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
        if self._lenient is not None:
            mended = self._lenient.feed(data)
            if mended is None:
                return
            data = mended
        head = self._reader.feed(data, self._kinds)
        if head is None:
            return
        data = head.rest
        response = read_response(head, self._kinds)
        if response.status < 200:
            if response.status == 101:
                if not (receiver.request_done and is_offered(response.upgrade, receiver.request.upgrade)):
                    raise Refusal(Fault.BAD_UPGRADE, "the upstream switched protocols without being asked")
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
        if not response.has_body(receiver.request.method):
            # A 204 that announces content (which RFC 9112, 6.3 forbids) may send it, too.
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
        elif response.length == len(data):  # the common case: everything at once
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
        if self._state != LAST:
            self._state = BODY
        if body.is_behind or len(data) >= FULL_READ_BYTES:
            self._read_later()
        self.deadline = self._ticker.now + receiver.terms.timeouts.response_body_s
        self.timeout = Fault.BODY_TIMEOUT
        receiver.on_response(response, content, False, [])

    def eof_received(self) -> bool:
        self._saw_eof = self.is_retired = True
        receiver = self._receiver
        if receiver is not None and self._state == HELD:
            self._take_back(receiver, "peer")
            return False
        if receiver is None or self._is_tls or self._is_due:
            return False
        # We cannot wait for `connection_lost`: it comes after the
        # upstream has read all our bytes, which may never happen.
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
        if self._receiver is not None:
            # What is unread behind a held request does not answer it.
            if exc is not None and not self._is_tls and before not in (HELD, LAST):
                self._take_last_words()
            is_last = self._is_due  # what came before is read first
        else:
            is_last = False
        self._state = LAST if is_last else LOST
        self._keeper.lost(self)
        if not is_last:
            self._tell_lost(before)

    def _take_last_words(self) -> None:
        """An upstream that refuses a body answers, and closes without reading it: then our next write fails.

        Its answer came before that, and waits in the kernel.
        """
        words = take_unread(self._fd, _LAST_WORDS_BYTES)
        if words:
            self._aside.put(words)
            self._is_due = True
            self._ticker.turns.later(self._read_on)

    def _tell_lost(self, before: int) -> None:
        self._state = LOST
        receiver, self._receiver = self._receiver, None
        if receiver is None:
            return
        if before == HELD:
            self._keeper.unfit("peer")
            receiver.on_unsent()
        elif isinstance(self._body, CloseBody) and self._lost is None and self._saw_eof:
            receiver.on_response_content(b"", True, [])
        else:
            self._tell_broken_off(receiver, before)

    def _tell_broken_off(self, receiver: Receiver, before: int) -> None:
        """`before`: the state in which it came."""
        if before == ASKED:
            # An upstream may close a kept connection just as we send a request on it (RFC 9112, 9.3.1).
            # This cannot happen to a connection that has served no other request.
            alert = alert_of(self._lost)
            if alert:
                refusal = Refusal(Fault.TLS_ALERT, alert_detail(alert, self.peer))
            else:
                refusal = Refusal(Fault.CONNECTION_LOST, "the upstream closed without a response")
            receiver.on_upstream_failed(refusal, PERHAPS if self.served > 1 else HEARD)
        else:
            refusal = Refusal(Fault.RESPONSE_INCOMPLETE, "the upstream closed in the middle of its response")
            receiver.on_upstream_failed(refusal, HEARD)

    def on_deadline(self) -> None:
        self.deadline = NEVER
        self._fail(Refusal(self.timeout, "the upstream took too long to answer"))

    def _fail(self, refusal: Refusal) -> None:
        receiver = self._receiver
        self.abort()
        if receiver is not None:
            receiver.on_upstream_failed(refusal, HEARD)
