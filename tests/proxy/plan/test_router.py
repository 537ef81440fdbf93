"""Which upstream an authority leads to: the most specific pattern wins."""

from __future__ import annotations

import itertools

import pytest

from ops_lib.propagation import FORMATS
from proxy.plan import PropagationPlan, Router, UpstreamPlan
from proxy.semantics.authority import parse_authority
from proxy.settings.addresses import parse_pattern
from tests.vectors.hosts.rows import Match, matches

_PROPAGATION = PropagationPlan(extract=FORMATS, inject=FORMATS)


def upstream(name: str) -> UpstreamPlan:
    return UpstreamPlan(name, None, _PROPAGATION)


def router(*patterns: str) -> Router:
    """Every pattern leads to an upstream of its own name; the default is `other`."""
    return Router(upstream("other"), [(parse_pattern(pattern), upstream(pattern)) for pattern in patterns])


# From the most specific to the least: for one authority that all of them match.
_ORDERS = [
    (
        ("a.b.svc", 80),
        ["a.b.svc:80", "a.b.svc", "*.b.svc:80", "*.b.svc", "*.svc:80", "*.svc", "*:80", "*"],
    ),
    (
        ("10.1.2.3", 80),
        ["10.1.2.3:80", "10.1.2.3", "10.1.2.0/24:80", "10.1.2.0/24", "10.0.0.0/8:80", "10.0.0.0/8", "*:80", "*"],
    ),
    (("fd00::1", 80), ["[fd00::1]:80", "fd00::1", "[fd00::/64]:80", "fd00::/64", "fd00::/8", "*"]),
]


@pytest.mark.parametrize(("authority", "patterns"), _ORDERS, ids=lambda value: str(value[0]))
def test_the_most_specific_pattern_wins_whatever_the_order(authority: tuple[str, int], patterns: list[str]) -> None:
    for number, most_specific in enumerate(patterns):
        rest = patterns[number:]
        assert router(*rest).route(*authority).name == most_specific
        assert router(*reversed(rest)).route(*authority).name == most_specific
    for one, other in itertools.combinations(patterns, 2):
        assert router(other, one).route(*authority).name == one


@pytest.mark.parametrize("row", matches(), ids=str)
def test_a_vector_leads_to_its_upstream_or_not(row: Match) -> None:
    """As a request says it: what HTTP cannot say is refused before there is a route."""
    host, port = row.authority
    authority = parse_authority(f"{host}:{port or 80}".encode())
    if authority is None:
        assert not host.isascii() or "%" in host
        return
    # No pattern of the rows names port 80.
    found = router(row.pattern).route(authority.host, port or 80)
    assert (found.name == row.pattern) is row.expected


def test_every_upstream_is_listed_once() -> None:
    shared, default = upstream("shared"), upstream("other")
    routes = [(parse_pattern(pattern), shared) for pattern in ("a", "b", "*.c", "10.0.0.0/8")]
    assert Router(default, routes).upstreams() == (shared, default)
