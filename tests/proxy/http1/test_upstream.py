"""One connection to an upstream: what is taken for the beginning of a response."""

from __future__ import annotations

from typing import Any

REQUEST = b"GET / HTTP/1.1\r\nHost: app\r\n\r\n"


async def test_nothing_stands_before_a_status_line(lab: Any) -> None:
    """Empty lines are the rest of something else, and so may be what follows them."""
    sidecar, origin = await lab.pair()
    origin.answering(b"\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    wire = await sidecar.connect()
    await wire.send(REQUEST)
    assert (await wire.message())[0].startswith(b"HTTP/1.1 502 ")


async def test_a_status_of_no_class(lab: Any) -> None:
    """RFC 9110, 15: a status beyond 599 is to be taken for a 5xx. It is passed on, and counted as one."""
    sidecar, origin = await lab.pair()
    origin.answering(*[b"HTTP/1.1 999 No\r\nContent-Length: 2\r\n\r\nno"] * 2)
    wire = await sidecar.connect()
    for _ in range(2):
        await wire.send(REQUEST)
        assert (await wire.message())[0].startswith(b"HTTP/1.1 999 No\r\n")
    assert sidecar.metrics.exchange("inbound", "app").requests[5] == 2
