"""The console's listening sockets. OTLP's looks at the first bytes, which tell HTTP/1.1 from HTTP/2."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from proxy.address import Address
from proxy.errors import StartError
from proxy.http2.engine.codes import PREFACE


async def listen(
    make: Callable[[], asyncio.BaseProtocol], address: Address, what: str
) -> tuple[asyncio.Server, Address]:
    """Bind and accept; the address with its real port. Raises StartError."""
    loop = asyncio.get_running_loop()
    try:
        if address.unix_path:
            return await loop.create_unix_server(make, address.unix_path), address
        server = await loop.create_server(make, address.host, address.port)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StartError(f"the console cannot listen on {address} ({what}): {reason}") from None
    return server, Address(*server.sockets[0].getsockname()[:2])


class FirstBytes(asyncio.Protocol):
    """Hands the connection to aiohttp, or, if it begins as HTTP/2 (RFC 9113, 3.4), to whoever speaks that."""

    def __init__(self, make: Callable[[], Any], make_http2: Callable[[], Any]) -> None:
        """Both make protocols; compiled ones do not inherit from asyncio's."""
        self._make = make
        self._make_http2 = make_http2
        self._transport: asyncio.Transport | None = None
        self._start = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first bytes."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class

    def data_received(self, data: bytes) -> None:
        """Enough of them tell."""
        transport = self._transport
        assert transport is not None
        self._start += data
        if len(self._start) < len(PREFACE) and PREFACE.startswith(self._start):
            return
        chosen = self._make_http2() if self._start.startswith(PREFACE) else self._make()
        transport.set_protocol(chosen)
        chosen.connection_made(transport)
        chosen.data_received(self._start)
