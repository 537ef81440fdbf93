"""Addresses, targets and host patterns: text in, a checked value out. Pure.

May know the grammar of listening addresses and URLs; that of hosts and patterns is `ops_lib.hosts`.
Must not know any key, file or environment.
Every parser raises ValueError with a message that says what would be right.
The caller names the value.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network
from typing import Literal
from urllib.parse import urlsplit

from ops_lib.hosts import HostPattern, IPNetwork, read_address
from ops_lib.hosts import parse_host as read_host
from ops_lib.hosts import parse_pattern as read_pattern
from ops_lib.hosts.patterns import parse_port, split_port
from proxy.address import Address
from proxy.settings.words import OFF_WORDS, ON_WORDS


@dataclass(frozen=True, slots=True)
class TargetUrl:
    """Where an upstream is: scheme and address, never a path."""

    scheme: Literal["http", "https"]
    endpoint: Address

    def __str__(self) -> str:
        """As written in the settings."""
        return str(self.endpoint) if self.endpoint.unix_path else f"{self.scheme}://{self.endpoint}"


def parse_host(value: object) -> str:
    """A host name in lower case, or an IP address in its shortest form; without a port."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("expected a host name or an IP address")
    return read_host(value.strip())


def parse_endpoint(text: str) -> Address:
    """`host:port`, `[::1]:port` or `unix:/path` as an Address."""
    form = "expected host:port, [ipv6]:port or unix:/path"
    if not isinstance(text, str):
        raise ValueError(form)
    text = text.strip()
    if text.startswith("unix:"):
        return Address(unix_path=_unix_path(text.removeprefix("unix:")))
    host, port = split_port(text)
    if not host:
        raise ValueError(f"{form}; for every interface write 0.0.0.0{text} or [::]{text}")
    if port is None:
        lacks_brackets = ":" in host and not text.startswith("[")
        raise ValueError(form + ("; the IPv6 address needs brackets" if lacks_brackets else "; the port is missing"))
    return Address(read_host(host), parse_port(port))


def parse_listen(value: object) -> Address | None:
    """As `parse_endpoint`; `off`, `null` or `false` is None: no such listener."""
    if value is None or value is False or (isinstance(value, str) and value.strip().lower() in OFF_WORDS):
        return None
    if value is True or (isinstance(value, str) and value.strip().lower() in ON_WORDS):
        raise ValueError("expected host:port, [ipv6]:port, unix:/path or off; leave the key out for its default")
    if not isinstance(value, str):
        raise ValueError("expected host:port, [ipv6]:port, unix:/path or off")
    try:
        return parse_endpoint(value)
    except ValueError as error:
        raise ValueError(f"{error}; or off") from None


def parse_listens(value: object) -> tuple[Address, ...]:
    """One address or several, as a list or as text with commas; `off`, `null` or `false` is none."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)):
        only = parse_listen(items)
        return (only,) if only is not None else ()
    if len(items) == 1 and isinstance(value, str):
        only = parse_listen(value)
        return (only,) if only is not None else ()
    found: list[Address] = []
    for item in items:
        if not isinstance(item, str):
            raise ValueError("expected a list of addresses: host:port, [ipv6]:port or unix:/path")
        address = parse_endpoint(item)
        if address in found:
            raise ValueError(f"{address} is in the list twice")
        found.append(address)
    if not found:
        raise ValueError("expected at least one address, or off")
    return tuple(found)


def _unix_path(path: str) -> str:
    path = "/" + path.lstrip("/") if path.startswith("//") else path
    if not path.startswith("/") or len(path) < 2:
        raise ValueError("expected unix:/path with an absolute path")
    if len(path.encode()) > 107 or "\0" in path:
        raise ValueError("a Unix socket's path has at most 107 bytes")
    return path


def parse_target(value: object) -> TargetUrl:
    """`http://host[:port]`, `https://host[:port]` or `unix:/path` as a TargetUrl."""
    form = "expected http://host[:port], https://host[:port] or unix:/path"
    if not isinstance(value, str):
        raise ValueError(form)
    text = value.strip()
    if text.startswith("unix:"):
        return TargetUrl("http", Address(unix_path=_unix_path(text.removeprefix("unix:"))))
    try:
        url = urlsplit(text)
    except ValueError:
        raise ValueError(form) from None
    if url.scheme not in ("http", "https") or not url.netloc:
        raise ValueError(form)
    if "@" in url.netloc:
        raise ValueError("a target carries no user name or password")
    if url.path not in ("", "/") or url.query or url.fragment or "?" in text or "#" in text:
        raise ValueError("a target has no path, query or fragment: paths pass through as the request has them")
    host, port = split_port(url.netloc)
    if not host:
        raise ValueError(form)
    scheme: Literal["http", "https"] = "https" if url.scheme == "https" else "http"
    number = parse_port(port) if port is not None else (443 if scheme == "https" else 80)
    if not number:
        raise ValueError("a target needs a port from 1 to 65535")
    return TargetUrl(scheme, Address(read_host(host), number))


def parse_network(value: str) -> IPNetwork:
    """A CIDR, or an address: a network of one."""
    pattern = read_pattern(value)
    address = read_address(pattern.host) if pattern.kind == "exact" else None
    if pattern.port or (pattern.kind != "cidr" and address is None):
        raise ValueError(f"{value} is not an address or a CIDR such as 10.0.0.0/8, without a port")
    return ip_network(pattern.host if address is None else str(address))


def parse_pattern(value: object) -> HostPattern:
    """`host`, `*.suffix`, `*`, an IP address or a CIDR, each with `:port` if wanted (IPv6 then in brackets)."""
    return read_pattern(value if isinstance(value, str) else "")
