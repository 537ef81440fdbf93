"""Ordered reloads: several in one, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from typing import Any

from proxy.lifecycle.orders import Orders


def read(_: int) -> Any:
    return None


def other(_: int) -> Any:
    return None


async def test_orders_that_came_meanwhile_are_one() -> None:
    orders = Orders()
    waiting = [orders.add_and_wait(other), orders.add_and_wait(read)]
    await orders.wait()
    order = orders.take()
    assert order.read is read, "the last"
    later = orders.add_and_wait(read)
    order.over(("wrong",))
    assert [await one for one in waiting] == [("wrong",), ("wrong",)]
    assert not later.done()


async def test_who_wants_everything_read_again_gets_it() -> None:
    orders = Orders()
    orders.add_and_wait(read)
    orders.add()  # as SIGHUP does
    assert orders.take().read is None
    assert not orders.take().waiting


async def test_nobody_waits_for_ever() -> None:
    orders = Orders()
    waiting, left = orders.add_and_wait(), orders.add_and_wait()
    left.cancel()
    orders.cancel(["it is ending"])
    assert await asyncio.wait_for(waiting, 1) == ("it is ending",)
