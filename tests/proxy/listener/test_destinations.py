"""Whether a connection to an address is allowed: not back to us, and not where the settings forbid it."""

from __future__ import annotations

import pytest

from ops_lib.hosts import parse_pattern
from proxy.destinations import Destinations
from proxy.listener.destinations import judge
from proxy.semantics.faults import Fault

LOOP = "the request would be sent to the sidecar itself"
ADMIN = "10.0.0.1 port 80 is the sidecar's own admin or console; only outbound.allow with this port opens it"
DENIED = "10.0.0.1 port 80 must not be reached from here: 10.0.0.0/8 is denied; outbound.allow can open it"


def destinations(deny: str = "", allow: str = "") -> Destinations:
    return Destinations(*(tuple(map(parse_pattern, text.split())) for text in (deny, allow)))


@pytest.mark.parametrize(
    ("here", "inbound", "limits", "refused"),
    [
        ("", False, None, None),
        ("", True, None, None),
        ("outbound", False, None, (Fault.LOOP, LOOP)),
        ("outbound", True, None, (Fault.LOOP, LOOP)),
        ("inbound", True, None, (Fault.LOOP, LOOP)),
        ("inbound", False, None, None),  # so an app calls itself
        ("inbound", False, destinations(), None),
        ("admin", True, None, None),
        ("admin", False, None, None),  # where nothing is forbidden
        ("admin", False, destinations(), (Fault.DESTINATION_PROHIBITED, ADMIN)),
        ("admin", False, destinations(allow="10.0.0.1"), (Fault.DESTINATION_PROHIBITED, ADMIN)),
        ("admin", False, destinations(allow="10.0.0.1:80"), None),
        ("", False, destinations(deny="10.0.0.0/8"), (Fault.DESTINATION_PROHIBITED, DENIED)),
        ("", False, destinations(deny="10.0.0.0/8", allow="10.0.0.1"), None),
        ("outbound", False, destinations(allow="10.0.0.1:80"), (Fault.LOOP, LOOP)),
    ],
)  # fmt: skip
def test_where_a_request_may_go(
    here: str, inbound: bool, limits: Destinations | None, refused: tuple[Fault, str] | None
) -> None:
    asked: list[tuple[str, int]] = []

    def own(ip: str, port: int) -> str:
        asked.append((ip, port))
        return here

    refusal = judge(own, limits, "billing.internal", "10.0.0.1", 80, inbound=inbound)
    assert (refusal and (refusal.fault, refusal.detail)) == refused
    assert asked == [("10.0.0.1", 80)]
