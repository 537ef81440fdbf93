"""A client's stream that asks for a tunnel: CONNECT (RFC 9113, 8.5), or a WebSocket (RFC 8441) towards HTTP/1.1.

May know messages, and tunnels. The listener makes the far connection, an exchange the far WebSocket.

What comes before there is a tunnel is kept, as much as the stream's window allows: no credit is given for it.
"""

from __future__ import annotations

from secrets import token_bytes

from proxy.http2.client_waits import ClientSide, TimedAsker
from proxy.http2.engine.heads import status_field
from proxy.http2.engine.streams import Stream
from proxy.http2.hpack.encoder import Literal
from proxy.http2.message.websocket import accepted_fields, as_upgrade
from proxy.http2.stream_transport import end_of
from proxy.listener.exchange import Exchange
from proxy.listener.sides import Answerer
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.response import Response
from proxy.transport.tunnel import End, FarEnd, open_tunnel


class TunnelAsker(TimedAsker):
    """One request that may become a tunnel."""

    __slots__ = ("_early", "_has_ended", "_is_for_tunnel", "_switched")

    def __init__(
        self, connection: ClientSide, stream: Stream, address: bytes, port: int, names: tuple[str, ...]
    ) -> None:
        super().__init__(connection, stream, address, port, names)
        self._has_ended = False  # the client's direction
        self._is_for_tunnel = False  # it has asked for one, and has none
        self._early = b""
        self._switched: Exchange | None = None  # that has become the tunnel

    def wait_for_tunnel(self, done: bool) -> None:
        """It is a CONNECT; `done`: its client sends nothing."""
        self._is_for_tunnel = True
        self._is_complete = True
        self._has_ended = done
        self._stream.hold(True)

    def keep(self, content: bytes, done: bool) -> None:
        """Bytes for the tunnel, which is not there yet; or for nobody, if there will be none."""
        self._has_ended = done
        if not self._is_answered:
            self._early += content

    def begin_upgrade(self, exchange: Exchange, done: bool) -> None:
        """A WebSocket whose upstream is not known to speak HTTP/2 alone: it is asked for by GET and Upgrade.

        It goes on with `set_off`.
        """
        request = self._request
        assert request is not None
        self._exchange = exchange
        try:
            as_upgrade(request, token_bytes(16))
        except Refusal as refusal:
            self.refuse(refusal)
            return
        self.wait_for_tunnel(done)
        exchange.request_done = True  # of the GET

    @property
    def receiver(self) -> Exchange | None:
        return self._exchange if self._exchange is not None else self._switched

    # --- there is one

    def connected(self, far: FarEnd, idle_s: float) -> None:
        stream, request = self._stream, self._request
        if stream.is_over or request is None:
            far.abort()
            return
        listener = self._connection.listener
        listener.record_answered(request, self.address)
        self._open("connect", far.end(listener.count_tunnel_out), idle_s, [])

    def switch(self, response: Response, answerer: Answerer, rest: bytes, idle_s: float) -> None:
        exchange, self._exchange = self._exchange, None
        request, listener = self._request, self._connection.listener
        assert exchange is not None and request is not None
        fields = accepted_fields(request, response)
        if fields is None:
            answerer.abort()
            self._exchange = exchange
            self.refuse(Refusal(Fault.BAD_UPGRADE, "Sec-WebSocket-Accept is not the answer to its key"))
            return
        listener.record_switch(exchange, self)
        self._switched = exchange
        self._open("upgrade", answerer.detach(listener.count_tunnel_out, rest), idle_s, fields)

    def _open(self, kind: str, far: End, idle_s: float, fields: list[Literal]) -> None:
        connection, stream = self._connection, self._stream
        listener = connection.listener
        self._is_for_tunnel = False
        self._is_answered = True
        early, self._early = self._early, b""
        near = end_of(
            stream,
            connection.transport.get_extra_info("peername"),
            early,
            saw_eof=self._has_ended,
            tell=listener.count_tunnel_in,
            on_lost=self._tunnel_lost,
        )
        stream.send_headers([status_field(200)], fields, False)
        connection.tunnels.add(self)
        listener.tunnel_opened(kind, self.address)
        self.tunnel = open_tunnel(near, far, connection.ticker, idle_s, is_websocket=kind == "upgrade")

    def _tunnel_lost(self, exc: Exception | None) -> None:
        self.tunnel = None
        self._connection.listener.tunnel_closed(self.address, self._switched)
        self._connection.stream_over(self)
