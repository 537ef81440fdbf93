"""Decides whether a connection to an address is allowed: not back to us, and not where the settings forbid it.

May know the plan and faults. Must not look up names, or open connections: the connector asks first.
"""

from __future__ import annotations

from collections.abc import Callable

from ops_lib.hosts import HostPattern
from proxy.destinations import Destinations
from proxy.semantics.faults import Fault, Refusal

# Our listener at an address and port: "inbound", "outbound", "admin", or none (empty).
OwnListener = Callable[[str, int], str]


def judge(
    own: OwnListener, destinations: Destinations | None, host: str, ip: str, port: int, *, inbound: bool
) -> Refusal | None:
    """Why a request from an `inbound` listener, or another, must not be sent to `host` at its address `ip`.

    An outbound listener may send to an inbound one: that is how an app calls itself. `destinations`: None: anywhere.
    """
    here = own(ip, port)
    if here == "outbound" or (here == "inbound" and inbound):
        return Refusal(Fault.LOOP, "the request would be sent to the sidecar itself")
    if destinations is None:
        return None
    if here == "admin" and not destinations.opens(ip, port):
        text = f"{ip} port {port} is the sidecar's own admin or console; only outbound.allow with this port opens it"
        return Refusal(Fault.DESTINATION_PROHIBITED, text)
    barrier = destinations.barrier(host, ip, port)
    if barrier is None:
        return None
    return prohibited(ip, port, barrier)


def prohibited(host: str, port: int, barrier: HostPattern) -> Refusal:
    """`host` is denied, by `barrier`."""
    text = f"{host} port {port} must not be reached from here: {barrier} is denied; outbound.allow can open it"
    return Refusal(Fault.DESTINATION_PROHIBITED, text)
