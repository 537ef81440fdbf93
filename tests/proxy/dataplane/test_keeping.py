"""What stays open under a new plan: pure comparisons."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from lab.sidecar import plan_of

from proxy.dataplane.app_presence import app_addresses
from proxy.dataplane.keeping import is_v6_only, kept_doors, kept_sockets
from proxy.plan import Address


@pytest.mark.parametrize(
    ("sections", "only"),
    [
        ({"inbound": {"listen": ["[::]:9080", "0.0.0.0:9080"]}}, True),
        ({"inbound": {"listen": ["[::]:9080", "127.0.0.1:9080"]}}, True),
        ({"inbound": {"listen": "[::]:9080"}}, False),
        ({"inbound": {"listen": "[::]:9080"}, "outbound": {"listen": "127.0.0.1:9080"}}, True),
        ({"inbound": {"listen": "[::]:9080"}, "admin": {"listen": "127.0.0.1:9080"}}, True),
        ({"inbound": {"listen": "[::]:9080"}, "admin": {"listen": "off"}}, False),
        ({"inbound": {"listen": "[::]:9080"}, "admin": {"listen": "[::1]:9080"}}, False),
        ({"inbound": {"listen": ["[::]:0", "127.0.0.1:0"]}}, False),
        ({"inbound": {"listen": ["[::]:9080", "unix:/tmp/x"]}}, False),
    ],
)
def test_ipv6_alone_where_an_ipv4_listener_has_the_port(sections: dict[str, Any], only: bool) -> None:
    plan = plan_of({"outbound": {"listen": "off"}, **sections}, 1)
    bind = plan.listeners[0].binds[0]
    assert bind.host == "::"
    assert is_v6_only(plan, bind) is only


def test_the_app_is_where_inbound_leads() -> None:
    plan = plan_of({"inbound": {"app": "http://app:81"}, "upstreams": [
        {"name": "b", "match": ["b"], "target": "http://b"},
    ]}, 1)  # fmt: skip
    assert app_addresses(plan) == [Address("app", 81)]
    assert app_addresses(plan_of({"inbound": {"listen": "off"}}, 1)) == []


class At:
    """A socket that was bound as a plan said, and has an address."""

    def __init__(self, bind: Address, address: Address) -> None:
        self.bind, self.address = bind, address

    def is_at(self, bind: Address) -> bool:
        return bool(bind.port) and bind in (self.bind, self.address)


def at(port: int) -> Address:
    return Address("127.0.0.1", port)


@pytest.mark.parametrize(
    ("before", "plan", "sockets", "doors"),
    [
        ({"in": [1], "out": [2]}, {"in": [1], "out": [2]}, {"in": [1], "out": [2]}, {"in": "in", "out": "out"}),
        ({"in": [1]}, {"other": [1]}, {"other": [1]}, {"other": "in"}),
        ({"in": [1]}, {"in": [3]}, {}, {}),
        ({"in": [1], "out": [2]}, {"in": [2], "out": [1]}, {"in": [2], "out": [1]}, {"in": "out", "out": "in"}),
        ({"in": [1, 2]}, {"in": [2], "other": [1]}, {"in": [2], "other": [1]}, {"in": "in"}),
        ({"in": [1], "out": [2]}, {"in": [1, 2, 3]}, {"in": [1, 2]}, {"in": "in"}),
        ({"in": [1], "out": [2]}, {"in": [3, 2, 1]}, {"in": [2, 1]}, {"in": "out"}),
        ({"in": [0]}, {"in": [0]}, {"in": [100]}, {"in": "in"}),
        ({"in": [0]}, {"other": [0]}, {}, {}),
        ({"in": [0]}, {"in": [0], "other": [100]}, {"other": [100]}, {"other": "in"}),
        ({"in": [0]}, {"in": [100]}, {"in": [100]}, {"in": "in"}),
        ({"in": [0], "out": [2]}, {"in": [2], "out": [0]}, {"in": [2]}, {"in": "out"}),
        ({}, {"in": [1, 0]}, {}, {}),
    ],
)
def test_what_a_plan_keeps(
    before: dict[str, list[int]], plan: dict[str, list[int]], sockets: dict[str, list[int]], doors: dict[str, str]
) -> None:
    """Ports by listener. One that was bound to port 0 is at port 100."""
    former = {
        name: SimpleNamespace(name=name, sockets=[At(at(port), at(port or 100)) for port in ports])
        for name, ports in before.items()
    }
    new = SimpleNamespace(
        listeners=[SimpleNamespace(name=name, binds=[at(port) for port in ports]) for name, ports in plan.items()]
    )
    kept = kept_sockets(cast(Any, former), cast(Any, new))
    found: dict[str, list[int]] = {}
    for (name, _), socket in kept.items():
        found.setdefault(name, []).append(socket.address.port)
    assert found == sockets
    chosen = kept_doors(cast(Any, former), cast(Any, new), kept)
    assert {name: cast(Any, door).name for name, door in chosen.items()} == doors
