"""Host names to addresses, remembered for a while. May know the event loop's resolver; must not know connections."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection
from functools import partial
from typing import Final

from ops_lib.hosts import read_host
from proxy.semantics.faults import Fault, Refusal
from proxy.transport.deadlines import NEVER

MAX_LOOKUPS: Final = 256  # names that are being looked up at a time
_PATIENCE_S: Final = 1.0  # how long to wait for a new answer if there is an old one
_ANEW_EVERY_S: Final = 1.0  # if the last extra look-up has found nothing new


def literal_address(host: str) -> str | None:
    """The address that `host` is, in any spelling that a resolver takes for one; a zone stays. None for a name."""
    _, address = read_host(host)
    return None if address is None else host if "%" in host else str(address)


class Lookups:
    """The look-ups under way: one for each name, for all who wait for it.

    The system's look-up cannot be cancelled.
    A name that hangs occupies a thread until the system gives up, so requests share one look-up.
    """

    def __init__(self) -> None:
        self._under_way: dict[str, asyncio.Task[tuple[str, ...]]] = {}

    def begin(self, host: str) -> asyncio.Task[tuple[str, ...]]:
        """The look-up of `host`.
        Its result is the addresses, in the system's order, or an OSError or UnicodeError.
        Raises Refusal if too many are under way.
        """
        task = self._under_way.get(host)
        if task is None:
            if len(self._under_way) >= MAX_LOOKUPS:
                raise Refusal(Fault.DNS_ERROR, f"{MAX_LOOKUPS} names are being looked up already")
            task = self._under_way[host] = asyncio.get_running_loop().create_task(_look_up(host))
            task.add_done_callback(partial(self._ended, host))
        return task

    def is_under_way(self, host: str) -> bool:
        """Whether `host` is being looked up."""
        return host in self._under_way

    def _ended(self, host: str, task: asyncio.Task[tuple[str, ...]]) -> None:
        del self._under_way[host]
        if not task.cancelled():
            task.exception()  # those who waited know; perhaps nobody was left

    async def stop(self) -> None:
        """Stop waiting for all of them."""
        tasks = tuple(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _look_up(host: str) -> tuple[str, ...]:
    found = await asyncio.get_running_loop().getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


class Resolver:
    """The addresses of one host.
    The last ones stay valid until there is a new answer, so a DNS outage does not take upstreams down.
    """

    def __init__(self, host: str, refresh_s: float, lookups: Lookups) -> None:
        self.host = host
        self.refresh_s = refresh_s
        self._lookups = lookups
        self._literal = literal_address(host)
        self._addresses: tuple[str, ...] = ()
        self._expires = -NEVER
        self.answers = 0  # how many have come
        self._anew_from = -NEVER  # no look-up out of turn before

    def is_stale(self, now: float) -> bool:
        """Whether `addresses` would look up again."""
        return self._literal is None and now >= self._expires

    @property
    def known(self) -> tuple[str, ...]:
        """The addresses found last, without a look-up."""
        return (self._literal,) if self._literal is not None else self._addresses

    async def addresses(self) -> tuple[str, ...]:
        """All addresses of the host, in the system's order. Raises Refusal if there are none."""
        loop = asyncio.get_running_loop()
        if not self.is_stale(loop.time()):
            return self.known
        lookup = self._lookups.begin(self.host)
        await asyncio.wait({lookup}, timeout=_PATIENCE_S if self._addresses else None)
        if lookup.done():
            try:
                self._addresses = lookup.result()
                self.answers += 1
            except (OSError, UnicodeError) as error:
                if not self._addresses:
                    raise Refusal(Fault.DNS_ERROR, f"the name {self.host} has no address: {error}") from None
        self._expires = loop.time() + self.refresh_s
        return self._addresses

    async def anew(self, tried: Collection[str], answers: int) -> tuple[str, ...]:
        """Other addresses than those that were `tried` in vain: the service may have moved. Empty if there are none.

        The name is looked up out of turn, unless it has been since there were `answers`.
        While that brings nothing new, it is done once a second at most, whoever asks.
        """
        loop = asyncio.get_running_loop()
        if self.answers == answers and self._literal is None and frozenset(self._addresses) <= frozenset(tried):
            await self._ask_anew(loop)
        return tuple(ip for ip in self.known if ip not in tried)

    async def _ask_anew(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop.time() < self._anew_from and not self._lookups.is_under_way(self.host):
            return
        self._anew_from = loop.time() + _ANEW_EVERY_S
        try:
            lookup = self._lookups.begin(self.host)
            await asyncio.wait({lookup})
            found = lookup.result()
        except (OSError, UnicodeError, Refusal):
            return
        self.answers += 1
        if frozenset(found) != frozenset(self._addresses):
            self._anew_from = -NEVER
        self._addresses = found  # for as long as the former answer would have been good: see `is_stale`
