"""The client's side of an exchange, in HTTP/2: one stream of a connection (`client`), from its request to its answer.

It takes what comes on its stream, and is the `Asker` of its exchange. `client_waits` has its times.
May know messages. The listener decides where the request goes.
"""

from __future__ import annotations

from typing import final

from proxy.compiling import mypyc_attr
from proxy.http2.client_tunnel import TunnelAsker
from proxy.http2.client_waits import ClientSide
from proxy.http2.engine.heads import ResponseHead
from proxy.http2.engine.streams import Stream, StreamUser
from proxy.http2.hpack.field import HeaderField
from proxy.http2.message.request import Request
from proxy.http2.message.write import call_refusal, problem, response_fields
from proxy.listener.exchange import Exchange
from proxy.listener.translation import trace_line
from proxy.plan import Address
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.request import CALL
from proxy.semantics.response import Response
from proxy.transport.deadlines import NEVER
from proxy.transport.processes import Ends, ends


@final
@mypyc_attr(free_list_len=1)
class ClientStream(TunnelAsker, StreamUser):
    """One request, and its answer."""

    __slots__ = ()

    def __init__(
        self, connection: ClientSide, stream: Stream, address: bytes, port: int, names: tuple[str, ...]
    ) -> None:
        super().__init__(connection, stream, address, port, names)
        stream.user = self

    def __repr__(self) -> str:
        return f"<ClientStream {self._stream!r}>"

    def ends(self) -> Ends | None:
        return ends(self._connection.transport)

    def original(self) -> Address | None:
        return self._connection.original

    # --- the request

    def begin(self, request: Request, exchange: Exchange, done: bool) -> None:
        """It goes on with `set_off`."""
        self._request = request
        self._exchange = exchange
        self._is_complete = done
        if request.call_s >= 0:
            self._expires_at = self._connection.now + request.call_s
        if not done:
            self._wait_for_content()
        exchange.request_done = done

    def set_off(self) -> None:
        """All that came with the request has been read; some of it may have ended it."""
        if self._exchange is not None:
            self._exchange.set_off()

    def note(self, request: Request) -> None:
        """It has been read, and may be refused."""
        self._request = request

    def on_content(self, content: bytes, done: bool) -> None:
        """Content of the request."""
        if self._is_for_tunnel:
            self.keep(content, done)
            return
        self._came_bytes += len(content)
        connection = self._connection
        most = connection.limits.body_bytes
        if most and self._came_bytes > most:
            self.refuse(Refusal(Fault.BODY_TOO_LARGE, f"the request's content has more than {most} bytes"))
            return
        self._came(done)
        if self._exchange is not None:
            self._exchange.send_content(content, done, [])

    def on_trailers(self, fields: list[HeaderField]) -> None:
        """The end of the request."""
        if self._is_for_tunnel:
            self.keep(b"", True)
            return
        self._came(True)
        if self._exchange is not None:
            self._exchange.send_content(b"", True, self._connection.trailers.lines(fields))

    def on_full(self, full: bool) -> None:
        """The client takes its answer more slowly than it comes."""
        if full:
            self._stalled_at = self._connection.now + self._connection.timeouts.idle_s
            self._left_bytes = self._stream.queued_bytes
        else:
            self._stalled_at = NEVER
        if self._exchange is not None:
            self._exchange.on_client_full(full)
        elif not full:
            self._connection.stream_over(self)

    def on_reset(self, code: int, unheard: bool, detail: str) -> None:
        """The client has taken its request back, or is gone; or it has broken a rule."""
        exchange, self._exchange = self._exchange, None
        self._connection.stream_over(self)
        listener = self._connection.listener
        if listener.is_stopped:
            refusal = Refusal(Fault.STOPPED, "the sidecar stopped before the exchange was over")
        else:
            refusal = Refusal(Fault.CLIENT_GONE, detail)
        if exchange is not None:
            exchange.abandon()
            self._unpin()
            listener.record(exchange, self, refusal)
        elif self._request is not None and self._request.method == b"CONNECT":
            listener.give_up(self)
            listener.record_refused(self._request, self.address, refusal)

    def on_interim(self, head: ResponseHead) -> None:
        """Clients answer nothing."""

    def on_response(self, head: ResponseHead, done: bool) -> None:
        """Clients answer nothing."""

    # --- what an exchange asks (see sides.Asker)

    def answer(self, response: Response, content: bytes, done: bool, trailers: list[bytes]) -> None:
        exchange, connection = self._exchange, self._connection
        assert exchange is not None
        if self._is_for_tunnel and response.status < 300:  # to a CONNECT that would be a yes
            text = f"the upstream answered {response.status} to an Upgrade, and did not switch"
            self.refuse(Refusal(Fault.BAD_UPGRADE, text))
            return
        terms = exchange.terms
        self._is_answered = True
        is_call = exchange.request.pace == CALL
        trace = b""
        if terms.trace_field:
            trace = trace_line(terms.metrics.translation, terms.trace_field, exchange.translation)
        date = b"" if is_call or response.has_date() else connection.listener.date()  # RFC 9110, 6.6.1
        fields, literals = response_fields(response, terms.response_via, date, trace)
        stream = self._stream
        is_last = done and not trailers
        stream.send_headers(fields, literals, is_last and not content)
        if content:
            stream.send(content, is_last)
        if trailers:
            stream.send_headers(connection.trailers.fields(trailers), [], True)

    def answer_content(self, content: bytes, done: bool, trailers: list[bytes]) -> None:
        stream = self._stream
        if self._stalled_at != NEVER:
            self._left_bytes += len(content)  # else it would look as if the client had taken less
        if not trailers:
            if content or done:
                stream.send(content, done)
            return
        if content:
            stream.send(content, False)
        stream.send_headers(self._connection.trailers.fields(trailers), [], True)

    def answer_interim(self, response: Response) -> None:
        fields, literals = response_fields(response, b"", b"", b"")
        self._stream.send_headers(fields, literals, False)

    def hold(self, held: bool) -> None:
        if self._is_for_tunnel:
            return  # what comes before there is one is bounded by the stream's window
        self._is_held = held
        if held:
            self._silent_at = self._judged_at = NEVER
        elif not self._is_complete:
            self._wait_for_content()
        self._stream.hold(held)

    def exchange_over(self) -> None:
        exchange, self._exchange = self._exchange, None
        assert exchange is not None
        self._unpin()
        self._connection.listener.record(exchange, self, None)
        self._expires_at = self._silent_at = self._judged_at = NEVER
        if self._stalled_at == NEVER:  # else the client has not taken all of it
            self._connection.stream_over(self)

    def exchange_failed(self, refusal: Refusal, cut: bool) -> None:
        exchange, self._exchange = self._exchange, None
        assert exchange is not None
        self._unpin()
        self._connection.listener.record(exchange, self, refusal)
        self._answer_refusal(refusal, exchange)

    def _unpin(self) -> None:
        """Streams are no connections: nobody logs in on one."""
        pinned, self.pinned = self.pinned, None
        if pinned is not None:
            pinned.close()

    # --- what a listener asks

    def refuse(self, refusal: Refusal) -> None:
        listener = self._connection.listener
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            listener.record_refused(self._request, self.address, refusal)
        else:
            exchange.abandon()
            self._unpin()
            listener.record(exchange, self, refusal)
        self._answer_refusal(refusal, exchange)

    # --- the sidecar's own answers

    def _answer_refusal(self, refusal: Refusal, exchange: Exchange | None) -> None:
        """Answer so; where an answer has begun, end it so that nobody takes it for whole."""
        connection, stream, request = self._connection, self._stream, self._request
        connection.stream_over(self)
        listener = connection.listener
        tells = listener.rules.plan.details
        is_call = request is not None and request.pace == CALL
        if self._is_answered:
            if is_call and refusal.fault is not Fault.STREAM_RESET:
                _, literals = call_refusal(refusal, details=tells, date=listener.date())
                stream.send_headers([], literals, True)
            else:
                stream.reset(refusal.http2_code)
        elif is_call and refusal.fault is Fault.STREAM_RESET:
            stream.reset(refusal.http2_code)  # gRPC says what each code means
        elif is_call:
            fields, literals = call_refusal(refusal, details=tells, date=listener.date())
            stream.send_headers(fields, literals, True)
        else:
            trace = b""
            if exchange is not None and exchange.terms.trace_field:
                terms = exchange.terms
                trace = trace_line(terms.metrics.translation, terms.trace_field, exchange.translation)
            fields, literals, content = problem(refusal, details=tells, date=listener.date(), trace=trace)
            is_head = request is not None and request.method == b"HEAD"
            stream.send_headers(fields, literals, is_head)
            if not is_head:
                stream.send(content, True)
