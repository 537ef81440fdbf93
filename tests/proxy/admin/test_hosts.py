"""For whom the admin listener answers."""

from __future__ import annotations

import pytest

from ops_lib.hosts import parse_pattern
from proxy.admin.hosts import AdminHosts


@pytest.fixture
def hosts() -> AdminHosts:
    hosts = AdminHosts(["Pod-1.Example"])
    hosts.use([parse_pattern("*.cluster.local"), parse_pattern("metrics.example:9082")])
    return hosts


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.0.0.1:9082", "[::1]:9082", "10.1.2.3", "2130706433", ""),
        *("localhost", "LOCALHOST:9082", "a.localhost", "sidecar:9082", "orders-sidecar"),
        *("pod-1.example", "pod-1.example.:9082", "orders.shop.svc.cluster.local:9082", "metrics.example:9082"),
    ],
)
def test_it_answers_for_its_names_and_addresses(hosts: AdminHosts, host: str) -> None:
    assert hosts.allows(host)


@pytest.mark.parametrize(
    "host",
    [
        *(
            "evil.example",
            "evil.example:9082",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "pod-1.example.evil",
        ),
        *("metrics.example", "metrics.example:80", "cluster.local.evil", "[evil.example]", "[::1", "a.b:x"),
    ],
)
def test_it_does_not_answer_for_others(hosts: AdminHosts, host: str) -> None:
    assert not hosts.allows(host)


def test_a_name_without_a_port_is_not_that_of_a_pattern_with_one(hosts: AdminHosts) -> None:
    hosts.use([parse_pattern("metrics.example:1")])
    assert [hosts.allows(host) for host in ("metrics.example:1", "metrics.example", "metrics.example:x")] == [
        True, False, False,
    ]  # fmt: skip


def test_patterns_change_with_the_settings(hosts: AdminHosts) -> None:
    hosts.use([])
    assert not hosts.allows("metrics.example:9082")
