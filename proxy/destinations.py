"""Where outbound requests may lead, by the named host and each of its addresses.
Pure, immutable.

May know host patterns. Must not look names up.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from ops_lib.hosts import HostPattern, HostTable, parse_pattern, read_host, unmapped

# Addresses where clouds and containers give credentials to any
# caller; and link-local addresses, which have no services.
PROHIBITED: Final = tuple(
    parse_pattern(text)
    for text in (
        "169.254.0.0/16",  # RFC 3927; metadata of AWS, Azure, Google, Oracle and others
        "fe80::/10",  # RFC 4291, 2.5.6
        "fd00:ec2::/32",  # AWS
        "fd20:ce::254",  # Google
        "fd00:c1::a9fe:a9fe",  # Oracle
        "fd00:42::42",  # Scaleway
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure
    )
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052


class _Rule(NamedTuple):
    pattern: HostPattern
    allows: bool


class Destinations:
    """The allowed and denied destinations.

    Of the patterns that match a host or an address, the most specific counts (HostTable).
    Of equal patterns, `allow` wins over `deny`, and `deny` over `PROHIBITED`.
    Host and address must both pass: permission for one does not override denial of the other.
    `*` counts only if no other pattern matches.
    """

    __slots__ = ("_everything", "_hash", "_key", "_table")

    def __init__(self, deny: Iterable[HostPattern] = (), allow: Iterable[HostPattern] = ()) -> None:
        self._key = (tuple(deny), tuple(allow))
        self._hash = hash(self._key)  # once, for speed: it is part of each pool's key
        rules = [_Rule(pattern, False) for pattern in (*PROHIBITED, *self._key[0])]
        rules += [_Rule(pattern, True) for pattern in self._key[1]]
        self._table = HostTable((rule.pattern, rule) for rule in rules if not _is_everything(rule.pattern))
        self._everything = HostTable((rule.pattern, rule) for rule in rules if _is_everything(rule.pattern))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Destinations) and self._key == other._key

    def __hash__(self) -> int:
        return self._hash

    def barrier(self, host: str, ip: str, port: int) -> HostPattern | None:
        """The pattern that denies `host`, at its address `ip`, on `port`."""
        found = [self._table.find(each, port) for each in (host, *_forms(ip))]
        if not any(found):
            found = [self._everything.find(host, port)]
        return next((rule.pattern for rule in found if rule is not None and not rule.allows), None)

    def bars(self, host: str, port: int) -> HostPattern | None:
        """The pattern that denies `host` on `port` at any address; None if that depends on the address."""
        address = read_host(host)[1]
        if address is not None:
            return self.barrier(host, str(address), port)
        rule = self._table.find(host, port)
        return rule.pattern if rule is not None and not rule.allows else None

    def opens(self, ip: str, port: int) -> bool:
        """Whether `ip` is allowed with exactly this port."""
        found = [self._table.find(each, port) for each in _forms(ip)]
        return any(rule is not None and rule.allows and rule.pattern.port == port for rule in found)


def _is_everything(pattern: HostPattern) -> bool:
    return pattern.kind == "wildcard" and not pattern.host


def _forms(ip: str) -> Iterator[str]:
    """`ip`, and other addresses that it reaches: an unspecified one reaches this machine, NAT64 an IPv4 address."""
    ip = ip.partition("%")[0]
    yield ip
    address = unmapped(ipaddress.ip_address(ip))
    if address.is_unspecified:
        yield "127.0.0.1" if address.version == 4 else "::1"
    elif address in _NAT64:
        yield str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
