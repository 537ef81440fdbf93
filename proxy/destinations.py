"""Where outbound requests may lead: judged by the host that is named, and by each address that it turns out to have.
Pure, immutable.

May know host patterns. Must not look names up.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from ops_lib.hosts import HostPattern, HostTable, parse_pattern, read_host, unmapped

# Where clouds and containers give credentials to whoever asks; and link-local addresses, where nobody's service is.
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
    """What may be reached.

    Of the patterns that match a host, or one address, the most specific counts (HostTable); `allow` over `deny` over
    `PROHIBITED` where they are the same.
    Host and address must both pass: what either is denied for, the other's permission does not open.
    `*` counts only where nothing else does.
    """

    __slots__ = ("_everything", "_hash", "_key", "_table")

    def __init__(self, deny: Iterable[HostPattern] = (), allow: Iterable[HostPattern] = ()) -> None:
        self._key = (tuple(deny), tuple(allow))
        self._hash = hash(self._key)  # once: it is part of what each pool is found by
        rules = [_Rule(pattern, False) for pattern in (*PROHIBITED, *self._key[0])]
        rules += [_Rule(pattern, True) for pattern in self._key[1]]
        self._table = HostTable((rule.pattern, rule) for rule in rules if not _is_everything(rule.pattern))
        self._everything = HostTable((rule.pattern, rule) for rule in rules if _is_everything(rule.pattern))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Destinations) and self._key == other._key

    def __hash__(self) -> int:
        return self._hash

    def barrier(self, host: str, ip: str, port: int) -> HostPattern | None:
        """The pattern by which `host`, which leads to the address `ip`, is not to be reached at `port`."""
        found = [self._table.find(each, port) for each in (host, *_forms(ip))]
        if not any(found):
            found = [self._everything.find(host, port)]
        return next((rule.pattern for rule in found if rule is not None and not rule.allows), None)

    def bars(self, host: str, port: int) -> HostPattern | None:
        """The pattern by which `host` is not to be reached at `port`, whatever address it may have; None if that hangs
        on the address.
        """
        address = read_host(host)[1]
        if address is not None:
            return self.barrier(host, str(address), port)
        rule = self._table.find(host, port)
        return rule.pattern if rule is not None and not rule.allows else None

    def opens(self, ip: str, port: int) -> bool:
        """Whether `ip` is allowed at this very port, and not only among others."""
        found = [self._table.find(each, port) for each in _forms(ip)]
        return any(rule is not None and rule.allows and rule.pattern.port == port for rule in found)


def _is_everything(pattern: HostPattern) -> bool:
    return pattern.kind == "wildcard" and not pattern.host


def _forms(ip: str) -> Iterator[str]:
    """`ip`, and where else it leads: an unspecified address to this machine, NAT64 to an IPv4 address."""
    ip = ip.partition("%")[0]
    yield ip
    address = unmapped(ipaddress.ip_address(ip))
    if address.is_unspecified:
        yield "127.0.0.1" if address.version == 4 else "::1"
    elif address in _NAT64:
        yield str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
