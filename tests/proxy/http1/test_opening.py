"""The first bytes of a client say which protocol it speaks, in pieces of any size."""

from __future__ import annotations

import asyncio

import pytest
from lab.pairs import Pair, Plane
from lab.transports import FakeTransport

from proxy.http1.client import ClientConnection
from proxy.http1.opening import Other

PREFACE = b"PRI * HTTP/2.0\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: app\r\n\r\n"


def opened() -> tuple[Plane, Pair, ClientConnection, list[bytes]]:
    """A client that may turn out to speak another protocol; what that protocol has been given."""
    plane, given = Plane(), list[bytes]()
    (pair,) = plane.pairs(1)

    def take_over(transport: asyncio.Transport, opening: bytes) -> None:
        assert transport is near
        given.append(opening)

    client = ClientConnection(plane.listener, Other(PREFACE, take_over))
    near = FakeTransport(peername=("10.0.0.2", 50000))
    near.protocol = client
    client.connection_made(near)
    return plane, pair, client, given


@pytest.mark.parametrize("size", [1, 2, 5, 17, 18, 40])
async def test_another_protocol_gets_all_that_has_come(size: int) -> None:
    _, _, client, given = opened()
    wire = PREFACE + b"SM\r\n\r\n"
    at = 0
    while not given:
        client.data_received(wire[at : at + size])
        at += size
    assert given == [wire[: max(size, -(-len(PREFACE) // size) * size)]]
    assert client.open_exchanges == 0


@pytest.mark.parametrize("size", [1, 2, 3, 100])
async def test_a_request_is_read_from_its_first_byte(size: int) -> None:
    for wire in (GET, b"PRINT / HTTP/1.1\r\nHost: app\r\n\r\n", b"P" + GET[1:]):
        _, pair, client, given = opened()
        for at in range(0, len(wire), size):
            client.data_received(wire[at : at + size])
        assert given == []
        assert client.open_exchanges == 1
        assert pair.far.take().startswith(wire.partition(b" ")[0] + b" / HTTP/1.1\r\n")


async def test_a_beginning_has_the_time_of_a_head() -> None:
    plane, _, client, _ = opened()
    begin = plane.ticker.now
    plane.ticker.now = begin + 5
    client.data_received(b"PR")
    assert client.deadline == begin + 15
    plane.ticker.now = begin + 6
    client.data_received(b"I")
    assert client.deadline == begin + 15
