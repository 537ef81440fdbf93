"""One listening socket, from its binding to its end, and those who wait at it when it is closed."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from proxy.plan import Address
from proxy.transport.binding import file_identity, take_path
from proxy.transport.listening import ListeningSocket, drop, serve

ANYWHERE = Address("127.0.0.1", 0)


class Greeting(asyncio.Protocol):
    """Says hello to whoever comes."""

    def connection_made(self, transport: Any) -> None:
        transport.write(b"hello")
        transport.close()


class Leaving(asyncio.Protocol):
    """Says goodbye to whoever comes."""

    def connection_made(self, transport: Any) -> None:
        transport.write(b"bye")
        transport.close()


@pytest.fixture
async def opened() -> ListeningSocket:
    """The test closes it."""
    listening = ListeningSocket(ANYWHERE, Greeting)
    await listening.open("inbound")
    return listening


def connect(address: Address) -> socket.socket:
    return socket.create_connection((address.host, address.port), 5)


async def received(client: socket.socket) -> bytes:
    client.setblocking(False)
    with client:
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 100), 5)


async def test_what_names_it(opened: ListeningSocket) -> None:
    """The address that it has; not the one that was asked for, where that left the choice to the system."""
    address = opened.address
    assert opened.is_at(address)
    for other in (ANYWHERE, Address("127.0.0.2", address.port), Address("127.0.0.1", address.port ^ 1)):
        assert not opened.is_at(other)
    assert repr(opened) == f"<ListeningSocket at {address}>"
    opened.close()


async def test_unix_paths_name_it(tmp_path: Path) -> None:
    bind = Address(unix_path=str(tmp_path / "in.sock"))
    one = ListeningSocket(bind, Greeting)
    assert repr(one) == f"<ListeningSocket at {bind}>"
    await one.open("inbound")
    assert one.is_at(bind)
    assert not one.is_at(Address(unix_path=str(tmp_path / "other.sock")))
    assert one.address == bind
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(bind.unix_path)
        waiting = one.close()
        assert len(waiting) == 1
        drop(waiting)
    assert file_identity(bind.unix_path) is None, "nobody listens there any more"


async def test_a_socket_file_of_another_process_stays(tmp_path: Path) -> None:
    """It has taken the place of ours meanwhile."""
    path = tmp_path / "in.sock"
    one = ListeningSocket(Address(unix_path=str(path)), Greeting)
    await one.open("inbound")
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(f"{path}.theirs")
        take_path(f"{path}.theirs", str(path))
        one.close()
        assert file_identity(str(path)) is not None


async def test_who_comes_is_served(opened: ListeningSocket) -> None:
    """By what accepts at the time: a reload may have changed that."""
    assert await received(connect(opened.address)) == b"hello"
    opened.accept = Leaving
    assert await received(connect(opened.address)) == b"bye"
    opened.close()


async def test_who_waits_when_it_closes(opened: ListeningSocket) -> None:
    """They are given back once, in their order, and nobody comes after."""
    first, second, third = (connect(opened.address) for _ in range(3))  # without a turn of the loop
    address = opened.address
    waiting = opened.close()
    with pytest.raises(ConnectionRefusedError):
        connect(address)
    assert [peer.getpeername() for _, peer in waiting] == [one.getsockname() for one in (first, second, third)]
    drop(waiting[1:2])
    assert await received(second) == b""
    await serve([waiting[0], waiting[2]])
    assert [await received(one) for one in (first, third)] == [b"hello"] * 2


async def test_who_waits_when_serving_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are ended, not forgotten."""
    begun = asyncio.Event()

    async def never(*_: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "connect_accepted_socket", never, raising=False)
    pairs = [socket.socketpair() for _ in range(2)]
    waiting: Any = [(Greeting, ours) for ours, _ in pairs]
    serving = asyncio.create_task(serve(waiting))
    await begun.wait()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    for _, theirs in pairs:
        assert await received(theirs) == b""
