"""Both connections of HTTP/2 without sockets: a client's, and the upstream's that the streams of all clients share."""

from __future__ import annotations

import asyncio
from typing import Any, Literal, cast

from lab.http2 import HELLO, SETTINGS_ACK, Fields, Frame, Peer, parse, settings
from lab.pairs import Plane
from lab.transports import FakeTransport
from proxy.http2.client import ClientConnection
from proxy.http2.engine.codes import PREFACE
from proxy.http2.pool import StreamPool
from proxy.http2.serving import Http2
from proxy.http2.upstream import UpstreamConnection
from proxy.plan import Clients, PoolPlan
from proxy.transport.deadlines import Ticker
from proxy.transport.descriptors import Descriptors


class SharedPlane:
    """A listener and a pool of connections of HTTP/2. Time passes when a test says so."""

    def __init__(
        self,
        *,
        pool: PoolPlan | None = None,
        clients: Clients | None = None,
        http2: Literal["always", "never"] = "never",
        response_header: str = "",
        **rest: Any,
    ) -> None:
        """`rest`: of the listener's plan; `http2`: whether the upstream is known to speak it."""
        self._ticker = Ticker(asyncio.get_running_loop())
        self.descriptors = Descriptors()
        self._http2 = Http2(self._ticker, self.descriptors)
        self.plane = Plane(
            pool, self._http2.pool, clients=clients, rest=rest, http2=http2, response_header=response_header
        )
        self.listener, self.metrics = self.plane.listener, self.plane.metrics
        self.pool = cast(StreamPool, self.plane.pool)
        self._ticker.now = self.plane.ticker.now = 1000.0

    async def at(self, now: float) -> None:
        """It is `now`: both sides look at their deadlines."""
        self._ticker.now = self.plane.ticker.now = now
        for connection in tuple(self.listener.connections):
            cast(ClientConnection, connection).on_deadline()
        self.pool.on_tick()
        await asyncio.sleep(0)  # what a pool has to say goes out with the turn

    def look_at_ends(self) -> None:
        """A tick asks the kernel about peers that are not read from. Their transports know a `socket`."""
        self._ticker.ends.on_tick()
        self.plane.ticker.ends.on_tick()

    def client(self, *, hello: bytes = HELLO, address: str = "10.0.0.1", **extra: object) -> Client:
        """`extra`: what its transport knows."""
        return Client(self._http2.connection(self.listener), hello, address, **extra)

    def upstream(self, *, hello: bytes = settings() + SETTINGS_ACK) -> Upstream:
        """A connection that the pool has made, and that has been greeted."""
        self.descriptors.upstreams += 1
        made = Upstream(cast(UpstreamConnection, self.pool.new_protocol()))
        made.get(hello)
        self.pool.adopt(made.connection)
        made.frames()
        return made


class Client:
    """A client's connection, as the client sees it."""

    def __init__(self, connection: ClientConnection, hello: bytes, address: str, **extra: object) -> None:
        self.connection, self.peer = connection, Peer()
        self.transport = FakeTransport(**{"peername": (address, 50000), **extra})
        self.transport.protocol = connection
        connection.connection_made(self.transport)
        self.greeting = self.get(hello)

    def get(self, *wire: bytes) -> list[Frame]:
        """Bytes from the client; the frames that go to it."""
        self.connection.data_received(b"".join(wire))
        return self.frames()

    def ask(self, id: int, fields: Fields, *, end: bool = True) -> list[Frame]:
        return self.get(self.peer.headers(id, fields, end=end))

    def frames(self) -> list[Frame]:
        """Those that have gone to it since the last time."""
        return parse(self.transport.take())

    def answer(self, frames: list[Frame]) -> dict[bytes, bytes]:
        """The fields of the first head in `frames`."""
        return dict(self.peer.fields(next(frame.payload for frame in frames if frame.kind == 1)))


class Upstream:
    """A connection to an upstream, as the upstream sees it."""

    def __init__(self, connection: UpstreamConnection, peername: object = ("127.0.0.1", 8080)) -> None:
        self.connection, self.peer = connection, Peer()
        self.transport = FakeTransport(peername=peername)
        self.transport.protocol = connection
        connection.connection_made(self.transport)

    def get(self, *wire: bytes) -> list[Frame]:
        """Bytes from the upstream; the frames that go to it."""
        self.connection.data_received(b"".join(wire))
        return self.frames()

    def frames(self) -> list[Frame]:
        """Those that have gone to it since the last time."""
        return parse(self.transport.take().removeprefix(PREFACE))

    def answer(self, id: int, status: bytes = b"200", *, end: bool = True) -> list[Frame]:
        return self.get(self.peer.headers(id, [(b":status", status)], end=end))
