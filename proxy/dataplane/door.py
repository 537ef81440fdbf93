"""A listener and the sockets at which its clients connect. A door decides which protocol a client speaks.

May know every protocol's client, and listening sockets. Doors are kept over reloads: see `DataPlane.replace_plan`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from proxy.http1.client import ClientConnection
from proxy.http1.opening import Other
from proxy.http2.pool import HTTP_2
from proxy.http2.serving import PREFACE, Http2
from proxy.listener.handshake import welcome
from proxy.listener.listener import Listener
from proxy.listener.listener_rules import ListenerRules
from proxy.plan import Address
from proxy.transport.listening import ListeningSocket, Waiting
from proxy.transport.sockets import protocols


class Door:
    """One listener that accepts clients."""

    def __init__(self, listener: Listener, http2: Http2) -> None:
        self.listener = listener
        self._http2 = http2
        self._other = Other(PREFACE, self._take_over)
        self.sockets: list[ListeningSocket] = []

    def __repr__(self) -> str:
        return f"<Door of {self.listener.name}, {self.sockets!r}>"

    def new_socket(self, bind: Address) -> ListeningSocket:
        """A socket of this door, not open yet."""
        return ListeningSocket(bind, self._accept)

    def _accept(self) -> asyncio.Protocol:
        return welcome(self.listener, self._choose)

    def _choose(self, alpn: str) -> asyncio.Protocol:
        """The protocol of a new client: by ALPN, or HTTP/1 until its first bytes are those of HTTP/2 (RFC 9113, 3)."""
        if not self.listener.rules.plan.limits.streams:
            return protocols(partial(ClientConnection, self.listener))()
        if alpn == HTTP_2:
            return protocols(partial(self._http2.connection, self.listener))()
        return protocols(partial(ClientConnection, self.listener, self._other))()

    def _take_over(self, transport: asyncio.Transport, opening: bytes) -> None:
        """A client has begun with the preface of HTTP/2."""
        connection = self._http2.connection(self.listener)
        transport.set_protocol(protocols(lambda: connection)())
        connection.connection_made(transport)
        connection.data_received(opening)

    def use(self, rules: ListenerRules, sockets: Sequence[ListeningSocket]) -> None:
        """From now on, accept at `sockets`, one for each address of `rules`, even if they come from another door."""
        self.sockets = list(sockets)
        for socket, bind in zip(self.sockets, rules.plan.binds, strict=True):
            socket.bind = bind
            socket.accept = self._accept
            socket.keep_alive(rules.plan.timeouts.tcp_keepalive_s)
        if rules is not self.listener.rules:
            self.listener.use(rules)

    def close(self) -> Waiting:
        """Accept nobody further. Returns the clients that have come by then."""
        return [waiting for socket in self.sockets for waiting in socket.close()]
