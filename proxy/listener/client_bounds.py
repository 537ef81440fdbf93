"""Counts the connections and open exchanges of each client address, if the plan limits them.

May know the plan's bounds and addresses.
Must not know connections.
Clients without an address (Unix sockets), and those named as proxies, are many clients, and never limited.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Final

from ops_lib.hosts import IPAddress, read_address
from proxy.plan import Clients
from proxy.semantics.faults import Fault, Refusal

_REMEMBERED_CLIENTS: Final = 1024


class ClientBounds:
    """The counts of one listener. It remembers an address while something of it is open."""

    __slots__ = ("_connections", "_exchanges", "_is_bounded", "_proxies", "plan")

    def __init__(self, plan: Clients) -> None:
        self.plan = plan
        self._proxies = [ipaddress.ip_network(proxy) for proxy in plan.proxies]
        self._is_bounded = lru_cache(_REMEMBERED_CLIENTS)(self._judge)
        self._connections: dict[bytes, int] = {}
        self._exchanges: dict[bytes, int] = {}

    def __len__(self) -> int:
        """The number of remembered addresses."""
        return len(self._connections.keys() | self._exchanges.keys())

    def _judge(self, client: bytes) -> bool:
        address: IPAddress | None = read_address(client.decode("ascii"))
        return address is not None and not any(address in proxies for proxies in self._proxies)

    def is_bounded(self, client: bytes) -> bool:
        """Whether `client` is one client: it has an address, and is not named as a proxy."""
        return self._is_bounded(client)

    # --- connections

    def has_room(self, client: bytes) -> bool:
        """Whether `client` may have one more connection."""
        most = self.plan.max_connections
        return not most or self._connections.get(client, 0) < most or not self._is_bounded(client)

    def connected(self, client: bytes, exchanges: int = 0) -> None:
        """It has one more, with this many open exchanges."""
        self._connections[client] = self._connections.get(client, 0) + 1
        if exchanges:
            self._exchanges[client] = self._exchanges.get(client, 0) + exchanges

    def disconnected(self, client: bytes) -> None:
        """It has one less."""
        _take_one(self._connections, client)

    # --- exchanges

    def check(self, client: bytes) -> None:
        """Whether `client` may begin one more exchange. Raises Refusal."""
        most = self.plan.max_exchanges
        if most and self._exchanges.get(client, 0) >= most and self._is_bounded(client):
            raise Refusal(Fault.CLIENT_LIMIT, f"this address has {most} requests open already")

    def began(self, client: bytes) -> None:
        """It has one more, or a tunnel."""
        self._exchanges[client] = self._exchanges.get(client, 0) + 1

    def ended(self, client: bytes) -> None:
        """It has one less."""
        _take_one(self._exchanges, client)


def _take_one(counts: dict[bytes, int], client: bytes) -> None:
    open_until_now = counts.pop(client, None)  # None: it began before anybody counted
    if open_until_now is not None and open_until_now > 1:
        counts[client] = open_until_now - 1
