"""Whether the app is still there. What a drain makes of it is in tests/wire/test_drain.py."""

from __future__ import annotations

import asyncio
from pathlib import Path

from proxy.dataplane.app_presence import is_anyone_there, is_app_up
from proxy.plan import Address


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


async def test_doubt_is_a_no_for_readiness() -> None:
    """What cannot be reached is not ready; without an app none is missing."""
    server = await asyncio.start_server(_quiet, "127.0.0.1", 0)
    address = Address("127.0.0.1", server.sockets[0].getsockname()[1])
    assert await is_app_up([address])
    assert await is_app_up([])
    assert not await is_app_up([Address("no-such-host.invalid", 80)])
    server.close()
    await server.wait_closed()
    assert not await is_app_up([address])
