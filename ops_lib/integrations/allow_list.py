"""Which hosts may receive trace, session and baggage headers.

Pure: knows patterns and names, no HTTP library, no OpenTelemetry. A name is never resolved: a network pattern matches
only a host that is written as an address. The grammar of a pattern is that of the sidecar's `match`: a host,
`*.domain`, a network, and a port.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# host ["/" length] [":" port]; an IPv6 address or network stands in brackets where a port follows, as in RFC 3986
# section 3.2.2.
_BRACKETED = re.compile(r"\[(?P<host>[0-9A-Fa-f:.]+)\](?P<length>/\d{1,3})?(?::(?P<port>\d{1,5}))?")
_PLAIN = re.compile(r"(?P<host>[^\s/:\[\]@?#]+)(?P<length>/\d{1,2})?(?::(?P<port>\d{1,5}))?")
_NAME = re.compile(r"(\*\.)?[A-Za-z0-9_\-\u0080-\U0010ffff]+(\.[A-Za-z0-9_\-\u0080-\U0010ffff]+)*\.?|\*")


@dataclass(frozen=True, slots=True)
class HostRule:
    """One parsed pattern. Exactly one of `host`, `suffix`, `network` is set; all None means any host."""

    host: str | None = None
    suffix: str | None = None  # ".domain", for "*.domain"
    network: Network | None = None
    port: int | None = None  # None: any port

    def matches(
        self, host: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None, port: int | None
    ) -> bool:
        """Whether the rule holds for a normalised `host`, the same as an address if it is one, and `port`."""
        if self.port is not None and self.port != port:
            return False
        if self.network is not None:
            return address is not None and address.version == self.network.version and address in self.network
        if self.suffix is not None:
            return host.endswith(self.suffix) and len(host) > len(self.suffix)
        return self.host is None or self.host == host


@dataclass(frozen=True, slots=True)
class AllowList:
    """An immutable set of rules; a host that matches none of them is outside."""

    rules: tuple[HostRule, ...]

    @classmethod
    def parse(cls, patterns: str | Iterable[str]) -> AllowList:
        """Compile `patterns`: a list, or one string with commas.

        `billing.internal` this host · `*.svc` every host below it, not `svc` itself · `*` every host · `10.0.0.0/8`,
        `[fd00::]/8`,
        `fd00::/8` an address in this network · any of them with `:port`, else any port. Letter case and a closing dot
        do not matter.

        Raises ValueError, naming the pattern, for anything else (a URL, an empty pattern, a port above 65535).
        """
        listed = patterns.split(",") if isinstance(patterns, str) else patterns
        return cls(tuple(_parse_rule(pattern.strip()) for pattern in listed))

    def allows(self, host: str, port: int | None) -> bool:
        """Whether headers may go to `host` (a name or an address, brackets allowed) on `port`."""
        name = host.strip("[]").partition("%")[0].lower().rstrip(".")
        address = _address(name)
        name = str(address) if address is not None else name
        return any(rule.matches(name, address, port) for rule in self.rules)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _parse_rule(pattern: str) -> HostRule:
    if pattern.count(":") > 1 and not pattern.startswith("["):
        host, _, bits = pattern.partition("/")  # a bare IPv6 address or network, which cannot have a port
        length, port_text = (f"/{bits}" if bits else None), None
    else:
        parts = (_BRACKETED if pattern.startswith("[") else _PLAIN).fullmatch(pattern)
        if parts is None:
            raise ValueError(
                f"{pattern!r} is not a host pattern: use host, *.domain, * or a network such as 10.0.0.0/8, "
                "each with :port or without"
            )
        host, length, port_text = parts["host"], parts["length"], parts["port"]
    port = int(port_text) if port_text else None
    if port is not None and not 0 < port < 65536:
        raise ValueError(f"{pattern!r} is not a host pattern: the port must be between 1 and 65535")
    if length is not None:
        try:
            return HostRule(network=ipaddress.ip_network(host + length), port=port)
        except ValueError as problem:
            raise ValueError(f"{pattern!r} is not a network: {problem}") from None
    address = _address(host)
    if address is not None:
        return HostRule(host=str(address), port=port)
    if not _NAME.fullmatch(host):
        raise ValueError(
            f"{pattern!r} is not a host pattern: a star may stand only for the first labels, as in *.domain"
        )
    name = host.lower().rstrip(".")
    if name == "*":
        return HostRule(port=port)
    return HostRule(suffix=name[1:], port=port) if name.startswith("*.") else HostRule(host=name, port=port)
