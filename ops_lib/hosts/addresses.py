"""IP addresses, in every spelling that a resolver accepts. Pure.

    address = IPv6address [ "%" zone ] / legacy-IPv4      ; RFC 4291, 2.2; RFC 6874 for the zone
    legacy-IPv4 = part *3( "." part )                     ; inet_aton(3), which getaddrinfo(3) obeys
    part = "0x" 1*HEXDIG / "0" *( "0"-"7" ) / decimal     ; the last part fills all bytes that are left

So `2130706433`, `0x7f000001`, `0177.0.0.1` and `127.1` are all 127.0.0.1.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_PART = r"(?:0[xX][0-9A-Fa-f]+|[0-9]+)"
_LEGACY: Final = re.compile(rf"{_PART}(?:\.{_PART}){{0,3}}")
_LONGEST: Final = 64  # characters; longer text is not an address
_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")


def unmapped(address: IPAddress) -> IPAddress:
    """An IPv4 address in IPv6 form (`::ffff:10.0.0.1`, RFC 4291 section 2.5.5.2) as IPv4; any other as it is."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def unmapped_network(network: IPNetwork) -> IPNetwork:
    """The same for a network: `::ffff:10.0.0.0/104` is 10.0.0.0/8."""
    if not isinstance(network, ipaddress.IPv6Network) or not network.subnet_of(_MAPPED):
        return network
    return ipaddress.IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))


def read_address(text: str) -> IPAddress | None:
    """The address that `text` is, un-mapped and without its zone; None for a name. No brackets, no port."""
    if len(text) > _LONGEST:
        return None
    if ":" in text:
        try:
            return unmapped(ipaddress.IPv6Address(text.partition("%")[0]))
        except ValueError:
            return None
    return _legacy(text) if is_numeric(text) else None


def is_numeric(text: str) -> bool:
    """Whether `text` has the form of an IPv4 address in any spelling, even if its numbers are out of range."""
    return _LEGACY.fullmatch(text) is not None


def _legacy(text: str) -> ipaddress.IPv4Address | None:
    try:
        *front, last = [_number(part) for part in text.split(".")]
    except ValueError:
        return None
    if any(number > 255 for number in front) or last >= 256 ** (4 - len(front)):
        return None
    return ipaddress.IPv4Address(sum(number << (24 - 8 * place) for place, number in enumerate(front)) + last)


def _number(part: str) -> int:
    """Hexadecimal after `0x`, octal after `0`, else decimal. Raises ValueError for an octal number with an 8 or 9."""
    if part[:2] in ("0x", "0X"):
        return int(part, 16)
    return int(part, 8 if part[0] == "0" else 10)
