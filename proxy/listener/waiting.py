"""The queue of those who wait for a connection: in turn between clients, first come, first served within each.

A client is known by its address.
One that sends very much waits behind itself, not in front of the others.
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

    __slots__ = ("_of_clients", "_size")

    def __init__(self) -> None:
        # Who is next stands first. To take one from either end, or from the middle, costs the same for any number.
        self._of_clients: OrderedDict[bytes, OrderedDict[Receiver, None]] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, receiver: Receiver) -> None:
        """Let it wait behind all others of its client."""
        mine = self._of_clients.get(receiver.client)
        if mine is None:
            mine = self._of_clients[receiver.client] = OrderedDict()
        mine[receiver] = None
        self._size += 1

    def add_first(self, receiver: Receiver) -> None:
        """Let it wait before everybody."""
        self.add(receiver)
        self._of_clients[receiver.client].move_to_end(receiver, last=False)
        self._of_clients.move_to_end(receiver.client, last=False)

    def remove(self, receiver: Receiver) -> bool:
        """Let it wait no longer; False where it did not."""
        mine = self._of_clients.get(receiver.client)
        if mine is None or receiver not in mine:
            return False
        del mine[receiver]
        self._size -= 1
        if not mine:
            del self._of_clients[receiver.client]
        return True

    def first(self) -> Receiver | None:
        """Who is next, whatever it wants."""
        for mine in self._of_clients.values():
            for receiver in mine:
                return receiver
        return None

    def take(self, *, is_fresh: bool) -> Receiver | None:
        """Who is next for a connection that is fresh or has served somebody, out of the queue now.

        Whoever wants a fresh one is passed over where it is not. After this its client waits behind the others.
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
        """Who has to go where the queue is full, so that one of `client` may wait: the last of the client with most.

        None where no client has more than `client` would have then.
        """
        most = max(self._of_clients.values(), key=len, default=None)
        own = self._of_clients.get(client)
        if most is None or len(most) <= (len(own) if own is not None else 0) + 1:
            return None
        return next(reversed(most))
