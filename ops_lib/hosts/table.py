"""Values by host pattern: the most specific pattern wins. Pure, immutable."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final, Generic, TypeVar

from .addresses import IPAddress, IPNetwork
from .names import read_host
from .patterns import HostPattern

T = TypeVar("T")

_LONGEST: Final = 1024  # characters of a host to look up: a name of 253, or an address with its zone


class HostTable(Generic[T]):
    """Patterns and their values.

    The host decides first: exact, then the longest wildcard suffix, then the longest CIDR prefix, then `*`.
    Among equal hosts a pattern with the port wins over one without.
    """

    __slots__ = ("_exact", "_networks", "_wildcards")

    def __init__(self, entries: Iterable[tuple[HostPattern, T]]) -> None:
        """`entries` in any order; of duplicate patterns, the later one counts."""
        self._exact: dict[tuple[str, int], T] = {}  # (host, port); port 0: any
        self._wildcards: dict[tuple[str, int], T] = {}  # (suffix with its dot, port)
        networks: list[tuple[IPNetwork, int, T]] = []
        for pattern, value in entries:
            if pattern.kind == "exact":
                self._exact[pattern.host, pattern.port] = value
            elif pattern.kind == "wildcard":
                self._wildcards[pattern.host, pattern.port] = value
            else:
                networks.append((ipaddress.ip_network(pattern.host), pattern.port, value))
        self._networks = tuple(sorted(networks, key=lambda entry: (-entry[0].prefixlen, -entry[1])))

    def find(self, text: str, port: int) -> T | None:
        """The value for the host `text`, as in a request, and `port` (0: unknown)."""
        if len(text) > _LONGEST:  # not a host name, and every suffix would be looked up
            return self._at(self._wildcards, "", port)
        host, address = read_host(text)
        found = self._at(self._exact, host, port)
        if found is None and self._wildcards and address is None:
            found = self._wildcard(host, port)
        if found is None and address is not None:
            found = self._network(address, port)
        return self._at(self._wildcards, "", port) if found is None else found

    @staticmethod
    def _at(table: dict[tuple[str, int], T], host: str, port: int) -> T | None:
        found = table.get((host, port))
        return table.get((host, 0)) if found is None else found

    def _wildcard(self, host: str, port: int) -> T | None:
        dot = host.find(".", 1)  # `*` stands for at least one label
        while dot >= 0:  # from the longest suffix to the shortest
            found = self._at(self._wildcards, host[dot:], port)
            if found is not None:
                return found
            dot = host.find(".", dot + 1)
        return None

    def _network(self, address: IPAddress, port: int) -> T | None:
        for network, wanted, value in self._networks:
            if wanted in (0, port) and address in network:  # never of the other family
                return value
        return None

    def values(self) -> tuple[T, ...]:
        """All values: of exact hosts, then wildcards, then networks."""
        return (*self._exact.values(), *self._wildcards.values(), *(value for _, _, value in self._networks))
