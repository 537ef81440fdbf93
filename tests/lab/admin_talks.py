"""A connection of the admin listener in simulated time, and its client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from lab.simulated import simulate
from lab.transports import FakeTransport
from proxy.admin.answers import text
from proxy.admin.connection import Connection
from proxy.admin.exchange import Request, Response
from proxy.admin.routes import Application
from proxy.admin.server import AdminServer
from proxy.telemetry.state import State

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
SLOW = GET.replace(b"/ ", b"/slow ")
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
LAST = b"GET / HTTP/1.0\r\n\r\n"
A_MOMENT_S = 0.01


class Transport(FakeTransport):
    """Says when its client is slower than we: `is_jammed`."""

    is_jammed = False
    cannot_end = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        super().write(data)
        if self.is_jammed:
            assert isinstance(self.protocol, Connection)
            self.protocol.pause_writing()

    def write_eof(self) -> None:
        if self.cannot_end:
            raise OSError
        super().write_eof()


class Talk:
    """A connection to a listener of its own. A request for `/slow` is answered once `goes_on` is set."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.goes_on = asyncio.Event()
        routes = {"/": {"GET": self._answer, "POST": self._answer}, "/slow": {"GET": self._slow}}
        self._application = Application(routes, 100)
        self.server = AdminServer(self._application, State())
        self.connection, self.transport = self.another()

    def another(self) -> tuple[Connection, Transport]:
        """One more connection to the same listener."""
        connection, transport = Connection(self._application, self.server), Transport(peername=("192.0.2.1", 1))
        transport.protocol = connection
        connection.connection_made(transport)
        return connection, transport

    async def _answer(self, request: Request) -> Response:
        self.asked.append(request.text)
        return text("ok\n")

    async def _slow(self, request: Request) -> Response:
        self.asked.append("slow")
        await self.goes_on.wait()
        return text("slow\n")

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.connection.data_received(piece)
            await self.settle()

    async def settle(self) -> None:
        """Everything that can happen without time passing."""
        for _ in range(50):
            await asyncio.sleep(0)

    @property
    def statuses(self) -> list[int]:
        """Of the answers since this was asked last."""
        return [int(answer[:3]) for answer in self.transport.take().split(b"HTTP/1.1 ")[1:]]

    @property
    def end(self) -> str:
        """How the connection has ended, if it has."""
        transport = self.transport
        if transport.is_closing():
            return "cut" if transport.is_aborted else "closed"
        return "our side" if transport.is_ended else ""


def told(story: Callable[[Talk], Awaitable[None]]) -> None:
    async def telling() -> None:
        talk = Talk()
        await story(talk)
        talk.connection.cut()
        await talk.server.close()

    simulate(telling())
