"""The rules as text. That they work, tests/interop/test_redirection.py shows with real ones."""

from __future__ import annotations

import pytest

from proxy.kubernetes.redirection import Redirection, no_rules, parse_networks, parse_redirection, rules


def test_the_rules_replace_those_before_in_one_transaction() -> None:
    text = rules(Redirection((8080,), 9080), Redirection((80, 443), 9081), uid=65532, exempt=["10.0.0.0/8", "fd00::/8"])
    assert text == (
        "add table inet ops_sidecar\n"
        "delete table inet ops_sidecar\n"
        "table inet ops_sidecar {\n"
        "  chain inbound {\n"
        "    type nat hook prerouting priority dstnat; policy accept;\n"
        "    tcp dport { 8080 } redirect to :9080\n"
        "  }\n"
        "  chain outbound {\n"
        "    type nat hook output priority -100; policy accept;\n"
        "    meta skuid 65532 return  # the sidecar's own\n"
        "    fib daddr type local return  # the pod itself\n"
        "    ip daddr { 10.0.0.0/8 } return\n"
        "    ip6 daddr { fd00::/8 } return\n"
        "    tcp dport { 80, 443 } redirect to :9081\n"
        "  }\n"
        "}\n"
    )


def test_ipv6_stays_as_it_is_where_nobody_listens_for_it() -> None:
    text = rules(Redirection((8080,), 9080), Redirection((80,), 9081), uid=1, ipv4_only=True)
    assert "meta nfproto ipv4 tcp dport { 8080 } redirect to :9080" in text
    assert "meta nfproto ipv4 tcp dport { 80 } redirect to :9081" in text


def test_one_direction_alone_has_one_chain() -> None:
    assert "chain outbound" not in rules(Redirection((1,), 2), None, uid=0)
    assert "chain inbound" not in rules(None, Redirection((1,), 2), uid=0)
    assert no_rules() == "add table inet ops_sidecar\ndelete table inet ops_sidecar\n"


def test_ports() -> None:
    assert parse_redirection("8080,80,80:9081") == Redirection((80, 8080), 9081)


@pytest.mark.parametrize("text", ["", "80", ":9081", "80:", "0:1", "65536:1", "80,x:1", "80;80:1", "1,2:2", "٣:1"])
def test_ports_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected PORT|redirected to itself"):
        parse_redirection(text)


def test_networks() -> None:
    assert parse_networks("10.96.0.10, fd00::/8") == ("10.96.0.10/32", "fd00::/8")
    with pytest.raises(ValueError, match="example"):
        parse_networks("example")
