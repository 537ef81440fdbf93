"""Whether a connection may be made to an address: not back to ourselves, and not where the settings forbid it.

May know the plan and faults. Must not look names up, nor open connections: the connector asks before it does.
"""

from __future__ import annotations

from collections.abc import Callable

from proxy.destinations import Destinations
from proxy.semantics.faults import Fault, Refusal

# What listens at an address and port of this process: "inbound", "outbound", "admin", or nothing (empty).
OwnListener = Callable[[str, int], str]


def judge(
    own: OwnListener, destinations: Destinations | None, host: str, ip: str, port: int, *, inbound: bool
) -> Refusal | None:
    """Why a request of an `inbound` listener, or of another, must not be sent to `host` at its address `ip`.

    An outbound listener may send to an inbound one: so the app calls itself. `destinations`: none, to go anywhere.
    """
    here = own(ip, port)
    if here == "outbound" or (here == "inbound" and inbound):
        return Refusal(Fault.LOOP, "the request would be sent to the sidecar itself")
    if destinations is None:
        return None
    if here == "admin" and not destinations.opens(ip, port):
        text = f"{ip} port {port} is the sidecar's own admin listener; only outbound.allow with this port opens it"
        return Refusal(Fault.DESTINATION_PROHIBITED, text)
    barrier = destinations.barrier(host, ip, port)
    if barrier is None:
        return None
    text = f"{ip} port {port} must not be reached from here: {barrier} is denied; outbound.allow can open it"
    return Refusal(Fault.DESTINATION_PROHIBITED, text)
