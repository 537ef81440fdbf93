"""Hosts by patterns; the rules of precedence are tested with the router that uses them."""

from __future__ import annotations

from ops_lib.hosts import HostTable, parse_pattern


def test_a_host_that_is_too_long_for_a_name_matches_nothing_but_a_lone_star() -> None:
    """Every suffix of it would be looked up, which takes time by the square of its length."""
    labels = "a." * 508
    table = HostTable([(parse_pattern("*.internal"), 1)])
    assert table.find(labels + "internal", 80) == 1
    assert table.find(labels + "a.internal", 80) is None
    assert HostTable([(parse_pattern("*.internal"), 1), (parse_pattern("*"), 2)]).find("a." * 30_000, 80) == 2
