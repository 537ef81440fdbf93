"""Addresses, targets and host patterns: text in, a checked value out. Pure.

May know the grammar of hosts, ports and URLs. Must not know any key, file or environment.
Every parser raises ValueError with a message that says what would be right; the value itself is named by the caller.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from proxy.address import Address

OFF_WORDS = frozenset({"off", "none", "null", "false", "no", "disabled"})
_PORT = re.compile(r"[0-9]{1,5}\Z")
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?\Z")  # RFC 1123, and `_`


@dataclass(frozen=True, slots=True)
class TargetUrl:
    """Where an upstream is: scheme and address, never a path."""

    scheme: Literal["http", "https"]
    endpoint: Address

    def __str__(self) -> str:
        """As it would be written in the settings."""
        return str(self.endpoint) if self.endpoint.unix_path else f"{self.scheme}://{self.endpoint}"


@dataclass(frozen=True, slots=True)
class HostPattern:
    """What an upstream answers to. `host` is the exact host, the wildcard's suffix (with its dot, or empty), or the
    CIDR.
    """

    kind: Literal["exact", "wildcard", "cidr"]
    host: str
    port: int = 0  # 0: any port

    def __str__(self) -> str:
        """As it would be written in the settings."""
        host = f"*{self.host}" if self.kind == "wildcard" else self.host
        if not self.port:
            return host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


def _port(text: str) -> int:
    if not _PORT.match(text) or int(text) > 65535:
        raise ValueError(f"{text!r} is no port: expected a number from 0 to 65535")
    return int(text)


def _host(text: str) -> str:
    """A host name in lower case without a final dot, or an IP literal in its shortest form."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        pass
    if re.fullmatch(r"[0-9.]+", text):
        raise ValueError(f"{text!r} is no IPv4 address")
    if ":" in text:
        raise ValueError(f"{text!r} is no IPv6 address")
    if not _HOST_NAME.match(text) or len(text) > 253:
        raise ValueError(
            f"{text!r} is no host name" + ("" if text.isascii() else " (write it in its ASCII form, xn--...)")
        )
    return text.lower().removesuffix(".")


def parse_host(value: object) -> str:
    """A host name in lower case, or an IP address in its shortest form; without a port."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("expected a host name or an IP address")
    return _host(value.strip())


def _split_port(text: str) -> tuple[str, str | None]:
    """`host:port`, `[v6]:port`, `host` or a bare IPv6 -> host, port or None."""
    if text.startswith("["):
        inside, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError("expected [address]:port for IPv6")
        return inside, rest[1:] if rest else None
    if text.count(":") > 1:
        return text, None
    host, colon, port = text.partition(":")
    return host, port if colon else None


def parse_endpoint(text: str) -> Address:
    """`host:port`, `[::1]:port` or `unix:/path` as an Address."""
    form = "expected host:port, [ipv6]:port or unix:/path"
    if not isinstance(text, str):
        raise ValueError(form)
    text = text.strip()
    if text.startswith("unix:"):
        return Address(unix_path=_unix_path(text.removeprefix("unix:")))
    host, port = _split_port(text)
    if not host:
        raise ValueError(f"{form}; for every interface write 0.0.0.0{text} or [::]{text}")
    if port is None:
        raise ValueError(form + ("; the IPv6 address needs brackets" if ":" in host else "; the port is missing"))
    return Address(_host(host), _port(port))


def parse_listen(value: object) -> Address | None:
    """As `parse_endpoint`; `off`, `null` or `false` is None: no such listener."""
    if value is None or value is False or (isinstance(value, str) and value.strip().lower() in OFF_WORDS):
        return None
    if not isinstance(value, str):
        raise ValueError("expected host:port, [ipv6]:port, unix:/path or off")
    try:
        return parse_endpoint(value)
    except ValueError as error:
        raise ValueError(f"{error}; or off") from None


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
    host, port = _split_port(url.netloc)
    if not host:
        raise ValueError(form)
    scheme: Literal["http", "https"] = "https" if url.scheme == "https" else "http"
    number = _port(port) if port is not None else (443 if scheme == "https" else 80)
    if not number:
        raise ValueError("a target needs a port from 1 to 65535")
    return TargetUrl(scheme, Address(_host(host), number))


def parse_pattern(value: object) -> HostPattern:
    """`host`, `*.suffix`, `*`, an IP address or a CIDR, each with `:port` if wanted (IPv6 then in brackets)."""
    form = "expected a host, *.suffix, *, an address or a CIDR such as 10.0.0.0/8, each with or without :port"
    if not isinstance(value, str) or not value.strip():
        raise ValueError(form)
    text = value.strip()
    if "://" in text:
        raise ValueError(f"{form}; without a scheme")
    host, port_text = _split_port(text)
    port = _port(port_text) if port_text is not None else 0
    if port_text is not None and not port:
        raise ValueError("a pattern's port is from 1 to 65535; leave it out for any port")
    if "/" in host:
        try:
            return HostPattern("cidr", str(ipaddress.ip_network(host)), port)
        except ValueError as error:
            raise ValueError(f"{error}; {form}") from None
    if "*" in host:
        suffix = host.removeprefix("*")
        if "*" in suffix or not host.startswith("*") or (suffix and not suffix.startswith(".")):
            raise ValueError("a wildcard stands for whole labels at the front: *.example.internal, or * alone")
        if suffix and not suffix.strip("0123456789."):
            raise ValueError("a wildcard is for names; for addresses write a CIDR such as 10.0.0.0/8")
        return HostPattern("wildcard", f".{_host(suffix[1:])}" if suffix else "", port)
    return HostPattern("exact", _host(host), port)
