"""The socket of OTLP tells HTTP/1.1 from HTTP/2 by the first bytes, however few come at once."""

from __future__ import annotations

import asyncio

import pytest
from lab.consoles import Console, Start

from proxy.errors import StartError


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
