"""Names to addresses."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from proxy.http1.errors import Fault, Refusal
from proxy.http1.resolve import Resolver


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "fe80::1%eth0"])
async def test_a_literal_is_not_asked_for(host: str) -> None:
    resolver = Resolver(host, 80, 0)
    assert await resolver.addresses() == (host,)
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
    resolver = Resolver("app.test", 80, 1000)
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
        await Resolver("app.test", 80, 1).addresses()
    assert caught.value.fault is Fault.DNS_ERROR
