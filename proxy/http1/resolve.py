"""Host names to addresses, remembered for a while. May know the event loop's resolver; must not know connections."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

from proxy.http1.errors import Fault, Refusal


def literal_address(host: str) -> str | None:
    """`host` where it is an IPv4 or IPv6 literal (a zone may follow), else None."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return None
    return host


class Resolver:
    """The addresses of one host. A failed refresh keeps the old ones: a DNS that is down does not take upstreams with
    it.
    """

    def __init__(self, host: str, port: int, refresh_s: float) -> None:
        self.host = host
        self.port = port
        self.refresh_s = refresh_s
        self._literal = literal_address(host)
        self._addresses: tuple[str, ...] = ()
        self._expires = 0.0

    def is_stale(self, now: float) -> bool:
        """Whether `addresses` would ask again."""
        return self._literal is None and now >= self._expires

    @property
    def known(self) -> tuple[str, ...]:
        """The addresses found last; nothing is asked."""
        return (self._literal,) if self._literal is not None else self._addresses

    async def addresses(self) -> tuple[str, ...]:
        """All addresses of the host, as the system orders them. Raises Refusal where there is none."""
        loop = asyncio.get_running_loop()
        if not self.is_stale(loop.time()):
            return self.known
        try:
            found = await loop.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            if not self._addresses:
                raise Refusal(Fault.DNS_ERROR, f"the name {self.host} has no address: {error}") from None
        else:
            self._addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
        self._expires = loop.time() + self.refresh_s
        return self._addresses
