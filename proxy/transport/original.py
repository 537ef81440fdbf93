"""Where a redirected connection was meant to go: what nftables or iptables REDIRECT has replaced.

May know sockets, nothing else. Linux alone has the options; elsewhere nothing is ever redirected.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import Any, Final

from proxy.address import Address
from proxy.transport.sockets import address_of

# linux/netfilter_ipv4.h and linux/netfilter_ipv6/ip6_tables.h
_SO_ORIGINAL_DST: Final = 80
_IP6T_SO_ORIGINAL_DST: Final = 80
_SOCKADDR_IN_BYTES: Final = 16
_SOCKADDR_IN6_BYTES: Final = 28
_LINK_LOCAL: Final = "fe80:"


def original_destination(transport: asyncio.BaseTransport) -> Address | None:
    """Where the client of `transport` wanted to go; None if nobody redirected it."""
    endpoint = transport.get_extra_info("socket")
    local = transport.get_extra_info("sockname")
    if endpoint is None or not isinstance(local, tuple):
        return None
    found = _found(endpoint, is_ipv4=bool(address_of(local)) and b":" not in address_of(local))
    is_here = found is not None and (found.host, found.port) == (address_of(local).decode("ascii"), local[1])
    return None if is_here else found


def _found(endpoint: Any, *, is_ipv4: bool) -> Address | None:
    """What the kernel remembers; for a connection that nobody redirected this may be its own end."""
    with contextlib.suppress(OSError):  # the kernel tracks no connection here, or not this one
        if is_ipv4:
            return _ipv4(endpoint.getsockopt(socket.SOL_IP, _SO_ORIGINAL_DST, _SOCKADDR_IN_BYTES))
        return _ipv6(endpoint.getsockopt(socket.IPPROTO_IPV6, _IP6T_SO_ORIGINAL_DST, _SOCKADDR_IN6_BYTES))
    return None


def _ipv4(raw: bytes) -> Address:
    """A sockaddr_in: family, port, address."""
    port, packed = struct.unpack_from("!2xH4s", raw)
    return Address(socket.inet_ntop(socket.AF_INET, packed), port)


def _ipv6(raw: bytes) -> Address:
    """A sockaddr_in6: family, port, flow, address, scope."""
    port, packed = struct.unpack_from("!2xH4x16s", raw)
    scope = struct.unpack_from("=I", raw, 24)[0]
    host = socket.inet_ntop(socket.AF_INET6, packed)
    return Address(f"{host}%{scope}" if scope and host.startswith(_LINK_LOCAL) else host, port)
