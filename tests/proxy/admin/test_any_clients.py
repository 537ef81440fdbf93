"""Clients of the admin listener that do anything, in any order: nothing fails, and nothing of them is left."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Any

import pytest
import uvloop

from proxy.admin import connection
from proxy.admin.answers import text
from proxy.admin.exchange import Request, Response
from proxy.admin.routes import Application
from proxy.admin.server import AdminServer
from proxy.plan import Address
from proxy.telemetry.state import State

POST = b"POST /echo HTTP/1.1\r\nHost: a\r\n"
SENT = (
    *(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path for path in (b"/echo", b"/large", b"/nothing")),
    *(b"HEAD /large HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /echo HTTP/1.0\r\n\r\n", b"noise\r\n\r\n", b"\x00", b"\r\n"),
    POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 500 + b"0\r\n\r\n",
    *(POST + b"Content-Length: 5\r\n\r\nhello", POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"),
    b"POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + b"y" * 50_000,
)


async def act(address: Address, chance: random.Random) -> None:
    reader, writer = await asyncio.open_connection(address.host, address.port)
    with contextlib.suppress(OSError, TimeoutError, RuntimeError):
        for _ in range(chance.randint(1, 6)):
            sent = chance.choice(SENT)
            writer.write(sent[: chance.randint(0, len(sent))] if chance.random() < 0.2 else sent)
            if chance.random() < 0.3:
                async with asyncio.timeout(0.03):
                    await reader.read(chance.choice((1, 1000, 1_000_000)))
            await asyncio.sleep(chance.choice((0, 0, 0.02, 0.1)))
        writer.write_eof()
        async with asyncio.timeout(chance.choice((0.01, 0.3))):
            await reader.read()
    writer.transport.abort()


async def serve(seed: int) -> list[Any]:
    """What the event loop has to complain of."""
    faults, chance = [], random.Random(seed)
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))

    async def echo(request: Request) -> Response:
        await asyncio.sleep(chance.choice((0, 0.02)))
        return text(request.text)

    async def large(_: Request) -> Response:
        return text("x" * 3_000_000)

    routes = {"/echo": {"GET": echo, "POST": echo}, "/large": {"GET": large}}
    server = AdminServer(Application(routes, 65536), State())
    address = await server.listen(Address("127.0.0.1", 0))
    for _ in range(10):
        await asyncio.gather(*(act(address, chance) for _ in range(25)))
    async with asyncio.timeout(10):
        while server._connections or server._tasks:  # noqa: ASYNC110 - no event says so
            await asyncio.sleep(0.05)
    late = [asyncio.create_task(act(address, chance)) for _ in range(25)]
    await asyncio.sleep(0.05)
    await server.close()
    assert not server._connections
    assert not server._tasks
    await asyncio.gather(*late, return_exceptions=True)
    return faults


@pytest.mark.slow
@pytest.mark.parametrize("new_loop", [uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
def test_clients_leave_nothing_behind(new_loop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IDLE_S", "HEAD_S", "BODY_S", "TAKING_S", "ENDING_S"):
        monkeypatch.setattr(connection, name, 0.1)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(serve(4)) == []
