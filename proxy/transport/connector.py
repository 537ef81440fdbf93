"""Opens connections to upstreams: TCP, TLS, Unix sockets; every address of a name is tried.

May know sockets and TLS. Must not know what is made of a connection, which may hang on what TLS has agreed upon.
Foreign exceptions become a `Refusal` here and nowhere else.
"""

from __future__ import annotations

import asyncio
import errno
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar, cast

from proxy.plan import UpstreamTarget
from proxy.semantics.faults import Fault, Refusal
from proxy.transport.resolve import Resolver

P = TypeVar("P")  # has the methods of an asyncio.Protocol

_UNREACHABLE = frozenset((errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EHOSTDOWN, errno.ENETDOWN))


class Connector:
    """Connects to one target."""

    def __init__(self, target: UpstreamTarget, resolver: Resolver, leads_back: Callable[[str, int], bool]) -> None:
        """`leads_back`: whether what is sent to an address and port would come here again."""
        self.target = target
        self.resolver = resolver
        self._leads_back = leads_back
        self._turn = 0

    async def connect(self, make: Callable[[str], P], timeout_s: float, *, tls: bool = True) -> P:
        """A new connection: what `make` has made of it, given the protocol that TLS agreed upon (ALPN), empty for none.

        Name look-up, every address and the TLS handshake share `timeout_s`. Raises Refusal.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._connect(make, timeout_s, tls)
        except TimeoutError:
            raise Refusal(Fault.CONNECT_TIMEOUT, f"no connection to the upstream within {timeout_s:g} s") from None

    async def _connect(self, make: Callable[[str], P], timeout_s: float, tls: bool) -> P:
        loop = asyncio.get_running_loop()
        address = self.target.address
        context = self.target.tls if tls and self.target.scheme == "https" else None
        name = self.target.server_name or address.host if context is not None else None
        if address.unix_path:
            try:
                _, made = await loop.create_unix_connection(
                    partial(_Made, make), address.unix_path, ssl=context, server_hostname=name or None
                )
            except (OSError, ssl.SSLError) as error:
                raise refusal_of(error, address.unix_path) from None
            return made.protocol
        addresses = await self.resolver.addresses()
        # Each new connection begins with the next address, so that they share the load.
        self._turn = (self._turn + 1) % len(addresses)
        ordered = addresses[self._turn :] + addresses[: self._turn]
        deadline = loop.time() + timeout_s
        failure: Refusal | None = None
        for position, ip in enumerate(ordered):
            if self._leads_back(ip, address.port):
                raise Refusal(Fault.LOOP, "the request would be sent to the sidecar itself")
            # The time that is left is shared out evenly, so that one dead address does not use up the others' share.
            share_s = (deadline - loop.time()) / (len(ordered) - position)
            try:
                async with asyncio.timeout(share_s):
                    _, made = await loop.create_connection(
                        partial(_Made, make), ip, address.port, ssl=context, server_hostname=name
                    )
                return made.protocol
            except TimeoutError:
                failure = Refusal(Fault.CONNECT_TIMEOUT, f"{ip} port {address.port} did not answer")
            except (OSError, ssl.SSLError) as error:
                failure = refusal_of(error, f"{ip} port {address.port}")
        assert failure is not None, "a name has at least one address"
        raise failure


class _Made(asyncio.Protocol, Generic[P]):
    """Stands at a transport until it is connected, TLS included; then the one that `make` chooses takes its place."""

    protocol: P

    def __init__(self, make: Callable[[str], P]) -> None:
        self._make = make

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        tls: Any = transport.get_extra_info("ssl_object")
        agreed = tls.selected_alpn_protocol() if tls is not None else None
        self.protocol = self._make(agreed or "")
        protocol = cast(asyncio.Protocol, self.protocol)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)


def refusal_of(error: OSError, where: str) -> Refusal:
    """The fault behind what a socket or TLS said."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Refusal(Fault.TLS_CERTIFICATE, f"the certificate of {where} is not trusted: {error.verify_message}")
    if isinstance(error, ssl.SSLError):
        return Refusal(Fault.TLS_ERROR, f"TLS with {where} failed: {getattr(error, 'reason', None) or error}")
    if isinstance(error, ConnectionRefusedError | FileNotFoundError):
        return Refusal(Fault.CONNECTION_REFUSED, f"{where} refuses connections")
    if error.errno == errno.ETIMEDOUT:
        return Refusal(Fault.CONNECT_TIMEOUT, f"{where} did not answer")
    if error.errno in _UNREACHABLE:
        return Refusal(Fault.UNREACHABLE, f"{where} cannot be reached: {error.strerror}")
    return Refusal(Fault.CONNECTION_LOST, f"the connection to {where} failed: {error.strerror or error}")
