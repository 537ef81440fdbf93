"""A sidecar in this process, a raw upstream behind it and raw clients before it: everything on the wire is bytes."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvloop

from ops_lib.propagation import FORMATS, Format
from proxy.dataplane import DataPlane
from proxy.plan import (
    Address,
    Limits,
    ListenerPlan,
    Plan,
    PoolPlan,
    PropagationPlan,
    Router,
    Timeouts,
    UpstreamPlan,
    UpstreamTarget,
)
from proxy.telemetry.access_log import AccessRecord
from proxy.telemetry.metrics import Metrics
from proxy.transport.descriptors import NO_LIMIT

PATIENCE_S = 10.0  # how long a test waits for what must come


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that the sidecar runs on."""
    return {"uvloop": uvloop.new_event_loop}


class Wire:
    """One raw connection, as a client or as an upstream holds it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def drip(self, data: bytes) -> None:
        """Byte by byte, each in a packet of its own as far as the loop can make it so."""
        for position in range(len(data)):
            self.writer.write(data[position : position + 1])
            await asyncio.sleep(0)

    async def head(self) -> bytes:
        """Up to and with the empty line."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def exactly(self, size: int) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.readexactly(size)

    async def until(self, ending: bytes) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.readuntil(ending)

    async def rest(self) -> bytes:
        """All there is until the peer closes."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await self.reader.read(-1)
            except ConnectionResetError:
                return b"<reset>"

    async def message(self) -> tuple[bytes, bytes]:
        """One message whose body is by length (or absent): head and body."""
        head = await self.head()
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)\r\n", head)
        return head, await self.exactly(int(length[1])) if length else b""

    def half_close(self) -> None:
        self.writer.write_eof()

    def reset(self) -> None:
        """Close with RST: gone, and not only done with sending."""
        endpoint = self.writer.get_extra_info("socket")
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


OK = b"HTTP/1.1 200 OK\r\nDate: today\r\nContent-Length: 2\r\n\r\nok"


class Origin:
    """A raw upstream. `serve` is what it does with each connection; by default it answers each request with OK."""

    def __init__(self) -> None:
        self.wires: asyncio.Queue[Wire] = asyncio.Queue()
        self.opened = 0
        self.requests: list[bytes] = []
        self.serve: Callable[[Wire], Awaitable[None]] = self.answer_ok
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._wires: list[Wire] = []

    async def answer_ok(self, wire: Wire) -> None:
        while True:
            head, body = await wire.message()
            self.requests.append(head + body)
            await wire.send(OK)

    async def hand_over(self, wire: Wire) -> None:
        """Do nothing: the test takes the connection with `accept`."""
        await self.wires.put(wire)

    async def accept(self) -> Wire:
        async with asyncio.timeout(PATIENCE_S):
            return await self.wires.get()

    def by_hand(self) -> None:
        self.serve = self.hand_over

    def answering(self, *responses: bytes, close: bool = False) -> None:
        """Answer the requests of each connection with these, in order."""

        async def serve(wire: Wire) -> None:
            for response in responses:
                head, body = await wire.message()
                self.requests.append(head + body)
                await wire.send(response)
            if close:
                await wire.close()
            else:
                await self.wires.put(wire)

        self.serve = serve

    async def on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        wire = Wire(reader, writer)
        self._wires.append(wire)
        try:
            await self.serve(wire)
        except (asyncio.IncompleteReadError, OSError):
            await wire.close()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for wire in self._wires:
            await wire.close()


class Sidecar:
    """A data plane at work."""

    def __init__(self, plane: DataPlane, metrics: Metrics, records: list[AccessRecord]) -> None:
        self.plane = plane
        self.metrics = metrics
        self.records = records
        self.wires: list[Wire] = []

    async def connect(self, listener: str = "inbound") -> Wire:
        address = self.plane.addresses()[listener]
        if address.unix_path:
            wire = Wire(*await asyncio.open_unix_connection(address.unix_path))
        else:
            wire = Wire(*await asyncio.open_connection(address.host, address.port))
        self.wires.append(wire)
        return wire

    async def adopt(self, connected: socket.socket) -> Wire:
        """A wire over a socket that the test has connected itself."""
        self.wires.append(wire := Wire(*await asyncio.open_connection(sock=connected)))
        return wire

    def port(self, listener: str = "inbound") -> int:
        return self.plane.addresses()[listener].port

    async def ask(self, data: bytes, listener: str = "inbound") -> bytes:
        """Send on a connection of its own, and read until it is closed (say `Connection: close`)."""
        wire = await self.connect(listener)
        await wire.send(data)
        return await wire.rest()


class Lab:
    """Makes plans, origins and sidecars, and takes them down again."""

    PROPAGATION = PropagationPlan(FORMATS, (Format.TRACECONTEXT,))

    def __init__(self) -> None:
        self._origins: list[tuple[Origin, asyncio.Server]] = []
        self._sidecars: list[Sidecar] = []

    async def origin(self, **where: Any) -> Origin:
        origin = Origin()
        if "path" in where:
            server = await asyncio.start_unix_server(origin.on_connection, where["path"])
        else:
            server = await asyncio.start_server(
                origin.on_connection, where.get("host", "127.0.0.1"), 0, ssl=where.get("ssl")
            )
            origin.port = server.sockets[0].getsockname()[1]
        self._origins.append((origin, server))
        return origin

    def upstream(self, origin: Origin | int | None, name: str = "app", **changes: Any) -> UpstreamPlan:
        port = origin.port if isinstance(origin, Origin) else origin
        target = changes.pop("target", UpstreamTarget("http", Address("127.0.0.1", port)) if port is not None else None)
        changes.setdefault("propagation", self.PROPAGATION)
        return UpstreamPlan(name, target, **changes)

    def inbound(self, upstream: UpstreamPlan, **changes: Any) -> ListenerPlan:
        bind = changes.pop("bind", Address("127.0.0.1", 0))
        name = changes.pop("name", "inbound")
        return ListenerPlan(name, "inbound", bind, Router(upstream), True, **changes)

    def outbound(self, router: Router, **changes: Any) -> ListenerPlan:
        changes.setdefault("fixed_upstream", False)
        bind = changes.pop("bind", Address("127.0.0.1", 0))
        return ListenerPlan(changes.pop("name", "outbound"), "outbound", bind, router, **changes)

    async def sidecar(self, *listeners: ListenerPlan, **changes: Any) -> Sidecar:
        metrics = Metrics()
        records: list[AccessRecord] = []
        file_limit = changes.pop("file_limit", NO_LIMIT)
        plan = Plan(1, listeners, None, **changes)
        plane = DataPlane(plan, metrics=metrics, access_log=records.append, file_limit=file_limit)
        await plane.start()
        sidecar = Sidecar(plane, metrics, records)
        self._sidecars.append(sidecar)
        return sidecar

    async def pair(self, **changes: Any) -> tuple[Sidecar, Origin]:
        """An inbound sidecar before an origin. `limits`, `timeouts`, `pool`, ... go where they belong."""
        origin = await self.origin()
        of_upstream = {key: changes.pop(key) for key in ("pool", "propagation", "preserve_host") if key in changes}
        timeouts = changes.get("timeouts", Timeouts())
        upstream = self.upstream(origin, timeouts=timeouts, **of_upstream)
        return await self.sidecar(self.inbound(upstream, **changes)), origin

    async def stop(self) -> None:
        for sidecar in self._sidecars:
            for wire in sidecar.wires:
                await wire.close()
            await sidecar.plane.stop()
        for origin, server in self._origins:
            server.close()
            await origin.stop()


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    lab = Lab()
    yield lab
    await lab.stop()


async def eventually(condition: Callable[[], object]) -> None:
    """Until `condition` holds: for what the sidecar does after its last visible byte."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - nothing there sets an event for tests
            await asyncio.sleep(0.005)


@pytest.fixture(name="eventually")
def eventually_fixture() -> Callable[[Callable[[], object]], Awaitable[None]]:
    return eventually


__all__ = ["Limits", "PoolPlan"]
