"""What stays open under a new plan: pure comparisons."""

from __future__ import annotations

from typing import Any

import pytest
from lab.sidecar import plan_of

from proxy.dataplane.app_presence import app_addresses
from proxy.dataplane.keeping import is_v6_only
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
