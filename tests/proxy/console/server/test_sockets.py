"""The socket of OTLP tells HTTP/1.1 from HTTP/2 by the first bytes, however few come at once."""

from __future__ import annotations

import asyncio

import pytest
from lab.consoles import Console, Start
from lab.transports import FakeTransport

from proxy.console.server.sockets import FirstBytes
from proxy.errors import StartError

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # RFC 9113, 3.4


class Protocol(asyncio.Protocol):
    """What came."""

    def __init__(self) -> None:
        self.transport: asyncio.BaseTransport | None = None
        self.came = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.came += data


@pytest.mark.parametrize(
    ("pieces", "chosen"),
    [
        ([b"G"], "http1"),
        ([b"PRI"], ""),
        ([b"P", b"O"], "http1"),
        ([PREFACE[:-1]], ""),
        ([PREFACE[:-1], b"\n"], "http2"),
        ([PREFACE[:-1], b"x"], "http1"),
        ([PREFACE], "http2"),
        ([PREFACE + b"more"], "http2"),
    ],
)
def test_who_speaks_is_told_by_as_few_bytes_as_can_tell(pieces: list[bytes], chosen: str) -> None:
    """Whoever it is gets them all, and the connection."""
    made = {"http1": Protocol(), "http2": Protocol()}
    transport = FakeTransport()
    first = FirstBytes(lambda: made["http1"], lambda: made["http2"])
    first.connection_made(transport)
    for piece in pieces:
        first.data_received(piece)
    assert {name: one.came for name, one in made.items() if one.came} == ({chosen: b"".join(pieces)} if chosen else {})
    if chosen:
        assert transport.protocol is made[chosen]
        assert made[chosen].transport is transport


async def test_a_request_in_single_bytes_is_read(console: Console) -> None:
    host, _, port = console.otlp.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    for byte in b"POST /v1/nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n":
        writer.write(bytes((byte,)))
        await writer.drain()
    assert b" 404 " in await reader.readline()
    writer.close()


async def test_an_address_that_is_taken_is_named(console: Console, start_console: Start) -> None:
    taken = console.url.removeprefix("http://")
    with pytest.raises(StartError, match=f"the console cannot listen on {taken} .*: .*in use"):
        await start_console(listen=taken)
    with pytest.raises(StartError, match=r"the console cannot listen on unix:/nowhere/at/all .*: "):
        await start_console(otlp="unix:/nowhere/at/all")
