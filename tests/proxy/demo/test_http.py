"""The wire tap passes every byte on untouched, and notes the trace headers of each request."""

from __future__ import annotations

import asyncio
import socket

from proxy.demo.http import WireTap

FIRST = b"POST /a HTTP/1.1\r\nHost: x\r\nTraceParent: 00-1\r\nContent-Length: 5\r\nX-Other: no\r\n\r\nhello"
SECOND = b"GET /b HTTP/1.1\r\nHost: x\r\nb3: 0\r\nX-Mirascope-Session-Id: s\r\n\r\n"


async def test_bytes_pass_and_heads_are_noted() -> None:
    received = bytearray()

    async def far(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            received.extend(data)
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(far, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    tap = WireTap()
    async with server:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            async with tap.relay(listener, host, port):
                reader, writer = await asyncio.open_connection(*listener.getsockname())
                writer.write(FIRST)
                assert await reader.readexactly(len(FIRST)) == FIRST
                assert tap.take() == (("TraceParent", "00-1"),)
                assert tap.take() == ()
                for byte in SECOND:  # a head that comes in pieces, on the same connection
                    writer.write(bytes([byte]))
                assert await reader.readexactly(len(SECOND)) == SECOND
                assert tap.take() == (("b3", "0"), ("X-Mirascope-Session-Id", "s"))
                writer.write(FIRST + SECOND)
                assert await reader.readexactly(len(FIRST + SECOND)) == FIRST + SECOND
                assert tap.take() == (("b3", "0"), ("X-Mirascope-Session-Id", "s"))  # of the last
                assert tap.take() == ()
                writer.close()
                assert await reader.read() == b""
                await writer.wait_closed()
    assert bytes(received) == (FIRST + SECOND) * 2


async def test_nobody_behind_it(unused_tcp_port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with WireTap().relay(listener, "127.0.0.1", unused_tcp_port):
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()


async def test_the_end_of_the_relay_ends_its_connections() -> None:
    arrived = asyncio.Event()

    async def far(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(SECOND))
        arrived.set()
        assert await reader.read() == b""  # the relay's end reaches this side too
        writer.close()

    server = await asyncio.start_server(far, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            async with WireTap().relay(listener, host, port):
                reader, writer = await asyncio.open_connection(*listener.getsockname())
                writer.write(SECOND)
                await arrived.wait()
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
