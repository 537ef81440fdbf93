"""The public listeners over plans: opened before others are closed, and all or none."""

from __future__ import annotations

import pytest

from proxy.errors import StartError
from proxy.lifecycle.public_listeners import PublicListeners
from proxy.plan import Address

ONE, TWO, TAKEN = (Address("127.0.0.1", port) for port in (1, 2, 3))


class Server:
    """Notes what it is asked."""

    def __init__(self, calls: list[str]) -> None:
        self._calls = calls
        self._port = 0

    async def listen(self, address: Address, *, reuse_port: bool = False) -> Address:
        self._port = address.port
        if address == TAKEN:
            raise StartError("taken")
        self._calls.append(f"open {self._port}")
        return address

    def pass_on(self) -> None:
        self._calls.append(f"pass on {self._port}")

    async def close(self) -> None:
        self._calls.append(f"close {self._port}")


@pytest.fixture
def calls() -> list[str]:
    return []


@pytest.fixture
def public(calls: list[str]) -> PublicListeners:
    return PublicListeners(lambda: Server(calls))


async def test_what_stays_is_kept_and_what_is_new_opens_first(public: PublicListeners, calls: list[str]) -> None:
    (await public.open([ONE], reuse_port=False)).use()
    await (await public.open([ONE, TWO], reuse_port=False)).close_others()
    await (await public.open([TWO], reuse_port=False)).close_others()
    assert calls == ["open 1", "open 2", "close 1"]
    assert public.addresses() == (TWO,)
    public.pass_on()
    await public.close()
    assert calls[3:] == ["pass on 2", "close 2"]


async def test_one_that_cannot_be_opened_leaves_all_as_it_was(public: PublicListeners, calls: list[str]) -> None:
    (await public.open([ONE], reuse_port=False)).use()
    with pytest.raises(StartError):
        await public.open([TWO, TAKEN], reuse_port=False)
    assert calls == ["open 1", "open 2", "close 2"]
    await (await public.open([TWO], reuse_port=False)).give_up()
    assert calls[3:] == ["open 2", "close 2"]
    assert public.addresses() == (ONE,)
