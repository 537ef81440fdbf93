"""Names to addresses."""

from __future__ import annotations

import asyncio
import gc
import socket
from typing import Any

import pytest

from proxy.semantics.faults import Fault, Refusal
from proxy.transport import resolve
from proxy.transport.resolve import MAX_LOOKUPS, Lookups, Resolver


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("2130706433", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
    ],
)
async def test_a_literal_is_not_asked_for(host: str, address: str) -> None:
    resolver = Resolver(host, 0, Lookups())
    assert await resolver.addresses() == (address,)
    assert not resolver.is_stale(1e12)


async def test_an_answer_is_remembered_and_refreshed(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [["10.0.0.1", "10.0.0.2", "10.0.0.1"], ["10.0.0.3"], None]
    asked: list[str] = []

    async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        found = answers[len(asked) - 1]
        if found is None:
            raise socket.gaierror("down")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)
    resolver = Resolver("app.test", 1000, Lookups())
    for _ in range(2):
        assert await resolver.addresses() == ("10.0.0.1", "10.0.0.2")
    assert len(asked) == 1
    resolver.refresh_s = 0
    resolver._expires = 0
    assert await resolver.addresses() == ("10.0.0.3",)
    assert await resolver.addresses() == ("10.0.0.3",), "the DNS is down: the last answer holds"
    assert len(asked) == 3


async def test_a_name_that_never_had_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    async def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror("unknown")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)
    with pytest.raises(Refusal) as caught:
        await Resolver("app.test", 1, Lookups()).addresses()
    assert caught.value.fault is Fault.DNS_ERROR


class Hanging:
    """A DNS that answers when it is told to, and meanwhile leaves everybody waiting."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.answer = asyncio.Event()
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self._getaddrinfo, raising=False)

    async def _getaddrinfo(self, host: str, port: int, **_: Any) -> list[Any]:
        self.asked.append(host)
        await self.answer.wait()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.9", port))]


async def test_a_name_that_hangs_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """By whomever, and also while those who gave up waiting come again: each look-up holds a thread of the system."""
    dns, lookups = Hanging(monkeypatch), Lookups()
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.gather(*(Resolver("app.test", 1, lookups).addresses() for _ in range(5)))
    assert dns.asked == ["app.test"]
    waiting = asyncio.create_task(Resolver("app.test", 1, lookups).addresses())
    dns.answer.set()
    assert await waiting == ("10.0.0.9",)
    assert await Resolver("app.test", 1, lookups).addresses() == ("10.0.0.9",)
    assert dns.asked == ["app.test"] * 2, "what was answered is not under way any more"


async def test_a_dns_that_hangs_leaves_the_last_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "_PATIENCE_S", 0.01)
    dns, lookups = Hanging(monkeypatch), Lookups()
    dns.answer.set()
    resolver = Resolver("app.test", 1000, lookups)
    assert await resolver.addresses() == ("10.0.0.9",)
    dns.answer.clear()
    resolver._expires = 0
    async with asyncio.timeout(5):
        assert await resolver.addresses() == ("10.0.0.9",)
        assert await resolver.addresses() == ("10.0.0.9",)
    assert len(dns.asked) == 2, "and is not waited for each time"
    await lookups.stop()


async def test_lookups_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    Hanging(monkeypatch)
    lookups = Lookups()
    for number in range(MAX_LOOKUPS):
        lookups.begin(f"{number}.test")
    with pytest.raises(Refusal) as caught:
        lookups.begin("one-more.test")
    assert caught.value.fault is Fault.DNS_ERROR
    await lookups.stop()
    lookups.begin("one-more.test")
    await lookups.stop()


async def test_a_look_up_out_of_turn_that_fails_brings_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it count as an answer."""
    answers: list[list[str] | None] = [["10.0.0.1"], None, ["10.0.0.2"]]

    async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        found = answers.pop(0)
        if found is None:
            raise socket.gaierror("down")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)
    resolver = Resolver("app.test", 1000, Lookups())
    tried = await resolver.addresses()
    assert await resolver.anew(tried, resolver.answers) == ()
    assert resolver.answers == 1
    assert await resolver.anew(tried, resolver.answers) == ()  # within a second
    resolver._anew_from = 0.0
    assert await resolver.anew(tried, resolver.answers) == ("10.0.0.2",)
    assert resolver.answers == 2


async def test_a_name_is_asked_out_of_turn_only_where_that_may_bring_something_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing new, and it is asked again after a second at the earliest; something new, and it may be asked at once."""
    answers = [["10.0.0.1", "10.0.0.2"], ["10.0.0.2", "10.0.0.3"], ["10.0.0.3", "10.0.0.2"], ["10.0.0.4"]]
    asked: list[float] = []

    async def getaddrinfo(host: str, port: int, **how: Any) -> list[Any]:
        assert (host, port, how) == ("app.test", 0, {"type": socket.SOCK_STREAM})
        asked.append(0.0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers[len(asked) - 1]]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)
    resolver = Resolver("app.test", 1000, Lookups())
    assert (resolver.known, resolver.answers) == ((), 0)
    one, two = await resolver.addresses()
    assert await resolver.anew([one], 1) == (two,), "it was not tried yet"
    assert await resolver.anew([one, two], 0) == (), "it has been asked since"
    assert len(asked) == 1
    assert await resolver.anew([one, two], 1) == ("10.0.0.3",)
    assert await resolver.anew([one, two, "10.0.0.3"], 2) == (), "the same in another order"
    assert await resolver.anew([one, two, "10.0.0.3"], 3) == ()
    assert (len(asked), resolver.answers) == (3, 3)
    assert resolver.known == await resolver.addresses() == ("10.0.0.3", "10.0.0.2")


async def test_a_literal_is_never_asked_anew() -> None:
    assert await Resolver("10.0.0.1", 1, Lookups()).anew(["10.0.0.1"], 0) == ()


async def test_a_look_up_that_nobody_waits_for_any_more_is_over_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that fails, and one that was stopped."""
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
    dns, lookups = Hanging(monkeypatch), Lookups()
    lookups.begin("hangs.test")
    await asyncio.sleep(0)
    await lookups.stop()

    async def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror("unknown")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)
    lookups.begin("fails.test")
    for _ in range(5):
        await asyncio.sleep(0)
    assert not lookups.is_under_way("fails.test")
    gc.collect()
    assert (told, dns.asked) == ([], ["hangs.test"])
