"""Patterns of hosts, as in the settings and `allow_hosts`. Pure.

    pattern = host [ ":" port ]
    host = name / "*." name / "*" / IPv4 / IPv4 "/" length
         / IPv6 / IPv6 "/" length              ; in brackets if a port follows (RFC 3986, 3.2.2):
         / "[" IPv6 "]" / "[" IPv6 "/" length "]" / "[" IPv6 "]/" length

`*.` stands for one or more labels. Without a port any port matches.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final, Literal

from .addresses import unmapped_network
from .names import parse_host

_PORT: Final = re.compile(r"[0-9]{1,5}")
_LENGTH: Final = re.compile(r"[0-9]{1,3}")
_FORM: Final = "expected a host, *.suffix, *, an address or a CIDR such as 10.0.0.0/8, each with or without :port"


@dataclass(frozen=True, slots=True)
class HostPattern:
    """One pattern. `host` is the exact host, the wildcard's suffix (with its dot; empty for `*`), or the CIDR."""

    kind: Literal["exact", "wildcard", "cidr"]
    host: str
    port: int = 0  # 0: any port

    def __str__(self) -> str:
        """As written in the settings."""
        host = f"*{self.host}" if self.kind == "wildcard" else self.host
        if not self.port:
            return host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


def parse_port(text: str) -> int:
    """A port from 0 to 65535. Raises ValueError."""
    if not _PORT.fullmatch(text) or int(text) > 65535:
        raise ValueError(f"{text!r} is not a port: expected a number from 0 to 65535")
    return int(text)


def split_port(text: str) -> tuple[str, str | None]:
    """`host:port`, `[v6]:port`, `host` or a bare IPv6 -> host without brackets, and the port's text or None.

    Raises ValueError if brackets do not match.
    """
    if text.startswith("["):
        inside, bracket, rest = text[1:].partition("]")
        slash = ""
        if rest.startswith("/"):  # `[fd00::]/8:8080`, as well as `[fd00::/8]:8080`
            slash, colon, port = rest.partition(":")
            rest = colon + port
        if not bracket or ":" not in inside or (rest and not rest.startswith(":")):
            raise ValueError("expected [address]:port for IPv6")
        return inside + slash, rest[1:] if rest else None
    if text.count(":") > 1:
        return text, None
    host, colon, port = text.partition(":")
    return host, port if colon else None


def parse_pattern(text: str) -> HostPattern:
    """Read one pattern. Raises ValueError, which says what would be right; the caller names the pattern."""
    text = text.strip()
    if not text:
        raise ValueError(_FORM)
    if "://" in text:
        raise ValueError(f"{_FORM}; without a scheme")
    host, port_text = split_port(text)
    port = parse_port(port_text) if port_text is not None else 0
    if port_text is not None and not port:
        raise ValueError("a pattern's port is from 1 to 65535; leave it out for any port")
    if "%" in host:
        raise ValueError("a pattern has no zone: leave out `%` and what follows it")
    if "/" in host:
        return HostPattern("cidr", _network(host), port)
    if "*" in host:
        suffix = host.removeprefix("*")
        if "*" in suffix or not host.startswith("*") or (suffix and not suffix.startswith(".")):
            raise ValueError("a wildcard stands for whole labels at the front: *.example.internal, or * alone")
        if suffix[1:] and not suffix.strip("0123456789."):
            raise ValueError("a wildcard is for names; for addresses write a CIDR such as 10.0.0.0/8")
        return HostPattern("wildcard", f".{parse_host(suffix[1:])}" if suffix else "", port)
    return HostPattern("exact", parse_host(host), port)


def _network(text: str) -> str:
    address, _, length = text.partition("/")
    if not _LENGTH.fullmatch(length):
        raise ValueError(f"{length!r} is not the length of a network; {_FORM}")
    try:
        parse_host(address)  # its message is better than ip_network's
        wide = ipaddress.ip_network(f"{address}/{length}", strict=False)
    except ValueError as error:
        raise ValueError(f"{error}; {_FORM}") from None
    network = unmapped_network(wide)
    if wide.network_address != ipaddress.ip_address(address):
        raise ValueError(f"{text} has bits set after its length: write {network} for the network")
    return str(network)
