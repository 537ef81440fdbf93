"""The pool without sockets: whose turn it is, which connection may be used, and what each wait costs at most.

With a connector that connects when the test says so. What passes a socket is in tests/wire/test_pool.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from lab.transports import FakeTransport

from proxy.http1 import pool as module
from proxy.http1.kept_connection import HeldRequests
from proxy.http1.pool import ConnectionPool
from proxy.http1.upstream import UpstreamConnection
from proxy.plan import Address, PoolPlan, Timeouts, UpstreamTarget
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import response_kinds
from proxy.telemetry.metrics import UpstreamMetrics
from proxy.transport.connector import Connector
from proxy.transport.deadlines import Ticker
from proxy.transport.descriptors import Descriptors
from proxy.transport.outbox import Outbox

pytestmark = pytest.mark.skipif(
    not cast(str, module.__file__).endswith(".py"), reason="what is compiled takes no stand-ins"
)

CONNECT_S, QUEUE_S = 2.0, 3.0


class Waiter:
    """Wants a connection, and writes down what it is given."""

    def __init__(self, *, fresh: bool = False, client: bytes = b"10.0.0.1") -> None:
        self.terms = SimpleNamespace(timeouts=Timeouts(connect_s=CONNECT_S, queue_s=QUEUE_S))
        self.wants_fresh = fresh
        self.deadline = 0.0
        self.client = client
        self.given: list[Any] = []

    def can_begin_again(self) -> bool:
        return False

    def on_connected(self, connection: UpstreamConnection) -> None:
        self.given.append(connection)

    def on_unconnected(self, refusal: Refusal) -> None:
        self.given.append(refusal.fault)


class Name:
    """A resolver whose look-ups the test answers."""

    def __init__(self) -> None:
        self.stale = False
        self.answer: asyncio.Future[tuple[str, ...]] = asyncio.get_running_loop().create_future()
        self.is_over = False

    def is_stale(self, now: float) -> bool:
        return self.stale

    async def addresses(self) -> tuple[str, ...]:
        try:
            return await self.answer
        finally:
            for _ in range(9):  # it takes its time
                await asyncio.sleep(0)
            self.is_over = True


class Rig:
    """A pool, and the connections that it is making."""

    def __init__(self, **plan: Any) -> None:
        self.target = UpstreamTarget("http", Address("app.test", 80))
        self.resolver = Name()
        self.dialling: list[tuple[Callable[[str], UpstreamConnection], asyncio.Future[UpstreamConnection]]] = []
        self.times: list[float] = []
        self.metrics = UpstreamMetrics()
        self.ticker = Ticker(asyncio.get_running_loop())
        self.descriptors = Descriptors(64 + 2 * 3)
        self.shed = 0
        self.sheds = True  # an idle connection makes room where it has to
        self.pool = ConnectionPool(
            cast(Connector, self),
            PoolPlan(**plan),
            self.metrics,
            self.ticker,
            Outbox(asyncio.get_running_loop()),
            HeldRequests(asyncio.get_running_loop()),
            self.descriptors,
            self.on_shed,
            response_kinds(),
        )

    def on_shed(self) -> bool:
        self.shed += 1
        return self.sheds

    async def connect(self, make: Callable[[str], UpstreamConnection], timeout_s: float) -> UpstreamConnection:
        self.times.append(timeout_s)
        made: asyncio.Future[UpstreamConnection] = asyncio.get_running_loop().create_future()
        self.dialling.append((make, made))
        return await made

    def wait(self, *, fresh: bool = False, client: bytes = b"10.0.0.1") -> Waiter:
        """A waiter that joins the queue or is served."""
        waiter = Waiter(fresh=fresh, client=client)
        self.pool.acquire(cast(Any, waiter))
        return waiter

    async def connected(self, peer: str = "10.0.0.1", *, lost: bool = False) -> UpstreamConnection:
        """The connection that is dialled for longest is made."""
        await asyncio.sleep(0)
        make, made = self.dialling.pop(0)
        connection = make("")
        transport = FakeTransport(peername=(peer, 80))
        transport.protocol = connection
        connection.connection_made(transport)
        if lost:
            connection.connection_lost(None)
        made.set_result(connection)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return connection

    async def refused(self) -> None:
        await asyncio.sleep(0)
        self.dialling.pop(0)[1].set_exception(Refusal(Fault.CONNECTION_REFUSED, "refused"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def used(self, peer: str = "10.0.0.1") -> UpstreamConnection:
        """A connection that is in use by a waiter of its own."""
        waiter = self.wait()
        connection = await self.connected(peer)
        assert waiter.given == [connection]
        return connection

    async def stop(self) -> None:
        self.pool.abort()
        await self.pool.wait_closed()


async def turns() -> None:
    """Enough for whatever can go on to be over."""
    for _ in range(30):
        await asyncio.sleep(0)


async def test_who_waits_for_a_connection_that_is_made_has_the_time_of_both() -> None:
    """It may go to somebody else, and then the wait is one for a place."""
    rig = Rig(max_connections=1)
    first, second = rig.wait(), rig.wait()
    assert first.deadline == rig.ticker.now + CONNECT_S + QUEUE_S
    assert second.deadline == rig.ticker.now + QUEUE_S
    await asyncio.sleep(0)
    assert rig.times == [CONNECT_S]
    await rig.stop()


async def test_the_queue_is_counted_without_those_whose_connection_is_made() -> None:
    """`max_queue`."""
    rig = Rig(max_connections=1, max_queue=1)
    waiters = [rig.wait() for _ in range(3)]
    assert [waiter.given for waiter in waiters] == [[], [], [Fault.QUEUE_FULL]]
    assert (rig.metrics.queue_refused, rig.metrics.queued) == ({"full": 1}, 2)
    await rig.stop()


async def test_a_request_that_is_sent_again_goes_to_the_front() -> None:
    """It has waited before. It comes in even where the queue is full."""
    rig = Rig(max_connections=1, max_queue=1)
    dying = await rig.used()
    waiting = rig.wait()
    again = Waiter(fresh=True)
    rig.pool.enqueue(cast(Any, again))
    assert again.deadline == rig.ticker.now + QUEUE_S
    dying.connection_lost(None)
    made = await rig.connected()
    assert (again.given, waiting.given) == ([made], [])
    await rig.stop()


async def test_a_request_that_is_sent_again_takes_no_used_connection() -> None:
    """The next in the queue gets it."""
    rig = Rig(max_connections=1)
    used = await rig.used()
    again = Waiter(fresh=True)
    rig.pool.enqueue(cast(Any, again))
    waiting = rig.wait()
    rig.pool.release(used)
    assert (again.given, waiting.given) == ([], [used])
    assert rig.metrics.reused == 1
    rig.pool.release(used)
    assert again.given == []
    assert repr(rig.pool) == ("<ConnectionPool http://app.test, 1 connections, 1 idle, 0 being made, 1 waiting>")
    await rig.stop()


async def test_who_gives_up_is_given_nothing() -> None:
    """And leaves its place. To give up twice changes nothing."""
    rig = Rig(max_connections=1)
    used = await rig.used()
    gone, waiting = rig.wait(), rig.wait()
    assert rig.metrics.queued == 2
    for _ in range(2):
        rig.pool.give_up(cast(Any, gone))
        assert rig.metrics.queued == 1
    rig.pool.release(used)
    assert (gone.given, waiting.given) == ([], [used])
    await rig.stop()


async def test_a_failed_connection_is_the_end_of_one_wait() -> None:
    """The next in the queue has a try of its own."""
    rig = Rig(max_connections=1)
    first, second = rig.wait(), rig.wait()
    await rig.refused()
    assert (first.given, second.given) == ([Fault.CONNECTION_REFUSED], [])
    made = await rig.connected()
    assert second.given == [made]
    assert rig.metrics.connect_failures == {"connection-refused": 1}
    assert rig.descriptors.upstreams == 1
    await rig.stop()


async def test_a_connection_that_is_lost_before_it_is_known_was_never_there() -> None:
    rig = Rig()
    waiter = rig.wait()
    await rig.connected(lost=True)
    assert waiter.given == [Fault.CONNECTION_LOST]
    assert (rig.pool.is_unused, rig.descriptors.upstreams, len(rig.ticker)) == (True, 0, 0)
    assert (rig.metrics.connects, rig.metrics.connections_open) == (0, 0)


async def test_no_more_connections_are_made_than_wait() -> None:
    """Of two waiters, the one whose turn it is takes what comes free; the connection that was made for it is kept."""
    rig = Rig(max_connections=2)
    used = await rig.used()
    waiter = rig.wait()
    rig.pool.release(used)
    assert waiter.given == [used]
    made = await rig.connected()
    assert repr(rig.pool).endswith("2 connections, 1 idle, 0 being made, 0 waiting>")
    assert rig.wait().given == [made]
    await rig.stop()


@pytest.mark.parametrize(("hint_s", "kept_s"), [(5.0, 4.0), (1.0, 0.0), (11.0, 10.0), (12.0, 10.0)])
async def test_an_idle_connection_is_kept_as_long_as_both_sides_allow(hint_s: float, kept_s: float) -> None:
    """A second less than the upstream said, and no longer than `idle_s`."""
    rig = Rig(idle_s=10)
    used = await rig.used()
    used.keep_alive_s = hint_s
    rig.pool.release(used)
    assert used.idle_until == rig.ticker.now + kept_s
    rig.ticker.now += kept_s - 0.001
    rig.pool.on_tick()
    assert rig.metrics.connections_idle == 1
    rig.ticker.now += 0.002
    rig.pool.on_tick()
    assert (rig.metrics.connections_idle, rig.metrics.idle_closed) == (0, {"timeout": 1})
    await rig.stop()


async def test_an_idle_connection_whose_time_is_over_is_not_used() -> None:
    """Also where no tick has closed it yet."""
    rig = Rig(idle_s=10)
    used = await rig.used()
    rig.pool.release(used)
    rig.ticker.now += 10
    assert rig.wait().given == []
    assert rig.metrics.idle_closed == {"timeout": 1}
    await rig.stop()


async def test_no_more_than_max_idle_are_kept() -> None:
    rig = Rig(max_idle=1)
    first, second = await rig.used(), await rig.used()
    rig.pool.release(first)
    rig.pool.release(second)
    assert (rig.metrics.connections_idle, rig.metrics.idle_closed) == (1, {"surplus": 1})
    assert second.transport.is_closing() and not first.transport.is_closing()
    await rig.stop()


async def test_a_tick_between_an_end_and_its_loss() -> None:
    """The peer has ended the connection, and the event loop has not closed it yet: that is no timeout of ours."""
    rig = Rig()
    used = await rig.used()
    rig.pool.release(used)
    used.eof_received()
    rig.pool.on_tick()
    assert rig.metrics.idle_closed == {"peer": 1}
    await rig.stop()


async def test_the_connection_used_last_is_used_next() -> None:
    """So that those that are not needed become old. The oldest is shed first."""
    rig = Rig()
    first, second = await rig.used(), await rig.used()
    rig.pool.release(first)
    rig.pool.release(second)
    assert rig.wait().given == [second]
    assert rig.pool.shed()
    assert first.transport.is_closing()
    assert not rig.pool.shed()
    assert rig.metrics.idle_closed == {"file-descriptors": 1}
    await rig.stop()


async def test_another_pools_connection_makes_room_where_descriptors_are_few() -> None:
    """As soon as there are as many as there may be."""
    rig = Rig()
    for number in range(4):
        rig.wait()
        assert rig.shed == (1 if number == 3 else 0)
    await asyncio.sleep(0)
    await rig.stop()
    assert rig.descriptors.upstreams == 0


async def test_connections_to_addresses_that_the_name_has_lost() -> None:
    """Idle ones are closed, one in use serves its exchange and no other."""
    rig = Rig()
    old, busy, new = await rig.used("10.0.0.1"), await rig.used("10.0.0.1"), await rig.used("10.0.0.2")
    rig.pool.release(old)
    rig.pool.release(new)
    rig.pool.on_tick()
    rig.resolver.stale = True
    rig.pool.on_tick()
    rig.pool.on_tick()  # asks once
    rig.resolver.answer.set_result(("10.0.0.2",))
    await turns()
    assert rig.metrics.idle_closed == {"moved": 1}
    assert (old.transport.is_closing(), busy.is_usable, new.is_usable) == (True, False, True)
    await rig.stop()


async def test_a_look_up_that_fails_changes_nothing() -> None:
    """And the next tick may ask again."""
    rig = Rig()
    used = await rig.used()
    rig.resolver.stale = True
    rig.pool.on_tick()
    rig.resolver.answer.set_exception(Refusal(Fault.DNS_ERROR, "down"))
    await turns()
    assert used.is_usable
    rig.resolver.answer = asyncio.get_running_loop().create_future()
    rig.pool.on_tick()
    await asyncio.sleep(0)
    rig.resolver.answer.set_result(())
    await turns()
    assert not used.is_usable
    await rig.stop()


async def test_a_pool_without_connections_asks_no_name() -> None:
    rig = Rig()
    rig.resolver.stale = True
    rig.pool.on_tick()
    await asyncio.sleep(0)
    await rig.pool.wait_closed()
    assert not rig.resolver.is_over
    await rig.stop()


async def test_what_is_under_way_has_ended_when_the_pool_has() -> None:
    """Connections that are made, and the look-up."""
    rig = Rig()
    used = await rig.used()
    rig.wait()
    rig.resolver.stale = True
    rig.pool.on_tick()
    await asyncio.sleep(0)
    rig.pool.abort()
    assert repr(rig.pool).endswith(", 1 being made, 1 waiting, closing>")
    await rig.pool.wait_closed()
    assert rig.resolver.is_over
    assert repr(rig.pool).endswith(", 0 being made, 1 waiting, closing>")
    assert used.transport.is_closing()


async def test_a_pool_that_closes_keeps_nothing() -> None:
    """What is in use then is closed when it is given back."""
    rig = Rig()
    idle, busy = await rig.used(), await rig.used()
    rig.pool.release(idle)
    rig.pool.close()
    assert idle.transport.is_closing() and not busy.transport.is_closing()
    rig.pool.release(busy)
    assert busy.transport.is_closing()
    assert rig.metrics.connections_idle == 0
    await rig.stop()


async def test_the_one_who_waits_longest_sets_the_time_of_a_connection() -> None:
    """Of one that is made because another was lost."""
    rig = Rig(max_connections=1)
    used = await rig.used()
    first, second = rig.wait(), rig.wait()
    first.terms = SimpleNamespace(timeouts=Timeouts(connect_s=7.0))
    used.connection_lost(None)
    await asyncio.sleep(0)
    assert rig.times == [CONNECT_S, 7.0]
    rig.pool.give_up(cast(Any, second))
    await rig.stop()


async def test_a_connection_that_is_made_while_the_pool_closes_serves_who_waits() -> None:
    """And nobody else: without a waiter it is closed."""
    rig = Rig()
    waiter = rig.wait()
    rig.pool.close()
    made = await rig.connected()
    assert waiter.given == [made]
    rig.pool.release(made)
    assert made.transport.is_closing()
    gone = rig.wait()
    rig.pool.give_up(cast(Any, gone))
    assert (await rig.connected()).transport.is_closing()
    await rig.stop()


async def test_a_wait_in_vain_is_counted() -> None:
    rig = Rig()
    rig.pool.count_queue_timeout()
    rig.pool.count_retry()
    assert (rig.metrics.queue_refused, rig.metrics.retries) == ({"timeout": 1}, 1)


# --- how many there may be


async def test_there_are_as_many_connections_as_are_needed() -> None:
    """Without a limit of its own, up to the file descriptors; the limit is told."""
    rig = Rig()
    assert rig.metrics.connections_limit == 3
    waiters = [rig.wait() for _ in range(3)]
    await asyncio.sleep(0)
    assert len(rig.dialling) == 3
    rig.sheds = False
    waiters.append(rig.wait())
    await asyncio.sleep(0)
    assert len(rig.dialling) == 3
    assert waiters[-1].deadline == rig.ticker.now + QUEUE_S
    rig.descriptors.upstreams -= 1  # as when a connection of another pool ends
    rig.pool.on_tick()
    await asyncio.sleep(0)
    assert len(rig.dialling) == 4
    rig.descriptors.upstreams += 1
    await rig.stop()
    assert rig.descriptors.upstreams == 0


async def test_a_limit_of_its_own_is_told() -> None:
    assert Rig(max_connections=2).metrics.connections_limit == 2


async def test_connections_are_not_made_for_those_who_have_gone() -> None:
    """However many come and go while one is made, it is one."""
    rig = Rig()
    for _ in range(100):
        rig.pool.give_up(cast(Any, rig.wait()))
    last = rig.wait()
    await asyncio.sleep(0)
    assert len(rig.dialling) == 1
    assert last.deadline == rig.ticker.now + CONNECT_S + QUEUE_S
    made = await rig.connected()
    assert last.given == [made]
    await rig.stop()


async def test_a_tunnel_leaves_its_place_to_others() -> None:
    """But not its file descriptor, until its end."""
    rig = Rig(max_connections=1)
    tunnel = await rig.used()
    waiting = rig.wait()
    tunnel.detach(lambda _size: None, b"")
    made = await rig.connected()
    assert waiting.given == [made]
    assert (rig.metrics.connections_open, rig.descriptors.upstreams) == (1, 2)
    tunnel.connection_lost(None)
    assert (rig.metrics.connections_open, rig.descriptors.upstreams) == (1, 1)
    await rig.stop()


async def test_tunnels_end_with_their_pool() -> None:
    rig = Rig()
    tunnel = await rig.used()
    tunnel.detach(lambda _size: None, b"")
    assert not rig.pool.is_unused
    await rig.stop()
    assert tunnel.transport.is_closing()


# --- whose turn it is


async def test_clients_take_turns() -> None:
    """Many requests of one wait behind each other, not in front of another's."""
    rig = Rig(max_connections=1)
    connection = await rig.used()
    many = [rig.wait(client=b"10.0.0.1") for _ in range(3)]
    other = rig.wait(client=b"10.0.0.2")
    order = []
    for _ in range(4):
        rig.pool.release(connection)
        order.append(next(waiter for waiter in (*many, other) if waiter.given))
        order[-1].given.clear()
    assert order == [many[0], other, many[1], many[2]]
    assert rig.metrics.queued == 0
    await rig.stop()


async def test_a_full_queue_makes_room_for_who_has_fewer_waiting() -> None:
    """At the cost of the last of who has most. Whoever would have as many is refused itself."""
    rig = Rig(max_connections=1, max_queue=3)
    await rig.used()
    many = [rig.wait(client=b"10.0.0.1") for _ in range(3)]
    other = rig.wait(client=b"10.0.0.2")
    assert [waiter.given for waiter in (*many, other)] == [[], [], [Fault.QUEUE_FULL], []]
    refused = rig.wait(client=b"10.0.0.2")
    assert [waiter.given for waiter in (*many, other, refused)] == [[], [], [Fault.QUEUE_FULL], [], [Fault.QUEUE_FULL]]
    assert (rig.metrics.queue_refused, rig.metrics.queued) == ({"full": 2}, 3)
    await rig.stop()
