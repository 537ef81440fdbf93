"""Which upstream a request's authority leads to. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ops_lib.hosts import HostPattern, HostTable
from proxy.plan.upstream import UpstreamPlan


class Router:
    """Chooses the upstream for an authority, by the most specific pattern (HostTable), else `default`.
    Pure, immutable.
    """

    __slots__ = ("_default", "_table")

    def __init__(self, default: UpstreamPlan, routes: Iterable[tuple[HostPattern, UpstreamPlan]] = ()) -> None:
        """`routes`: patterns and their upstreams, in any order, without duplicates."""
        self._default = default
        self._table = HostTable(routes)

    def route(self, host: str, port: int) -> UpstreamPlan:
        """The upstream for `host`, in any spelling, and `port`."""
        return self._table.find(host, port) or self._default

    def upstreams(self) -> tuple[UpstreamPlan, ...]:
        """All upstreams, without duplicates; the default is the last."""
        return tuple(dict.fromkeys((*self._table.values(), self._default)))
