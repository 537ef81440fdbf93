"""The listeners that serve health and metrics where others can reach them: opened, kept and closed with each plan.

May know addresses and servers. Must not know what they serve.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from proxy.plan import Address

PUBLIC = "admin, public"  # among the names of listeners; none of them has a comma


class Server(Protocol):
    """One server at one address: see `proxy.admin.server.AdminServer`."""

    async def listen(self, address: Address, *, reuse_port: bool = False) -> Address: ...
    def pass_on(self) -> None: ...
    async def close(self) -> None: ...


Servers = dict[Address, tuple[Server, Address]]  # by what the plan says: each with the address that it has


class Opened:
    """The servers that a plan wants, those that were there already among them. Neither used nor given up yet."""

    def __init__(self, owner: PublicListeners, servers: Servers, new: Sequence[Server]) -> None:
        self._owner = owner
        self._servers = servers
        self._new = new

    def use(self) -> list[Server]:
        """From now on these count. Returns those that are wanted no more."""
        return self._owner._use(self._servers)

    async def close_others(self) -> None:
        """As `use`, and close those that are wanted no more."""
        for server in self.use():
            await server.close()

    async def give_up(self) -> None:
        """The plan is not used: close what was opened for it."""
        for server in self._new:
            await server.close()


class PublicListeners:
    """Those of one sidecar."""

    def __init__(self, make: Callable[[], Server]) -> None:
        self._make = make
        self._servers: Servers = {}

    def addresses(self) -> tuple[Address, ...]:
        """Where they listen, with the real port if 0 was asked."""
        return tuple(bound for _, bound in self._servers.values())

    async def open(self, addresses: Sequence[Address], *, reuse_port: bool) -> Opened:
        """Open what is not open yet. Raises StartError, and then nothing has changed."""
        new: Servers = {}
        for address in addresses:
            if address in self._servers:
                continue
            server = self._make()
            try:
                new[address] = server, await server.listen(address, reuse_port=reuse_port)
            except BaseException:
                for one, _ in new.values():
                    await one.close()
                raise
        kept = {address: found for address, found in self._servers.items() if address in addresses}
        return Opened(self, kept | new, [server for server, _ in new.values()])

    def _use(self, servers: Servers) -> list[Server]:
        gone = [server for address, (server, _) in self._servers.items() if address not in servers]
        self._servers = servers
        return gone

    def pass_on(self) -> None:
        """Leave new connections to another process that listens there."""
        for server, _ in self._servers.values():
            server.pass_on()

    async def close(self) -> None:
        """Close them all."""
        for server, _ in self._servers.values():
            await server.close()
