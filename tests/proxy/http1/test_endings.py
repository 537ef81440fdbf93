"""The ends of answers: before the request is sent, where nobody should trust them, and slow to leave."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from proxy.plan import DrainPlan, Timeouts
from proxy.transport.deadlines import TICK_S

GET = b"GET / HTTP/1.1\r\nHost: app\r\n\r\n"


async def test_close_delimited_answer_before_the_upload_is_read(lab: Any) -> None:
    """The upstream answers early, ends, and reads no more: its answer is whole all the same."""
    sidecar, origin = await lab.pair(timeouts=Timeouts(response_body_s=30))
    origin.by_hand()
    client = await sidecar.connect()
    client.writer.write(b"POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 100000000\r\n\r\n" + bytes(32 << 20))
    app = await origin.accept()
    await app.head()
    await app.send(b"HTTP/1.1 413 Content Too Large\r\nDate: today\r\n\r\ntoo much")
    app.half_close()
    assert (await client.head()).startswith(b"HTTP/1.1 413 ")
    assert await client.until(b"0\r\n\r\n") == b"8\r\ntoo much\r\n0\r\n\r\n"


@pytest.mark.parametrize("field", [b"Content-Length: 5", b"Transfer-Encoding: chunked"])
async def test_204_that_announces_content_ends_its_connection(lab: Any, field: bytes) -> None:
    """What such a server may send a moment later must not meet the next request (RFC 9112, 6.3)."""
    sidecar, origin = await lab.pair()
    origin.answering(b"HTTP/1.1 204 No Content\r\nDate: today\r\n" + field + b"\r\n\r\n")
    client = await sidecar.connect()
    for _ in range(2):
        await client.send(GET)
        assert (await client.head()).startswith(b"HTTP/1.1 204 ")
    assert origin.opened == 2


async def test_a_request_without_its_answer_is_called_that(lab: Any) -> None:
    """After a streamed answer on the same connection, it is the head that does not come, not the body."""
    sidecar, origin = await lab.pair(timeouts=Timeouts(response_head_s=0.3))
    origin.by_hand()
    client = await sidecar.connect()
    await client.send(GET)
    app = await origin.accept()
    await app.head()
    await app.send(b"HTTP/1.1 200 OK\r\nDate: today\r\nContent-Length: 4\r\n\r\nok")
    assert (await client.head()).startswith(b"HTTP/1.1 200 ")
    await app.send(b"ok")
    assert await client.exactly(4) == b"okok"
    await client.send(b"POST / HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
    await app.until(b"a\r\n")
    await client.send(b"0\r\n\r\n")
    assert (await client.head()).startswith(b"HTTP/1.1 504 ")
    assert [record.error for record in sidecar.records] == ["", "response-timeout"]


async def test_drain_waits_for_the_last_bytes(lab: Any) -> None:
    """An answer that is over for us but has not left yet, because its client is slow, is not cut."""
    origin = await lab.origin()
    origin.by_hand()
    sidecar = await lab.sidecar(lab.inbound(lab.upstream(origin)), drain=DrainPlan(timeout_s=20, outbound_linger_s=0))
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # before the window is told
    small.connect(("127.0.0.1", sidecar.port()))
    client = await sidecar.adopt(small)
    client.writer.transport.pause_reading()
    await client.send(GET)
    app = await origin.accept()
    await app.head()
    listener = sidecar.plane._listeners["inbound"]
    (connection,) = listener.connections
    connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    await app.send(b"HTTP/1.1 200 OK\r\nDate: today\r\nContent-Length: 60000\r\n\r\n" + bytes(60_000))
    async with asyncio.timeout(5):
        while sidecar.plane.in_flight():  # noqa: ASYNC110 - the data plane has no event for it
            await asyncio.sleep(TICK_S)
    assert listener.is_busy()
    draining = asyncio.create_task(sidecar.plane.drain())
    await asyncio.sleep(2 * TICK_S)
    assert not draining.done()
    client.writer.transport.resume_reading()
    await client.head()
    assert len(await client.exactly(60_000)) == 60_000
    assert await draining is True
