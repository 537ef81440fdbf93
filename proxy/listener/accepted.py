"""A client's connection, as the listener sees it: one for each socket, with any number of requests.

May know transports and the listener's rules. Must not know requests: see `sides.Asker`.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from proxy.listener.listener_rules import ListenerRules
from proxy.listener.sides import Receiver


class Accepted(Protocol):
    """What a listener asks of each connection. Not on the path of requests, so calls by name are cheap enough."""

    transport: asyncio.Transport
    address: bytes  # of the client; empty on a Unix socket
    deadline: float

    @property
    def is_expecting(self) -> bool:
        """Whether it still waits for a request, or for the rest of one."""

    @property
    def open_exchanges(self) -> int:
        """How many of its requests are being answered. A tunnel is one, too."""

    def receivers(self) -> list[Receiver]:
        """Those of its requests that are exchanges, and those that have become tunnels."""

    def on_deadline(self) -> None:
        """The expected event did not come in time."""

    def use(self, rules: ListenerRules) -> None:
        """Use the limits and timeouts of `rules` from now on."""

    def close_tunnel(self) -> None:
        """End the tunnel that it has become, if it has."""

    def shut(self) -> None:
        """Take no further request: close now if idle for long, else after the response.

        A first request, or the next of a busy client, may be on its way: it has a moment to come.
        """
