"""One listening socket, from its binding to its end."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from proxy.plan import Address
from proxy.transport.listening import ListeningSocket, drop, serve

GET = b"GET / HTTP/1.1\r\nHost: app\r\n\r\n"


@pytest.fixture
async def sidecar(lab: Any) -> Any:
    sidecar, _ = await lab.pair()
    return sidecar


@pytest.fixture
def opened(sidecar: Any) -> ListeningSocket:
    found: ListeningSocket = sidecar.plane._doors["inbound"].socket
    return found


def connect(address: Address) -> socket.socket:
    client = socket.create_connection((address.host, address.port), 5)
    client.settimeout(5)
    return client


async def test_what_names_it(opened: ListeningSocket) -> None:
    """The address that it has; not the one that was asked for, where that left the choice to the system."""
    address = opened.address
    assert opened.is_at(address)
    for other in (Address("127.0.0.1", 0), Address("127.0.0.2", address.port), Address("127.0.0.1", address.port ^ 1)):
        assert not opened.is_at(other)


async def test_unix_paths_name_it(lab: Any, tmp_path: Path) -> None:
    bind = Address(unix_path=str(tmp_path / "in.sock"))
    sidecar = await lab.sidecar(lab.inbound(lab.upstream(1), bind=bind))
    one = sidecar.plane._doors["inbound"].socket
    assert one.is_at(bind)
    assert not one.is_at(Address(unix_path=str(tmp_path / "other.sock")))
    assert one.address == bind
    assert repr(one) == f"<ListeningSocket at {bind}>"


async def test_who_waits_when_it_closes(sidecar: Any, opened: ListeningSocket) -> None:
    """Is given back once, whole, and nobody comes after."""
    first, second = connect(opened.address), connect(opened.address)  # without a turn of the loop
    address = opened.address
    waiting = opened.close()
    with pytest.raises(ConnectionRefusedError):
        connect(address)
    assert [peer.getpeername() for _, peer in waiting] == [first.getsockname(), second.getsockname()]
    drop(waiting[1:])
    assert second.recv(1) == b""
    await serve(waiting[:1])
    loop = asyncio.get_running_loop()
    first.setblocking(False)
    await loop.sock_sendall(first, GET)
    assert (await loop.sock_recv(first, 65536)).startswith(b"HTTP/1.1 200 ")
    assert sidecar.metrics.listener("inbound").connections_total == 1
    first.close()
    second.close()


async def test_who_waits_when_nobody_serves_them_any_more(sidecar: Any, opened: ListeningSocket) -> None:
    """Is ended, not forgotten."""
    client = connect(opened.address)
    serving = asyncio.create_task(serve(opened.close()))
    await asyncio.sleep(0)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    sidecar.plane._listeners["inbound"].abort()
    await asyncio.sleep(0)
    client.setblocking(False)
    assert await asyncio.get_running_loop().sock_recv(client, 1) == b""
    client.close()


@pytest.mark.parametrize("taken", [False, True])
async def test_the_file_of_a_unix_socket(lab: Any, tmp_path: Path, taken: bool) -> None:
    """Goes with it, unless somebody has put another in its place."""
    path = tmp_path / "in.sock"
    sidecar = await lab.sidecar(lab.inbound(lab.upstream(1), bind=Address(unix_path=str(path))))
    if taken:
        path.rename(tmp_path / "was.sock")
        path.write_text("mine")
    await sidecar.plane.stop()
    assert path.exists() is taken
