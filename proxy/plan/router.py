"""Which upstream a request's authority leads to. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import TYPE_CHECKING

from proxy.plan.upstream import UpstreamPlan

if TYPE_CHECKING:
    from proxy.settings.addresses import HostPattern

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Router:
    """Chooses the upstream for an authority. Pure, immutable.

    The host decides first: exact, then the longest wildcard suffix, then the longest CIDR prefix; among equal hosts a
    pattern with the port wins over one without. What nothing matches goes to `default`.
    """

    __slots__ = ("_default", "_exact", "_networks", "_wildcards", "_with_ports")

    def __init__(self, default: UpstreamPlan, routes: Iterable[tuple[HostPattern, UpstreamPlan]] = ()) -> None:
        """`routes`: patterns and where they lead, in any order; no pattern twice."""
        self._default = default
        self._exact: dict[tuple[str, int], UpstreamPlan] = {}  # (host, port); port 0: any
        self._wildcards: dict[tuple[str, int], UpstreamPlan] = {}  # (suffix with its dot, port)
        networks: list[tuple[_Network, int, UpstreamPlan]] = []
        for pattern, upstream in routes:
            if pattern.kind == "exact":
                self._exact[pattern.host, pattern.port] = upstream
            elif pattern.kind == "wildcard":
                self._wildcards[pattern.host, pattern.port] = upstream
            else:
                networks.append((ipaddress.ip_network(pattern.host), pattern.port, upstream))
        self._networks = tuple(sorted(networks, key=lambda entry: (-entry[0].prefixlen, -entry[1])))

    def route(self, host: str, port: int) -> UpstreamPlan:
        """The upstream for `host` (lower case, IPv6 without brackets, a final dot does not count) and `port`."""
        if host.endswith("."):
            host = host[:-1]
        address = _address(host) if ":" in host or host[-1:].isdigit() else None
        if address is not None:
            host = str(address)  # the shortest form, as patterns have it
        found = self._exact.get((host, port)) or self._exact.get((host, 0))
        if found is None and self._wildcards:
            found = self._wildcard(host, port)
        if found is None and address is not None:
            found = self._network(address, port)
        if found is None:
            found = self._wildcards.get(("", port)) or self._wildcards.get(("", 0)) or self._default
        return found

    def _wildcard(self, host: str, port: int) -> UpstreamPlan | None:
        dot = host.find(".")
        while dot >= 0:  # from the longest suffix to the shortest
            suffix = host[dot:]
            found = self._wildcards.get((suffix, port)) or self._wildcards.get((suffix, 0))
            if found is not None:
                return found
            dot = host.find(".", dot + 1)
        return None

    def _network(self, address: _Address, port: int) -> UpstreamPlan | None:
        for network, wanted, upstream in self._networks:
            if address in network and wanted in (0, port):
                return upstream
        return None

    def upstreams(self) -> tuple[UpstreamPlan, ...]:
        """Every upstream that a request may be sent to, each once; the default is the last."""
        networks = (upstream for _, _, upstream in self._networks)
        return tuple(dict.fromkeys((*self._exact.values(), *self._wildcards.values(), *networks, self._default)))


def _address(host: str) -> _Address | None:
    """`host` as an address, an IPv4 in IPv6 clothes (::ffff:10.0.0.1) as IPv4; None for a name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
