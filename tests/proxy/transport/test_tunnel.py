"""Tunnels: CONNECT and 101. Bytes pass untouched, each way ends on its own."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.plan import Router, Timeouts

UPGRADE = (
    b"GET /chat HTTP/1.1\r\nHost: app\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: x\r\n\r\n"
)
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: y\r\n\r\n"
)
BYTES = bytes(range(256)) * 100


async def connected(lab: Any, **changes: Any) -> tuple[Any, Any, Any]:
    origin = await lab.origin()
    origin.by_hand()
    upstream = lab.upstream(None, "other", **changes)
    sidecar = await lab.sidecar(lab.outbound(Router(upstream), connect=True))
    wire = await sidecar.connect("outbound")
    await wire.send(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: x:1\r\n\r\n" % origin.port)
    assert (await wire.head()).startswith(b"HTTP/1.1 200 ")
    return sidecar, wire, await origin.accept()


async def test_connect(lab: Any, eventually: Any) -> None:
    sidecar, wire, upstream = await connected(lab)
    await wire.send(BYTES)
    assert await upstream.exactly(len(BYTES)) == BYTES
    await upstream.send(BYTES)
    assert await wire.exactly(len(BYTES)) == BYTES
    metrics = sidecar.metrics.listener("outbound")
    assert metrics.tunnels_total == {"connect": 1}
    assert (metrics.tunnel_bytes_in, metrics.tunnel_bytes_out) == (len(BYTES), len(BYTES))
    assert sidecar.plane.in_flight("outbound") == 1
    await wire.close()
    assert await upstream.rest() == b""
    await upstream.close()
    await eventually(lambda: sidecar.plane.in_flight() == 0)
    assert metrics.tunnels_open == 0


async def test_each_way_ends_on_its_own(lab: Any) -> None:
    _, wire, upstream = await connected(lab)
    await wire.send(b"the last of it")
    wire.half_close()
    assert await upstream.rest() == b"the last of it"
    await upstream.send(b"the answer")
    await upstream.close()
    assert await wire.rest() == b"the answer"


async def test_bytes_sent_with_connect_are_the_tunnels(lab: Any) -> None:
    origin = await lab.origin()
    origin.by_hand()
    sidecar = await lab.sidecar(lab.outbound(Router(lab.upstream(None, "other")), connect=True))
    wire = await sidecar.connect("outbound")
    await wire.send(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: x:1\r\n\r\nhello" % origin.port)
    assert await (await origin.accept()).exactly(5) == b"hello"


async def test_an_idle_tunnel_is_closed(lab: Any) -> None:
    _, wire, upstream = await connected(lab, timeouts=Timeouts(tunnel_idle_s=0.2))
    assert await wire.rest() == b""
    assert await upstream.rest() == b""


async def test_a_tunnel_to_nobody(lab: Any) -> None:
    sidecar = await lab.sidecar(lab.outbound(Router(lab.upstream(None, "other")), connect=True))
    answer = await sidecar.ask(b"CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: x:1\r\n\r\n", "outbound")
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert sidecar.plane.in_flight() == 0


@pytest.mark.parametrize(
    "request_",
    [
        b"CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT /x HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT me@a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT a:99999 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
async def test_a_bad_connect(lab: Any, request_: bytes) -> None:
    sidecar = await lab.sidecar(lab.outbound(Router(lab.upstream(None, "other")), connect=True))
    assert (await sidecar.ask(request_, "outbound")).startswith(b"HTTP/1.1 400 ")


async def test_connect_where_it_is_off(lab: Any) -> None:
    sidecar = await lab.sidecar(lab.outbound(Router(lab.upstream(None, "other")), connect=False))
    answer = await sidecar.ask(b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "outbound")
    assert answer.startswith(b"HTTP/1.1 405 ")


async def test_connect_to_the_sidecar_itself(lab: Any) -> None:
    sidecar = await lab.sidecar(lab.outbound(Router(lab.upstream(None, "other")), connect=True))
    request = b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: a\r\n\r\n" % sidecar.port("outbound")
    assert (await sidecar.ask(request, "outbound")).startswith(b"HTTP/1.1 508 ")


async def test_upgrade(lab: Any) -> None:
    """Bytes that came with either head belong to the new protocol."""
    sidecar, origin = await lab.pair()
    origin.by_hand()
    wire = await sidecar.connect()
    await wire.send(UPGRADE + b"early client")
    upstream = await origin.accept()
    head = await upstream.head()
    assert b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" in head
    assert b"\r\nSec-WebSocket-Key: x\r\n" in head
    await upstream.send(SWITCH + b"early server")
    head = await wire.head()
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" in head
    assert b"\r\nSec-WebSocket-Accept: y\r\n" in head
    assert await upstream.exactly(12) == b"early client"
    assert await wire.exactly(12) == b"early server"
    await wire.send(BYTES)
    assert await upstream.exactly(len(BYTES)) == BYTES
    assert sidecar.metrics.listener("inbound").tunnels_total == {"upgrade": 1}


async def test_an_upgrade_that_is_declined(lab: Any) -> None:
    """The connection goes on as HTTP, with what came behind the request."""
    sidecar, origin = await lab.pair()
    wire = await sidecar.connect()
    await wire.send(UPGRADE + b"GET /2 HTTP/1.1\r\nHost: app\r\n\r\n")
    for _ in range(2):
        assert (await wire.message())[1] == b"ok"
    assert origin.requests[1].startswith(b"GET /2 ")


@pytest.mark.parametrize(
    "fields",
    [
        b"Connection: upgrade\r\nUpgrade: h2c\r\n",
        b"Connection: upgrade\r\nUpgrade: TLS/1.0\r\n",
        b"Connection: upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM\r\n",
        b"Upgrade: websocket\r\n",
        b"Connection: upgrade\r\n",
    ],
)
async def test_what_is_not_an_upgrade(lab: Any, fields: bytes) -> None:
    sidecar, origin = await lab.pair()
    wire = await sidecar.connect()
    await wire.send(b"GET / HTTP/1.1\r\nHost: app\r\n" + fields + b"\r\n")
    await wire.message()
    lower = origin.requests[0].lower()
    assert b"upgrade" not in lower
    assert b"http2-settings" not in lower


async def test_http_1_0_cannot_upgrade(lab: Any) -> None:
    sidecar, origin = await lab.pair()
    await sidecar.ask(UPGRADE.replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"keep-alive, ", b""))
    assert b"Upgrade" not in origin.requests[0]
