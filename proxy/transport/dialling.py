"""Dials the addresses of one host: the first one to answer wins (RFC 8305, Happy Eyeballs).

May know tasks and sockets.
Must not know names or TLS, or how to dial one address.
Closes every attempt that it does not return.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import chain, zip_longest
from typing import Final

from proxy.transport.descriptors import Descriptors

_STAGGER_S: Final = 0.25  # RFC 8305, 5: the Connection Attempt Delay
_SILENCE_S: Final = 1.0  # time without any answer before it asks for further addresses
_AT_ONCE: Final = 4  # attempts; the oldest makes room for the next, when it has had a second

Dial = Callable[[str], Awaitable[socket.socket]]
More = Callable[[], Awaitable[Iterable[str]]]


def in_order(addresses: Sequence[str], turn: int) -> tuple[str, ...]:
    """The order in which to dial: the families take turns, beginning with the first address's (RFC 8305, 4).

    Each family begins with its address number `turn`, so that addresses share the connections.
    """
    families: tuple[list[str], list[str]] = ([], [])
    for ip in addresses:
        families[(":" in ip) != (":" in addresses[0])].append(ip)
    turned = [each[turn % len(each) :] + each[: turn % len(each)] for each in families if each]
    return tuple(ip for ip in chain.from_iterable(zip_longest(*turned)) if ip is not None)


class Dialling:
    """The attempts for one connection. Close it when the connection is made, or no longer wanted."""

    def __init__(self, order: Iterable[str], dial: Dial, more: More, descriptors: Descriptors) -> None:
        """`more`: returns further addresses; called once, if all in `order` have failed, or none answers for a second.

        `descriptors` has counted one attempt already; further ones are counted here.
        """
        self.failure: tuple[str, OSError] | None = None  # the last error, and its address
        self.losers: set[str] = set()  # addresses that failed, or were silent while a later one answered
        self._left = deque(order)
        self._dial = dial
        self._more: More | None = more
        self._descriptors = descriptors
        self._counted = 0
        self._trying: dict[asyncio.Future[socket.socket], str] = {}  # the oldest first
        self._asking: asyncio.Task[Iterable[str]] | None = None
        self._dropped: list[asyncio.Future[socket.socket]] = []

    async def next(self) -> tuple[str, socket.socket] | None:
        """The next connection and its address; None if every address has failed.

        The other attempts are dropped, and begin again if another connection is wanted.
        """
        is_silent = False
        while True:
            if self._left:
                self._begin(self._left.popleft())
            elif self._more is not None and (is_silent or not self._trying):
                self._asking = asyncio.ensure_future(self._more())
                self._more = None
            waiting: set[asyncio.Future[socket.socket] | asyncio.Task[Iterable[str]]] = set(self._trying)
            if self._asking is not None:
                waiting.add(self._asking)
            if not waiting:
                return None
            patience_s = _STAGGER_S if self._left else _SILENCE_S if self._more is not None else None
            done, _ = await asyncio.wait(waiting, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
            is_silent = not done
            if self._asking is not None and self._asking.done():
                self._left.extend(self._asking.result())
                self._asking = None
            for task in [task for task in self._trying if task.done()]:
                earlier = tuple(self._trying.values())
                ip = self._trying.pop(task)
                error = task.exception()
                if error is None:
                    self.losers.update(earlier[: earlier.index(ip)])
                    self._put_back()
                    return ip, task.result()
                if not isinstance(error, OSError):
                    raise error
                self.failure = ip, error
                self.losers.add(ip)
            self._count()

    def _begin(self, ip: str) -> None:
        most = _AT_ONCE if self._descriptors.upstreams < self._descriptors.most else 1
        while len(self._trying) >= most:
            self._drop(next(iter(self._trying)))
        self._trying[asyncio.ensure_future(self._dial(ip))] = ip
        self._count()

    def _put_back(self) -> None:
        """Drop the attempts under way. Their addresses come first if another connection is wanted."""
        self._left.extendleft(reversed(self._trying.values()))
        for task in tuple(self._trying):
            self._drop(task)
        self._count()

    def _drop(self, task: asyncio.Future[socket.socket]) -> None:
        del self._trying[task]
        task.cancel()
        self._dropped.append(task)

    def _count(self) -> None:
        """Tell `descriptors` the number of attempts beside the first."""
        beside = max(0, len(self._trying) - 1)
        self._descriptors.upstreams += beside - self._counted
        self._counted = beside

    async def close(self) -> None:
        """Close every attempt that was not returned."""
        self._put_back()
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        dropped = await asyncio.gather(*self._dropped, return_exceptions=True) if self._dropped else ()
        for made in dropped:
            if isinstance(made, socket.socket):  # in the same turn in which it was dropped
                made.close()
