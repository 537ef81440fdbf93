"""How many connections a pool may have: by its own limit, and by the file descriptors of the process."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from lab.pools import CONNECT_S, QUEUE_S, Rig


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


async def test_another_pools_connection_makes_room_where_descriptors_are_few() -> None:
    """As soon as there are as many as there may be."""
    rig = Rig()
    for number in range(4):
        rig.wait()
        assert rig.shed == (1 if number == 3 else 0)
    await asyncio.sleep(0)
    await rig.stop()
    assert rig.descriptors.upstreams == 0


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
