"""A client that connects with TLS, until its handshake is over.

May know sockets, transports and the listener, which admits it like any connection.
Must not know any protocol: a factory makes the client's protocol.
A slow handshake occupies its own place, and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

from proxy.listener.listener import Listener
from proxy.listener.listener_rules import ListenerRules
from proxy.listener.sides import Receiver
from proxy.transport.deadlines import NEVER
from proxy.transport.sockets import address_of, descriptor

_LAST_S: Final = 1.0  # once the listener is shut


def welcome(listener: Listener, make: Callable[[str], asyncio.Protocol]) -> asyncio.Protocol:
    """The first protocol of a new client: the present plan decides whether it uses TLS.

    `make` makes the protocol that serves it, from what TLS has agreed on (ALPN); empty for none.
    """
    context = listener.rules.plan.tls
    return make("") if context is None else Handshake(listener, make, context)


class Handshake(asyncio.Protocol):
    """A connection, as the listener sees it (`accepted.Accepted`), which owns its task."""

    is_expecting = True
    open_exchanges = 0

    def __init__(self, listener: Listener, make: Callable[[str], asyncio.Protocol], context: ssl.SSLContext) -> None:
        self._listener = listener
        self._make = make
        self._context = context
        self.address = b""
        self.deadline = NEVER

    def __repr__(self) -> str:
        return f"<Handshake with {self.address.decode('ascii') or 'unix'}>"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.address = address_of(transport.get_extra_info("peername"))
        try:
            # `start_tls` would lose bytes that the client has sent already: uvloop reads before it is told not to.
            client = socket.socket(fileno=os.dup(descriptor(transport)))
        except OSError:  # no file descriptor is left
            client = None
        transport.abort()  # type: ignore[attr-defined]
        listener = self._listener
        if client is None:
            return
        self.transport: asyncio.Transport = _Socket(client)
        if not listener.admit(self):
            client.close()
            return
        limit_s = listener.rules.plan.timeouts.header_read_s
        self.deadline = listener.ticker.now + limit_s
        if listener.is_shut:
            self.shut()
        task = asyncio.get_running_loop().create_task(self._shake_hands(client, limit_s))
        listener.handshakes.add(task)
        task.add_done_callback(listener.handshakes.discard)

    async def _shake_hands(self, client: socket.socket, limit_s: float) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(
                lambda: _Shaken(self.over), client, ssl=self._context, ssl_handshake_timeout=limit_s
            )
        except OSError:  # from TLS, the connection or the timeout: ssl.SSLError and TimeoutError are subclasses
            client.close()
        finally:
            self._listener.forget_handshake(self, is_made=False)

    def over(self, alpn: str) -> asyncio.Protocol:
        """The protocol that serves the client from here on."""
        self._listener.forget_handshake(self, is_made=True)
        return self._make(alpn)

    # --- what a listener asks (see accepted.Accepted)

    def receivers(self) -> list[Receiver]:
        """None yet."""
        return []

    def on_deadline(self) -> None:
        """The client was too slow."""
        self.deadline = NEVER
        self.transport.abort()

    def use(self, rules: ListenerRules) -> None:
        """A handshake keeps its old limits."""

    def close_tunnel(self) -> None:
        """It is none."""

    def shut(self) -> None:
        """Its request may be on its way, as with any new client."""
        self.deadline = min(self.deadline, self._listener.ticker.now + _LAST_S)


class _Shaken(asyncio.Protocol):
    """The transport's protocol until TLS is established; then the client's protocol replaces it."""

    def __init__(self, over: Callable[[str], asyncio.Protocol]) -> None:
        self._over = over

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        tls: Any = transport.get_extra_info("ssl_object")
        protocol = self._over(tls.selected_alpn_protocol() or "")
        transport.set_protocol(protocol)
        protocol.connection_made(transport)


class _Socket(asyncio.Transport):
    """The few methods of a transport that a listener needs."""

    def __init__(self, client: socket.socket) -> None:
        super().__init__()
        self._client = client

    def abort(self) -> None:
        """Let the handshake fail."""
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)

    def get_write_buffer_size(self) -> int:
        """We have no bytes to send."""
        return 0
