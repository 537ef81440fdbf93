"""A listener and its socket. Decides which protocol a client speaks.

May know every protocol's client, and listening sockets. Kept over reloads: see `DataPlane.replace_plan`.
"""

from __future__ import annotations

from functools import partial

from proxy.http1.client import ClientConnection
from proxy.listener.listener import Listener
from proxy.listener.listener_rules import ListenerRules
from proxy.transport.listening import ListeningSocket


class Door:
    """One listener that accepts clients."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.socket = ListeningSocket(listener.rules.plan.bind, partial(ClientConnection, listener))

    def __repr__(self) -> str:
        return f"<Door of {self.listener.name}, {self.socket!r}>"

    async def open(self) -> None:
        """Bind and accept. Raises StartError naming the listener and the address."""
        await self.socket.open(self.listener.name)
        self.socket.keep_alive(self.listener.rules.plan.timeouts.tcp_keepalive_s)

    def use(self, rules: ListenerRules) -> None:
        """Serve by `rules` from now on, even if their name or address is another one."""
        self.socket.bind = rules.plan.bind
        self.socket.keep_alive(rules.plan.timeouts.tcp_keepalive_s)
        self.listener.use(rules)
