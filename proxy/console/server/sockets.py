"""The console's listening sockets. OTLP's looks at the first bytes: gRPC gets an answer that says what to set."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, cast

from proxy.address import Address
from proxy.errors import StartError
from proxy.telemetry.otlp.protobuf import varint

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # RFC 9113, 3.4
_HEADERS: Final = 1
_SETTINGS: Final = 4
_PING: Final = 6
_GOAWAY: Final = 7
_ACK: Final = 1
_END: Final = 0x05  # END_HEADERS and END_STREAM
_MOST_BUFFERED: Final = 64 * 1024


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
    """Hands the connection to aiohttp, unless it begins as HTTP/2: then it is refused in HTTP/2's own words."""

    def __init__(self, make: Callable[[], asyncio.Protocol], advice: str, on_refusal: Callable[[], None]) -> None:
        self._make = make
        self._advice = advice
        self._on_refusal = on_refusal
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
        if len(self._start) < len(_PREFACE) and _PREFACE.startswith(self._start):
            return
        if self._start.startswith(_PREFACE):
            self._on_refusal()
            chosen: asyncio.Protocol = _Refusal(self._advice)
            rest = self._start[len(_PREFACE) :]
        else:
            chosen, rest = self._make(), self._start
        transport.set_protocol(chosen)
        chosen.connection_made(transport)
        if rest:
            chosen.data_received(rest)


class _Refusal(asyncio.Protocol):
    """Answers each gRPC call with UNIMPLEMENTED. Reads no header, so it needs no HPACK decoder."""

    def __init__(self, advice: str) -> None:
        message = advice.encode("ascii").replace(b"%", b"%25")
        # RFC 7541, 6.1 and 6.2.2: `:status: 200` from the static table, the others literally, without indexing.
        self._block = b"\x88" + b"".join(
            b"\x00" + _text(name) + _text(value)
            for name, value in (
                (b"content-type", b"application/grpc"),
                (b"grpc-status", b"12"),
                (b"grpc-message", message),
            )
        )
        self._transport: asyncio.Transport | None = None
        self._waiting = b""
        self._skip = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """RFC 9113, 3.4: the server's preface is SETTINGS."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class
        self._transport.write(_frame(_SETTINGS, 0, 0))

    def data_received(self, data: bytes) -> None:
        """Frames: their content is skipped."""
        assert self._transport is not None
        data = self._waiting + data
        while True:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
            if len(data) < 9:
                break
            size, kind, flags = int.from_bytes(data[:3], "big"), data[3], data[4]
            stream = int.from_bytes(data[5:9], "big") & 0x7FFFFFFF
            if kind == _PING and not flags & _ACK:
                if len(data) < 17 or size != 8:
                    break
                self._transport.write(_frame(_PING, _ACK, 0, data[9:17]))
            elif kind == _SETTINGS and not flags & _ACK:
                self._transport.write(_frame(_SETTINGS, _ACK, 0))
            elif kind == _HEADERS and stream:
                self._transport.write(_frame(_HEADERS, _END, stream, self._block))
            elif kind == _GOAWAY:
                self._transport.close()
                return
            data = data[9:]
            self._skip = size
        self._waiting = data
        if len(self._waiting) > _MOST_BUFFERED:
            self._transport.close()


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _text(value: bytes) -> bytes:
    """RFC 7541, 5.2 and 5.1: a string, not Huffman-coded, its length with a prefix of 7 bits."""
    if len(value) < 127:
        return bytes((len(value),)) + value
    return b"\x7f" + varint(len(value) - 127) + value
