"""A client's connection of HTTP/2: its streams, its deadlines, its end. A listener knows it as `accepted.Accepted`.

May know messages. The listener decides where requests go; `client_stream` answers them.

How it ends: GOAWAY announces that (last id 2^31-1), a moment later another has the last id that is served, and the
connection closes behind the last stream (RFC 9113, 6.8).

A request is sent on when the turn's input is read (`flush`): what its client takes back in the same read costs the
upstream nothing, neither a request nor a connection.
"""

from __future__ import annotations

import asyncio
from typing import Final, final

from proxy.http2.client_limits import check_limits, reset_budget
from proxy.http2.client_stream import ClientStream
from proxy.http2.client_waits import ClientSide, TimedAsker
from proxy.http2.engine.budgets import Budgets
from proxy.http2.engine.codes import NO_ERROR
from proxy.http2.engine.fields import FieldJudge
from proxy.http2.engine.heads import RequestHead
from proxy.http2.engine.limits import Limits
from proxy.http2.engine.server import ServerEngine
from proxy.http2.engine.streams import Stream
from proxy.http2.flushing import Flusher
from proxy.http2.message.request import Request, read_request
from proxy.http2.message.trailers import Trailers
from proxy.http2.message.write import options_answer
from proxy.listener.dispatch import open_exchange
from proxy.listener.listener import Listener
from proxy.listener.listener_rules import ListenerRules
from proxy.listener.sides import Receiver
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.problem import ALLOW
from proxy.semantics.request import TUNNEL
from proxy.telemetry.metrics import count
from proxy.transport.certificates import certificate_names
from proxy.transport.deadlines import NEVER
from proxy.transport.original import original_destination
from proxy.transport.sockets import address_of

_LAST_REQUESTS_S: Final = 0.25  # for those that are on their way while GOAWAY is
_LAST_BYTES_S: Final = 3.0  # for a client to read our last ones


