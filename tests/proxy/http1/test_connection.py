"""How a client's connection ends: what was written before arrives."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proxy.http1 import connection
from proxy.plan import Limits


async def test_half_closed_client_is_answered(lab: Any) -> None:
    sidecar, origin = await lab.pair()
    origin.by_hand()
    wire = await sidecar.connect()
    await wire.send(b"GET / HTTP/1.1\r\nHost: app\r\n\r\n")
    upstream = await origin.accept()
    await upstream.head()
    wire.half_close()
    await upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    answer = await wire.rest()
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.endswith(b"ok")


async def test_a_refusal_is_not_reset_away(lab: Any) -> None:
    """The client is still sending when it is refused; it must be able to read the answer afterwards."""
    sidecar, _ = await lab.pair(limits=Limits(body_bytes=10))
    wire = await sidecar.connect()
    await wire.send(b"POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 1000000\r\n\r\n")
    for _ in range(100):
        await wire.send(b"x" * 10_000)
        await asyncio.sleep(0)
    assert (await wire.rest()).startswith(b"HTTP/1.1 413 ")


async def test_last_answer_reaches_a_client_that_reads_late(
    lab: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written is not thrown away because the connection ends after it."""
    monkeypatch.setattr(connection, "_LINGER_S", 0.1)
    size = 24 << 20  # more than the kernel holds
    sidecar, origin = await lab.pair(limits=Limits(buffer_bytes=size))
    origin.answering(b"HTTP/1.1 200 OK\r\nDate: today\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
    wire = await sidecar.connect()
    await wire.send(b"GET / HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n")
    await wire.head()
    (client,) = sidecar.plane._listeners["inbound"].connections
    wire.writer.transport.pause_reading()
    await eventually(lambda: not sidecar.plane.in_flight())
    assert client.transport.get_write_buffer_size()
    await asyncio.sleep(0.5)
    wire.writer.transport.resume_reading()
    assert len(await wire.rest()) == size
