"""Which upstream an authority leads to: the most specific pattern wins."""

from __future__ import annotations

import itertools

import pytest

from ops_lib.propagation import FORMATS
from proxy.plan import PropagationPlan, Router, UpstreamPlan
from proxy.settings.addresses import parse_pattern

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


@pytest.mark.parametrize(
    ("pattern", "host", "port"),
    [
        ("a.svc", "b.svc", 80),
        ("a.svc:80", "a.svc", 81),
        ("*.svc", "svc", 80),
        ("*.svc", "a.svc.local", 80),
        ("*.svc", "asvc", 80),
        ("*.svc:80", "a.svc", 81),
        ("10.0.0.0/8", "11.0.0.1", 80),
        ("10.0.0.0/8", "ten.internal", 80),
        ("10.0.0.0/8", "10.internal1", 80),
        ("*:80", "a", 81),
    ],
)
def test_what_does_not_match_goes_to_the_default(pattern: str, host: str, port: int) -> None:
    assert router(pattern).route(host, port).name == "other"


@pytest.mark.parametrize(
    ("pattern", "host"),
    [
        ("a.svc", "a.svc."),
        ("*.svc", "x.y.z.svc"),
        ("*.svc", "x.svc."),
        ("fd00::1", "fd00:0::0:1"),
        ("10.0.0.0/8", "::ffff:10.0.0.1"),
        ("10.0.0.1", "::ffff:10.0.0.1"),
        ("*", "anything"),
        ("*", ""),
    ],
)
def test_one_name_has_many_forms(pattern: str, host: str) -> None:
    assert router(pattern).route(host, 80).name == pattern


def test_every_upstream_is_listed_once() -> None:
    shared, default = upstream("shared"), upstream("other")
    routes = [(parse_pattern(pattern), shared) for pattern in ("a", "b", "*.c", "10.0.0.0/8")]
    assert Router(default, routes).upstreams() == (shared, default)