@final
class ClientConnection(ClientSide):
    """One connection from a client, and its streams."""

    __slots__ = (
        "_budgets",
        "_final_at",
        "_idle_at",
        "_is_announced",
        "_is_final",
        "_is_greeted",
        "_names",
        "_server",
        "_setting_off",
        "_under_way",
        "address",
        "deadline",
        "port",
    )

    _server: ServerEngine

    def __init__(self, listener: Listener, flusher: Flusher, trailers: Trailers, budgets: Budgets) -> None:
        super().__init__(listener.ticker, flusher)
        self.listener = listener
        self.trailers = trailers
        self._budgets = budgets
        self._under_way = 0  # requests, until nothing is left to do for them
        self.tunnels = set()
        self._setting_off: list[ClientStream] = []  # those whose requests have come in this turn
        self._names: tuple[str, ...] = ()
        self.address = b""
        self.port = 0
        self.deadline = NEVER  # every tick, once it is admitted
        self._idle_at = NEVER  # when it will have been idle for too long
        self._final_at = NEVER  # when to say which request was the last
        self._is_announced = False  # GOAWAY has been sent
        self._is_final = False  # and the one with the last id
        self._is_greeted = False  # the client has begun with its preface and settings
        self.keep_to(listener.rules)

    def __repr__(self) -> str:
        peer = self.address.decode("ascii") or "unix"
        leaving = ", leaving" if self._is_announced else ""
        return f"<ClientConnection {peer}, HTTP/2, {self._under_way} streams{leaving}>"

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._take_transport(transport)
        peer = transport.get_extra_info("peername")
        self.address = address_of(peer)
        self.port = int(peer[1]) if isinstance(peer, tuple) else 0
        self._names = certificate_names(transport.get_extra_info("peercert"))
        rules = self._rules
        self.original = original_destination(transport) if rules.is_transparent else None
        limits = rules.plan.limits
        self._server = ServerEngine(
            self,
            Limits(
                max_streams=limits.streams,
                header_list_bytes=limits.header_bytes + limits.header_count * 32,  # each field counts 32 more (6.5.2)
                extended_connect=True,
            ),
            FieldJudge(rules.kinds, True),
            reset_budget(self.address, rules.plan.clients, self.listener.bounds, self._budgets),
        )
        self.engine = self._server
        if not self.listener.admit(self):
            self.is_closed = True
            self.transport.abort()
            return
        self.count_in(rules.metrics.http2)
        self.transport.set_write_buffer_limits(high=limits.buffer_bytes)
        now = self._ticker.now
        self.deadline = now
        self._idle_at = now + self.timeouts.header_read_s  # for its preface
        self._server.start()
        if self.listener.is_shut:
            self.shut()

    def _on_lost(self, exc: Exception | None) -> None:
        self.deadline = NEVER
        self.listener.forget(self)

    # --- what the engine tells (see engine.owner)

    def on_request(self, stream: Stream, head: RequestHead, done: bool) -> None:
        asker = ClientStream(self, stream, self.address, self.port, self._names)
        self._under_way += 1
        listener = self.listener
        rules = listener.rules
        try:
            request = read_request(head, rules.kinds, rules.read_authority, done)
            asker.note(request)
            check_limits(request, rules.plan.limits)
            if self.is_tls:
                request.scheme = "https"
            rules.check(request)
            if request.method == b"CONNECT" and head.protocol is None:
                asker.wait_for_tunnel(done)
                listener.connect(asker, request)
                return
            if request.max_forwards == 0:
                self._answer_options(asker, stream, request)
                return
            exchange = open_exchange(listener, asker, request)
        except Refusal as refusal:
            asker.refuse(refusal)
            return
        if request.pace == TUNNEL and not exchange.terms.is_http2_alone:
            asker.begin_upgrade(exchange, done)
        else:
            asker.begin(request, exchange, done)
        setting_off = self._setting_off
        if not setting_off:
            self.wants_flush()
        setting_off.append(asker)
        if listener.is_draining and not self._is_announced:
            self._announce()

    def _answer_options(self, asker: ClientStream, stream: Stream, request: Request) -> None:
        """RFC 9110, 7.6.2."""
        fields, literals = options_answer(ALLOW, self.listener.date())
        stream.send_headers(fields, literals, True)
        self.listener.record_answered(request, self.address)
        self.stream_over(asker)

    def on_oversized(self, stream: Stream, done: bool) -> None:
        asker = ClientStream(self, stream, self.address, self.port, self._names)
        self._under_way += 1
        limits = self._rules.plan.limits
        text = f"the header fields have more than {limits.header_bytes} bytes"
        asker.refuse(Refusal(Fault.HEADERS_TOO_LARGE, text))

    def on_settings(self) -> None:
        if not self._is_greeted:
            self._is_greeted = True
            if not self._under_way:
                self._idle_at = self._ticker.now + self.timeouts.idle_s

    def on_stream_over(self) -> None:
        if self._is_final:
            self._close_if_done()

    def on_goaway(self, code: int, detail: bytes) -> None:
        """The client takes no pushes, which we never make."""
        self._count_goaway(code, True)

    def on_failed(self, code: int, detail: str) -> None:
        self._count_goaway(code, False)
        if code != NO_ERROR:
            count(self._rules.metrics.protocol_errors, Fault.BAD_REQUEST.label)
        self.wants_flush()

    def on_malformed(self, code: int, detail: str) -> None:
        count(self._rules.metrics.protocol_errors, Fault.BAD_REQUEST.label)

    def flush(self) -> None:
        if self._setting_off:  # first, so that what we answer at once goes out with the rest
            setting_off, self._setting_off = self._setting_off, []
            for asker in setting_off:
                asker.set_off()
        super().flush()

    # --- what its streams tell

    def stream_over(self, stream: TimedAsker) -> None:
        if not stream.is_under_way:
            return
        stream.is_under_way = False
        self._under_way -= 1
        self.tunnels.discard(stream)
        if not self._under_way:
            self._idle_at = self._ticker.now + self.timeouts.idle_s
            self._close_if_done()

    # --- what a listener asks (see accepted.Accepted)

    @property
    def is_expecting(self) -> bool:
        return not (self._is_final or self.is_closed)

    @property
    def open_exchanges(self) -> int:
        return self._under_way

    def receivers(self) -> list[Receiver]:
        users = [stream.user for stream in self.engine.streams.values()]
        found = [user.receiver for user in [*users, *self.tunnels] if isinstance(user, ClientStream)]
        return [each for each in found if each is not None]

    def on_deadline(self) -> None:
        """A tick."""
        now = self._ticker.now
        self._count_streams()
        if self.is_closed:
            if now >= self._idle_at:
                self.transport.abort()
            return
        self._flusher.begin()
        try:
            for stream in list(self.engine.streams.values()):
                user = stream.user
                if isinstance(user, ClientStream):
                    user.on_tick(now)
            if now >= self._final_at:
                self._say_last()
            elif now >= self._idle_at and not self._under_way and not self.engine.is_failed:
                self._server.fail(NO_ERROR, "idle")
            self._check_peer()
        finally:
            self._flusher.end()

    def use(self, rules: ListenerRules) -> None:
        self.keep_to(rules)
        self._server.judge_by(FieldJudge(rules.kinds, True))
        if not self.transport.is_closing():
            self.transport.set_write_buffer_limits(high=rules.plan.limits.buffer_bytes)

    def close_tunnel(self) -> None:
        for stream in list(self.tunnels):
            stream.close_tunnel()

    def shut(self) -> None:
        if self.is_closed or self.engine.is_failed:
            return
        if not self._is_announced:
            self._announce()
        if self._final_at == NEVER and not self._is_final:
            self._final_at = self._ticker.now + _LAST_REQUESTS_S

    def _announce(self) -> None:
        self._is_announced = True
        self._server.goaway(False)

    def _say_last(self) -> None:
        self._final_at = NEVER
        self._is_final = True
        self._server.goaway(True)
        self._close_if_done()

    def _close_if_done(self) -> None:
        """Behind the last stream of a connection that takes no more."""
        if self._is_final and not self._under_way and self.engine.is_idle and not self.engine.is_failed:
            self._server.fail(NO_ERROR, "")

    def _close(self) -> None:
        self._idle_at = self._ticker.now + _LAST_BYTES_S
        super()._close()
