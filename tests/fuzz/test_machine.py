"""Anything at any moment: afterwards nothing is left over, nothing was raised, and nobody got another's answer."""

from __future__ import annotations

import asyncio
import random

from fuzzing import cases
from fuzzing.machine import Actor, Upstream
from fuzzing.rig import Rig

from proxy.plan import PoolPlan, Timeouts

TIMEOUTS = Timeouts(
    header_read_s=0.3,
    body_read_s=0.3,
    idle_s=0.4,
    connect_s=0.3,
    response_head_s=0.4,
    response_body_s=0.4,
    tunnel_idle_s=0.6,
    queue_s=0.2,
)
POOLS = (PoolPlan(4, 2, 0.3, 3), PoolPlan(1, 1, 0.3, 2), PoolPlan(16, 8, 0.3, 64), PoolPlan(8, 0, 0.3, 1))
ACTORS = 60
AT_ONCE = 12


async def play(rig: Rig, dice: random.Random) -> None:
    """Some clients at once, and a few reloads."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(actor: Actor) -> None:
        async with turn:
            await actor.run()

    async def reload() -> None:
        for _ in range(dice.randrange(3)):
            await asyncio.sleep(dice.random() * 0.5)
            await rig.plane.replace_plan(rig.plan(pool=dice.choice(POOLS)))

    actors = [Actor(rig, b"a%d" % number, random.Random(dice.random())) for number in range(ACTORS)]
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(reload())
        for actor in actors:
            group.create_task(one(actor))
    answered = sum(actor.answered for actor in actors)
    assert answered <= len(rig.records), "answered, but not counted"


async def test_machine() -> None:
    async def case(dice: random.Random) -> None:
        upstream = Upstream(dice)
        async with Rig.started(upstream, timeouts=TIMEOUTS, pool=dice.choice(POOLS)) as rig:
            try:
                await play(rig, dice)
                drained = await rig.plane.drain() if dice.random() < 0.3 else True
                await rig.settle()
            finally:
                await upstream.stop()
            assert drained
            assert not upstream.problems, upstream.problems
            counted = sum(sum(one.requests) for one in rig.metrics.exchanges.values())
            assert counted == sum(1 for record in rig.records if record.upstream)
        await rig.check_leaks()

    await cases.run("test_machine", 2, 0.4, case)
