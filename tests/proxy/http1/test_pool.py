"""The pool without sockets: connections that are made, that fail and that end, and what each wait costs at most.

Whose turn it is: test_pool_turns.py. Idle connections: test_pool_idle.py. How many there may be: test_pool_limits.py.
What passes a socket is in tests/wire/test_pool.py.
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from lab.pools import CONNECT_S, QUEUE_S, Rig

from proxy.plan import Timeouts
from proxy.semantics.faults import Fault


async def test_who_waits_for_a_connection_that_is_made_has_the_time_of_both() -> None:
    """It may go to somebody else, and then the wait is one for a place."""
    rig = Rig(max_connections=1)
    first, second = rig.wait(), rig.wait()
    assert first.deadline == rig.ticker.now + CONNECT_S + QUEUE_S
    assert second.deadline == rig.ticker.now + QUEUE_S
    await asyncio.sleep(0)
    assert rig.times == [CONNECT_S]
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
    assert (waiter.given, waiter.details) == ([Fault.CONNECTION_LOST], ["the upstream closed the connection at once"])
    assert (rig.pool.is_unused, rig.descriptors.upstreams, len(rig.ticker)) == (True, 0, 0)
    assert (rig.metrics.connects, rig.metrics.connections_open) == (0, 0)


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


async def test_a_pool_is_used_while_anything_of_it_is_left() -> None:
    """A connection, one that is being made, or a tunnel that has taken one along."""
    rig = Rig()
    assert (rig.pool.is_unused, rig.pool.is_idle) == (True, True)
    gone = rig.wait()
    assert (rig.pool.is_unused, rig.pool.is_idle) == (False, False)
    rig.pool.give_up(cast(Any, gone))
    assert (rig.pool.is_unused, rig.pool.is_idle) == (False, False), "one is being made"
    made = await rig.connected()
    assert (rig.pool.is_unused, rig.pool.is_idle) == (False, True)
    assert rig.wait().given == [made]
    assert (rig.pool.is_unused, rig.pool.is_idle) == (False, False)
    rig.pool.detached(made)
    assert (rig.pool.is_unused, rig.pool.is_idle, rig.descriptors.upstreams) == (False, True, 1)
    made.connection_lost(None)
    assert (rig.pool.is_unused, rig.descriptors.upstreams) == (True, 0)
    await rig.stop()


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
