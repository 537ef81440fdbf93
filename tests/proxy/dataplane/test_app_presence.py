"""Whether the app is still there, and what a drain makes of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import monotonic
from typing import Any

from proxy.dataplane.app_presence import is_anyone_there
from proxy.plan import Address, DrainPlan, Router


async def _quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def test_tcp() -> None:
    """There while it listens, gone when it refuses."""
    server = await asyncio.start_server(_quiet, "127.0.0.1", 0)
    address = Address("127.0.0.1", server.sockets[0].getsockname()[1])
    assert await is_anyone_there([address])
    server.close()
    await server.wait_closed()
    assert not await is_anyone_there([address])


async def test_unix(tmp_path: Path) -> None:
    """A socket without a file, or with a file that nobody listens on, is nobody."""
    path = tmp_path / "app.sock"
    assert not await is_anyone_there([Address(unix_path=str(path))])
    server = await asyncio.start_unix_server(_quiet, path)
    assert await is_anyone_there([Address(unix_path=str(path))])
    server.close()
    await server.wait_closed()
    assert not await is_anyone_there([Address(unix_path=str(path))])


async def test_doubt_is_a_yes() -> None:
    """Nobody to ask, or a name that cannot be looked up, says nothing about the app."""
    assert await is_anyone_there([])
    assert await is_anyone_there([Address("no-such-host.invalid", 80)])


async def lingering(lab: Any, app: asyncio.Server) -> Any:
    """A sidecar in front of `app` that waits a minute for its last calls."""
    upstream = lab.upstream(app.sockets[0].getsockname()[1])
    return await lab.sidecar(
        lab.inbound(upstream),
        lab.outbound(Router(upstream)),
        drain=DrainPlan(timeout_s=60, outbound_linger_s=60),
    )


async def test_drain_ends_when_the_app_has_gone(lab: Any) -> None:
    """The outbound listener lingers while the app listens, and not for the rest of `outbound_linger_s`."""
    server = await asyncio.start_server(_quiet, "127.0.0.1", 0)
    sidecar = await lingering(lab, server)
    began = monotonic()
    draining = asyncio.create_task(sidecar.plane.drain())
    outbound = await sidecar.connect("outbound")  # still open: the app is there
    server.close()
    await server.wait_closed()
    assert await draining is True
    assert monotonic() - began < 30
    assert await outbound.rest() == b""


async def test_drain_without_lingering_does_not_wait_for_the_app(lab: Any) -> None:
    async with await asyncio.start_server(_quiet, "127.0.0.1", 0) as server:
        sidecar = await lingering(lab, server)
        began = monotonic()
        assert await sidecar.plane.drain(linger=False) is True
        assert monotonic() - began < 30
