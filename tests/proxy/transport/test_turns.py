"""A turn does a few pieces of work, and each owner gets its own in order."""

from __future__ import annotations

import asyncio

import pytest

from proxy.transport.turns import PIECES_A_TURN, Turns


async def test_a_turn_does_a_few_pieces_and_the_rest_waits() -> None:
    turns, done = Turns(asyncio.get_running_loop()), []
    for number in range(3 * PIECES_A_TURN):
        turns.later(lambda number=number: done.append(number))  # type: ignore[misc]  # a lambda's default
    assert done == []
    for turn in range(1, 4):
        await asyncio.sleep(0)
        assert done == list(range(turn * PIECES_A_TURN))
    assert turns.put_off == 3 * PIECES_A_TURN


async def test_who_asks_again_waits_behind_the_others() -> None:
    turns, done = Turns(asyncio.get_running_loop()), []

    def work(name: str) -> None:
        done.append(name)
        if len(done) < 9:
            turns.later(lambda: work(name))

    for name in "abc":
        turns.later(lambda name=name: work(name))  # type: ignore[misc]  # a lambda's default
    for _ in range(9):
        await asyncio.sleep(0)
    assert "".join(done[:9]) == "abcabcabc"


async def test_a_piece_that_fails_takes_nobody_else_with_it() -> None:
    loop = asyncio.get_running_loop()
    turns, done, errors = Turns(loop), [], []
    loop.set_exception_handler(lambda _loop, context: errors.append(context["exception"]))

    def fail() -> None:
        raise ValueError("ours")

    turns.later(fail)
    turns.later(lambda: done.append("next"))
    for _ in range(3):
        await asyncio.sleep(0)
    assert done == ["next"]
    assert [type(error) for error in errors] == [ValueError]


@pytest.mark.parametrize("pieces", [1, PIECES_A_TURN])
async def test_nothing_waits_where_nothing_is_left(pieces: int) -> None:
    """The loop sleeps again."""
    turns, done = Turns(asyncio.get_running_loop()), []
    for _ in range(pieces):
        turns.later(lambda: done.append(1))
    await asyncio.sleep(0)
    assert len(done) == pieces
    turns.later(lambda: done.append(2))
    await asyncio.sleep(0)
    assert done[-1] == 2
