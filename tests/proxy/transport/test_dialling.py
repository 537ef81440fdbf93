"""Which addresses are dialled, when, and what becomes of those that lose (RFC 8305)."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterable

import pytest

from proxy.transport import dialling
from proxy.transport.descriptors import Descriptors
from proxy.transport.dialling import Dialling, in_order


@pytest.mark.parametrize(
    ("addresses", "turn", "order"),
    [
        ("", 0, ""),
        ("a", 7, "a"),
        ("abc", 0, "abc"),
        ("abc", 1, "bca"),
        ("::1 ::2 a b", 0, "::1 a ::2 b"),
        ("::1 ::2 a b", 1, "::2 b ::1 a"),
        ("a ::1 ::2 ::3", 1, "a ::2 ::3 ::1"),
        ("a b c ::1", 2, "c ::1 a b"),
    ],
)
def test_order(addresses: str, turn: int, order: str) -> None:
    def each(text: str) -> tuple[str, ...]:
        return tuple(text.split() if " " in text else text)

    assert in_order(each(addresses), turn) == each(order)


class Network:
    """Addresses that begin with `up` answer, with `dead` never do, others refuse. `late` answers once told to."""

    def __init__(self) -> None:
        self.dialled: list[str] = []
        self.closed: list[str] = []
        self.go = asyncio.Event()
        self.made: list[socket.socket] = []

    async def dial(self, ip: str) -> socket.socket:
        self.dialled.append(ip)
        try:
            if ip.startswith("dead"):
                await asyncio.Event().wait()
            if ip.startswith("late"):
                await self.go.wait()
        except asyncio.CancelledError:
            self.closed.append(ip)
            raise
        if ip.startswith(("up", "late")):
            self.made.append(socket.socket())
            return self.made[-1]
        raise ConnectionRefusedError(errno.ECONNREFUSED, "refused")


async def nothing_more() -> Iterable[str]:
    return ()


@pytest.fixture
def descriptors() -> Descriptors:
    found = Descriptors()
    found.upstreams = 1
    return found


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialling, "_STAGGER_S", 0.001)
    monkeypatch.setattr(dialling, "_SILENCE_S", 0.001)


async def winner(over: Dialling) -> str | None:
    won = await over.next()
    if won is None:
        return None
    won[1].close()
    return won[0]


async def test_losers_are_closed(descriptors: Descriptors) -> None:
    network = Network()
    over = Dialling(["dead1", "no", "dead2", "up", "never"], network.dial, nothing_more, descriptors)
    assert await winner(over) == "up"
    await over.close()
    assert network.dialled == ["dead1", "no", "dead2", "up"]
    assert sorted(network.closed) == ["dead1", "dead2"]
    assert over.losers == {"dead1", "no", "dead2"}
    assert descriptors.upstreams == 1


async def test_one_that_wins_too_late_is_closed(descriptors: Descriptors) -> None:
    """In the very turn in which another has won."""
    network = Network()
    over = Dialling(["late1", "late2"], network.dial, nothing_more, descriptors)
    asked = asyncio.create_task(over.next())
    while len(network.dialled) < 2:  # noqa: ASYNC110 - no event tells
        await asyncio.sleep(0)
    network.go.set()
    won = await asked
    assert won is not None
    won[1].close()
    await over.close()
    assert all(each.fileno() < 0 for each in network.made)


async def test_the_next_one_where_the_first_was_of_no_use(descriptors: Descriptors) -> None:
    """As where TLS fails with it: those that were dropped for its sake are dialled again, and first."""
    network = Network()
    over = Dialling(["dead", "up1", "up2"], network.dial, nothing_more, descriptors)
    assert [await winner(over), await winner(over)] == ["up1", "up2"]
    await over.close()
    assert network.dialled == ["dead", "up1", "dead", "up2"]


async def test_few_at_once(descriptors: Descriptors) -> None:
    """The oldest makes room; where file descriptors are scarce, there is one alone."""
    network = Network()
    dead = [f"dead{number}" for number in range(6)]
    over = Dialling([*dead, "up"], network.dial, nothing_more, descriptors)
    assert await winner(over) == "up"
    assert network.closed[:3] == dead[:3]
    await over.close()
    scarce = Descriptors(66)
    scarce.upstreams = scarce.most
    over = Dialling([*dead, "late"], network.dial, nothing_more, scarce)
    network.go.clear()
    asked = asyncio.create_task(over.next())
    while network.dialled[-1] != "late":
        await asyncio.sleep(0)
        assert scarce.upstreams == scarce.most
    network.go.set()
    won = await asked
    assert won is not None
    won[1].close()
    await over.close()


@pytest.mark.parametrize("first", [["no"], ["dead"], []])
async def test_more_are_asked_for_once(descriptors: Descriptors, first: list[str]) -> None:
    network = Network()
    asked = 0

    async def more() -> Iterable[str]:
        nonlocal asked
        asked += 1
        return ["no2", "up"]

    over = Dialling(first, network.dial, more, descriptors)
    assert await winner(over) == "up"
    assert asked == 1
    await over.close()
    assert descriptors.upstreams == 1


async def test_no_address_is_left(descriptors: Descriptors) -> None:
    over = Dialling(["no1", "no2"], Network().dial, nothing_more, descriptors)
    assert await winner(over) is None
    assert over.failure is not None
    assert over.failure[0] == "no2"
    await over.close()


async def test_it_is_given_up(descriptors: Descriptors) -> None:
    """While it dials, and while it asks for more: nothing is left open."""
    network = Network()

    async def never() -> Iterable[str]:
        await asyncio.Event().wait()
        return ()

    over = Dialling(["dead"], network.dial, never, descriptors)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await over.next()
    await over.close()
    assert network.closed == ["dead"]
    assert descriptors.upstreams == 1


async def test_attempts_beside_the_first_are_counted_while_they_last(descriptors: Descriptors) -> None:
    """Each takes a file descriptor; the first was counted by who began it all."""
    network = Network()
    attempts = Dialling(("dead1", "dead2", "late"), network.dial, nothing_more, descriptors)
    waiting = asyncio.ensure_future(attempts.next())
    async with asyncio.timeout(5):
        while descriptors.upstreams < 3:  # noqa: ASYNC110 - the dialling has no event for it
            await asyncio.sleep(0.001)
        network.go.set()
        found = await waiting
    assert found is not None and found[0] == "late"
    assert descriptors.upstreams == 1
    await attempts.close()
    found[1].close()
    assert descriptors.upstreams == 1


async def test_a_bug_of_who_dials_is_not_taken_for_a_refusal(descriptors: Descriptors) -> None:
    async def dial(ip: str) -> socket.socket:
        raise ValueError(ip)

    attempts = Dialling(("a", "b"), dial, nothing_more, descriptors)
    with pytest.raises(ValueError, match="a"):
        await attempts.next()
    await attempts.close()
