"""How connections to one upstream of HTTP/2 are made, and what becomes of those that wait where none can be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, Literal, cast

import pytest
from lab.http2 import SETTINGS_ACK, frame, settings
from lab.pools import Waiter
from lab.transports import FakeTransport

from proxy.http2.engine import codes
from proxy.http2.flushing import Flusher
from proxy.http2.message.trailers import Trailers
from proxy.http2.pool import FallBack, StreamPool
from proxy.http2.upstream import UpstreamConnection
from proxy.plan import Address, PoolPlan, Timeouts, UpstreamTarget
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import response_kinds
from proxy.telemetry.metrics import UpstreamMetrics
from proxy.transport.connector import Connector
from proxy.transport.deadlines import Ticker
from proxy.transport.descriptors import Descriptors

HTTP_1 = object()  # a connection of another protocol


class Asking(Waiter):
    """Uses the stream that it gets."""

    def on_connected(self, connection: Any) -> None:
        super().on_connected(connection)
        connection._connection.began()
        connection._is_used = True


class Other(FallBack):
    """Serves what does not speak HTTP/2, and writes it down."""

    def __init__(self, *, lost: bool = False) -> None:
        self.lost = lost
        self.told: list[Any] = []

    def new_protocol(self, alpn: str) -> object:
        self.told.append(alpn)
        return HTTP_1

    def is_lost(self, connection: object) -> bool:
        return self.lost

    def adopt(self, connection: object) -> None:
        self.told.append(connection)

    def refused(self, receiver: Any, refusal: Refusal) -> None:
        self.told.append((receiver, refusal.fault))


class Rig:
    """A pool whose connector connects when the test says so."""

    def __init__(self, *, scheme: Literal["http", "https"] = "http", other: Other | None = None, **plan: Any) -> None:
        self.target = UpstreamTarget(scheme, Address("app.test", 80))
        self.resolver = SimpleNamespace(is_stale=lambda now: False)
        loop = asyncio.get_running_loop()
        self.metrics, self.descriptors = UpstreamMetrics(), Descriptors()
        self.dialling: list[tuple[Callable[[str], object], asyncio.Future[object]]] = []
        self.pool = StreamPool(
            cast(Connector, self),
            PoolPlan(**plan),
            self.metrics,
            Ticker(loop),
            Flusher(loop),
            self.descriptors,
            lambda: False,
            response_kinds(),
            Trailers(),
            other,
        )

    async def connect(self, make: Callable[[str], object], timeout_s: float) -> object:
        made: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self.dialling.append((make, made))
        return await made

    def wait(self, number: int = 1, *, connect_s: float = 2.0) -> list[Waiter]:
        waiters: list[Waiter] = [Asking() for _ in range(number)]
        for waiter in waiters:
            waiter.terms.timeouts = Timeouts(connect_s=connect_s)
            self.pool.acquire(cast(Any, waiter))
        return waiters

    async def connected(self, wire: bytes | None = settings() + SETTINGS_ACK, alpn: str = "") -> FakeTransport:
        """The connection that is dialled for longest is made; its upstream says `wire`, or leaves."""
        await asyncio.sleep(0)
        make, made = self.dialling.pop(0)
        connection = make(alpn)
        transport = FakeTransport(peername=("10.0.0.1", 80))
        made.set_result(connection)
        if isinstance(connection, UpstreamConnection):
            transport.protocol = connection
            connection.connection_made(transport)
            if wire is None:
                connection.connection_lost(None)
            elif wire:
                connection.data_received(wire)
        await turns()
        return transport


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def given(waiters: Sequence[Waiter]) -> list[object]:
    """What each has got: a fault, a stream, or nothing."""
    return [one.given[0] if one.given and isinstance(one.given[0], Fault) else len(one.given) for one in waiters]


async def test_those_that_wait_get_streams_of_the_connection_that_is_made() -> None:
    rig = Rig(streams=2)
    waiters = rig.wait(3)
    assert (rig.descriptors.upstreams, rig.pool.is_idle, rig.pool.is_unused) == (2, False, False)
    await rig.connected()
    assert given(waiters) == [1, 1, 0]
    assert (rig.metrics.connects, rig.metrics.connections_open, rig.metrics.reused) == (1, 1, 1)
    first, second = (one.given[0].connect_s for one in waiters[:2])
    assert (first > 0, second) == (True, 0.0)
    await rig.connected()
    assert given(waiters) == [1, 1, 1]
    assert (rig.descriptors.upstreams, rig.metrics.connections_open, rig.dialling) == (2, 2, [])
    rig.pool.abort()


async def test_a_connection_that_cannot_be_made_fails_those_that_it_was_made_for() -> None:
    rig = Rig(streams=2)
    waiters = rig.wait(3)
    await asyncio.sleep(0)
    assert len(rig.dialling) == 2
    rig.dialling.pop(0)[1].set_exception(Refusal(Fault.CONNECTION_REFUSED, "refused"))
    await turns()
    assert given(waiters) == [Fault.CONNECTION_REFUSED, 0, 0]
    assert rig.metrics.connect_failures == {"connection-refused": 1}
    rig.dialling.pop(0)[1].set_exception(Refusal(Fault.CONNECTION_REFUSED, "refused"))
    await turns()
    assert given(waiters) == [Fault.CONNECTION_REFUSED] * 3
    assert (rig.descriptors.upstreams, rig.dialling, rig.pool.is_unused) == (0, [], True)


@pytest.mark.parametrize(
    ("wire", "fault"),
    [
        (frame(codes.PING, 0, 0, bytes(8)), Fault.NO_HTTP2),
        (None, Fault.NO_HTTP2),
    ],
)
async def test_an_upstream_that_does_not_speak_http2_serves_nobody(wire: bytes | None, fault: Fault) -> None:
    rig = Rig(streams=1, max_connections=1)
    waiters = rig.wait(3)
    transport = await rig.connected(wire)
    assert given(waiters) == [fault] * 3
    assert transport.is_aborted
    assert rig.metrics.connect_failures == {fault.label: 1}
    assert (rig.metrics.connects, rig.descriptors.upstreams, rig.pool.is_unused) == (0, 0, True)


async def test_an_upstream_that_leaves_behind_its_settings_is_lost() -> None:
    rig = Rig()
    waiters = rig.wait(1)
    await asyncio.sleep(0)
    make, made = rig.dialling.pop()
    connection = cast(UpstreamConnection, make(""))
    connection.connection_made(FakeTransport(peername=("10.0.0.1", 80)))
    connection.data_received(settings())
    connection.connection_lost(None)
    made.set_result(connection)
    await turns()
    assert given(waiters) == [Fault.CONNECTION_LOST]
    assert waiters[0].details == ["the upstream closed the connection at once"]
    assert (rig.descriptors.upstreams, rig.metrics.connections_open) == (0, 0)


async def test_settings_are_waited_for_as_long_as_for_a_connection() -> None:
    rig = Rig()
    (waiter,) = rig.wait(1, connect_s=0.001)
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    cast(Any, waiter).on_unconnected = lambda refusal: told.set_result(refusal.detail)
    transport = await rig.connected(b"")
    assert [await told] == ["no SETTINGS of HTTP/2 came from the upstream within 0.001 s"]
    assert (transport.is_aborted, rig.descriptors.upstreams) == (True, 0)


async def test_an_abort_ends_the_making_of_connections() -> None:
    rig = Rig(streams=1)
    rig.wait(2)
    transport = await rig.connected(b"")
    rig.pool.abort()
    await turns()
    assert (transport.is_aborted, rig.descriptors.upstreams) == (True, 0)


async def test_a_retry_takes_a_stream_where_there_is_room() -> None:
    """Of a connection that others use, too: it does not wait for one of its own."""
    rig = Rig(streams=2, max_connections=1)
    rig.wait(1)
    await rig.connected()
    retries = [Asking(fresh=True), Asking(fresh=True)]
    for retry in retries:
        rig.pool.enqueue(cast(Any, retry))
    assert (given(retries), rig.metrics.queued) == ([1, 0], 1)
    rig.pool.abort()


async def test_others_wait_their_turn_even_where_there_is_room() -> None:
    rig = Rig(streams=2)
    rig.wait(1)
    await rig.connected()
    late = Asking()
    rig.pool.enqueue(cast(Any, late))
    assert (given([late]), rig.metrics.queued) == ([0], 1)
    await rig.connected()
    assert given([late]) == [1]
    rig.pool.abort()


async def test_who_waits_although_there_is_room_is_served_with_the_next_tick() -> None:
    rig = Rig(streams=2)
    rig.wait(1)
    await rig.connected()
    late = Asking()
    rig.pool.enqueue(cast(Any, late))
    rig.pool.on_tick()
    assert (given([late]), rig.metrics.queued) == ([1], 0)
    rig.pool.abort()


async def test_a_connection_that_is_lost_makes_room_for_another() -> None:
    rig = Rig(streams=1, max_connections=1)
    waiters = rig.wait(2)
    transport = await rig.connected()
    assert (given(waiters), rig.dialling) == ([1, 0], [])
    cast(asyncio.Protocol, transport.protocol).connection_lost(None)
    await rig.connected()
    assert given(waiters) == [1, 1]
    rig.pool.abort()


async def test_a_pool_is_in_use_while_a_connection_is_made_even_for_nobody() -> None:
    rig = Rig()
    (waiter,) = rig.wait(1)
    rig.pool.give_up(cast(Any, waiter))
    assert (rig.pool.is_idle, rig.pool.is_unused) == (False, False)
    await rig.connected()
    assert (rig.pool.is_idle, rig.pool.is_unused) == (True, False)
    rig.pool.abort()


# --- what TLS has agreed on


@pytest.mark.parametrize(("scheme", "alpn"), [("https", "h2"), ("http", ""), ("http", "http/1.1")])
async def test_http2_is_spoken_where_tls_has_chosen_it_or_there_is_none(
    scheme: Literal["http", "https"], alpn: str
) -> None:
    other = Other()
    rig = Rig(scheme=scheme, other=other)
    waiters = rig.wait(1)
    await rig.connected(alpn=alpn)
    assert (given(waiters), other.told) == ([1], [])
    rig.pool.abort()


@pytest.mark.parametrize("lost", [False, True])
async def test_what_speaks_http_1_1_serves_those_that_wait(lost: bool) -> None:
    other = Other(lost=lost)
    rig = Rig(scheme="https", other=other, streams=1, max_connections=1)
    waiters = rig.wait(2)
    await rig.connected(alpn="http/1.1")
    if lost:
        assert other.told[:1] == ["http/1.1"]
        assert given(waiters) == [Fault.CONNECTION_LOST, 0]
        assert waiters[0].details == ["the upstream closed the connection at once"]
        rig.pool.abort()
        return
    assert other.told == ["http/1.1", HTTP_1, *((one, Fault.NO_HTTP2) for one in waiters)]
    assert (given(waiters), rig.descriptors.upstreams) == ([0, 0], 1)


async def test_without_a_choice_of_http2_all_are_refused() -> None:
    rig = Rig(scheme="https")
    waiters = rig.wait(2)
    transport = await rig.connected(b"")
    assert given(waiters) == [Fault.NO_HTTP2] * 2
    assert (transport.is_aborted, transport.take(), rig.descriptors.upstreams) == (True, b"", 0)
