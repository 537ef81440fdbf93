"""A process with few file descriptors still answers whom it takes."""

from __future__ import annotations

from typing import Any

from proxy.plan import Router
from proxy.transport.descriptors import NO_LIMIT, Descriptors

GET = b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n"


def test_a_part_is_kept_for_others() -> None:
    assert Descriptors(1024).most == 480
    assert Descriptors(1).most == 1
    assert Descriptors().most > 1_000_000 < NO_LIMIT


async def test_clients_beyond_are_closed_and_counted(lab: Any, eventually: Any) -> None:
    sidecar = await lab.sidecar(lab.inbound(lab.upstream(await lab.origin())), file_limit=64 + 2 * 3)
    wires = [await sidecar.connect() for _ in range(5)]
    metrics = sidecar.metrics.listener("inbound")
    await eventually(lambda: metrics.connections_refused == {"file-descriptors": 2})
    for wire in wires[:3]:
        await wire.send(GET % b"/")
        head, _ = await wire.message()
        assert head.startswith(b"HTTP/1.1 200 ")
    await wires[0].close()
    await eventually(lambda: metrics.connections_open == 2)
    after = await sidecar.connect()
    await after.send(GET % b"/")
    assert (await after.message())[0].startswith(b"HTTP/1.1 200 ")


async def test_idle_upstream_connections_make_room(lab: Any, eventually: Any) -> None:
    """For other targets; and all are given back in the end, also those that could not be made."""
    sidecar = await lab.sidecar(lab.outbound(Router(lab.upstream(None, "other"))), file_limit=64 + 2 * 2)
    wire = await sidecar.connect("outbound")
    metrics = sidecar.metrics.upstream("other")
    for origin in [await lab.origin() for _ in range(5)]:
        await wire.send(GET % (b"http://127.0.0.1:%d/" % origin.port))
        assert (await wire.message())[0].startswith(b"HTTP/1.1 200 ")
        await eventually(lambda: metrics.connections_open <= 2)
    assert metrics.idle_closed == {"file-descriptors": 3}
    await wire.send(GET % b"http://127.0.0.1:1/")
    assert (await wire.message())[0].startswith(b"HTTP/1.1 502 ")
    await wire.close()
    descriptors = sidecar.plane._descriptors
    await eventually(lambda: descriptors.clients == 0)
    await sidecar.plane.stop()
    await eventually(lambda: descriptors.upstreams == 0)
