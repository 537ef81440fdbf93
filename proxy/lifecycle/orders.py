"""Reloads that were ordered, by a signal or over the admin listener, and who waits for their outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

from proxy.lifecycle.generation import Generation

Read = Callable[[int], Generation]
Problems = tuple[str, ...]


class Order(NamedTuple):
    """What to do now: all orders since the last time in one."""

    read: Read | None  # None: read everything again
    waiting: list[asyncio.Future[Problems]]

    def over(self, problems: Problems) -> None:
        """Tell those who wait; no problems: it is done."""
        for future in self.waiting:
            if not future.done():
                future.set_result(problems)


class Orders:
    """Waits for orders, and keeps those that come meanwhile."""

    def __init__(self) -> None:
        self._came = asyncio.Event()
        self._reads: list[Read | None] = []
        self._waiting: list[asyncio.Future[Problems]] = []

    def add(self, read: Read | None = None) -> None:
        """Order a reload for which nobody waits."""
        self._reads.append(read)
        self._came.set()

    def add_and_wait(self, read: Read | None = None) -> asyncio.Future[Problems]:
        """Order one; the result are its problems. `read`: what makes the generation, None: everything is read again."""
        future: asyncio.Future[Problems] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self.add(read)
        return future

    async def wait(self) -> None:
        """Until there is one."""
        await self._came.wait()

    def take(self) -> Order:
        """All that there are. Whoever wants everything read again gets that, and so do the others with them."""
        reads, waiting = self._reads, self._waiting
        self._reads, self._waiting = [], []
        self._came.clear()
        return Order(reads[-1] if reads and None not in reads else None, waiting)

    def cancel(self, problems: Sequence[str]) -> None:
        """Nobody takes them any more."""
        self.take().over(tuple(problems))
