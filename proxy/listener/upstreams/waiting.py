"""The queue for a connection: clients take turns; within each, first come, first served.

Clients are identified by their addresses.
A client with many requests delays itself, not the others.
May know receivers as `sides` has them.
Must not know what they wait for.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import final

from proxy.listener.sides import Receiver


@final
class Waiters:
    """Of one pool."""

    __slots__ = ("_of_clients", "size")

    def __init__(self) -> None:
        # The next waiter is first. Taking one from either end, or from the middle, takes constant time.
        self._of_clients: OrderedDict[bytes, OrderedDict[Receiver, None]] = OrderedDict()
        self.size = 0  # how many there are

    def __len__(self) -> int:
        return self.size

    def add(self, receiver: Receiver) -> None:
        """Let it wait after all others of its client."""
        mine = self._of_clients.get(receiver.client)
        if mine is None:
            mine = self._of_clients[receiver.client] = OrderedDict()
        mine[receiver] = None
        self.size += 1

    def add_first(self, receiver: Receiver) -> None:
        """Let it wait before all others."""
        self.add(receiver)
        self._of_clients[receiver.client].move_to_end(receiver, last=False)
        self._of_clients.move_to_end(receiver.client, last=False)

    def remove(self, receiver: Receiver) -> bool:
        """Remove it; False if it did not wait."""
        mine = self._of_clients.get(receiver.client)
        if mine is None or receiver not in mine:
            return False
        del mine[receiver]
        self.size -= 1
        if not mine:
            del self._of_clients[receiver.client]
        return True

    def first(self) -> Receiver | None:
        """The next waiter, whatever it wants."""
        for mine in self._of_clients.values():
            for receiver in mine:
                return receiver
        return None

    def take(self, *, is_fresh: bool) -> Receiver | None:
        """Take the next waiter for a connection, which is fresh or used, out of the queue.

        A waiter that wants a fresh connection is skipped if this one is used.
        Then the taken one's client goes behind the others.
        """
        for client, mine in self._of_clients.items():
            for receiver in mine:
                if is_fresh or not receiver.wants_fresh:
                    self.remove(receiver)
                    if mine:
                        self._of_clients.move_to_end(client)
                    return receiver
        return None

    def crowder(self, client: bytes) -> Receiver | None:
        """The waiter to drop from a full queue for one of `client`: the last one of the client with the most.

        None if no client has more than `client` would have then.
        """
        most = max(self._of_clients.values(), key=len, default=None)
        own = self._of_clients.get(client)
        if most is None or len(most) <= (len(own) if own is not None else 0) + 1:
            return None
        return next(reversed(most))
