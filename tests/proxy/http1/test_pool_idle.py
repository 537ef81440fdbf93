"""Idle connections: how long the pool keeps them, which one serves next, and what it asks about their addresses."""

from __future__ import annotations

import asyncio

import pytest
from lab.pools import Rig, turns

from proxy.semantics.faults import Fault, Refusal


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


async def test_an_idle_connection_that_its_peer_closes_is_counted_once() -> None:
    rig = Rig(idle_s=10)
    used = await rig.used()
    rig.pool.release(used)
    rig.pool.lost(used)
    assert (rig.metrics.connections_idle, rig.metrics.idle_closed) == (0, {"peer": 1})
    rig.pool.lost(used)
    assert (rig.metrics.connections_idle, rig.metrics.idle_closed) == (0, {"peer": 1})
    await rig.stop()
