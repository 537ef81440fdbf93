"""Who waits for a connection: whose turn it is, who is refused, and who has given up."""

from __future__ import annotations

from typing import Any, cast

from lab.pools import QUEUE_S, Rig, Waiter

from proxy.semantics.faults import Fault


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


async def test_a_wait_in_vain_is_counted() -> None:
    rig = Rig()
    rig.pool.count_queue_timeout()
    rig.pool.count_retry()
    assert (rig.metrics.queue_refused, rig.metrics.retries) == ({"timeout": 1}, 1)


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
