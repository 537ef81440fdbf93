"""Requests and tunnels that were at the app before anybody wanted them remembered: they are remembered now.

May know listeners, their connections and routes. Called after a reload, not on the path of requests.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from proxy.listener.listener import Listener
from proxy.listener.routes import Route
from proxy.listener.sides import Receiver


def catch_up(listeners: Iterable[Listener], now: float, most: int) -> bool:
    """Remember up to `most` of those that are open at `listeners`. Whether that was too few."""
    for listener in listeners:
        if listener.is_inbound:
            listener.rules.in_flight.settle()
            for connection in listener.connections:
                for receiver in connection.receivers():
                    if receiver.in_flight is None:
                        if not most:
                            return True
                        most -= 1
                        _remember(listener, receiver, now)
    return False


def _remember(listener: Listener, receiver: Receiver, now: float) -> None:
    entry = cast(Route, receiver.terms).remember_late(receiver.translation, receiver.trace, now)
    if entry is not None:
        entry.exchange = receiver
        receiver.in_flight = entry
        listener.rules.in_flight.begin(entry)
