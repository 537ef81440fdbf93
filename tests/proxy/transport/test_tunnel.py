"""The end of a tunnel, with transports that lead nowhere. What passes through one is in tests/wire."""

from __future__ import annotations

import asyncio

import pytest
from lab.transports import FakeTransport

from proxy.transport.deadlines import Ticker
from proxy.transport.tunnel import End, TunnelSide, open_tunnel


@pytest.fixture
async def sides() -> tuple[FakeTransport, FakeTransport, Ticker]:
    """The transports of both ends."""
    ticker = Ticker(asyncio.get_running_loop())
    near, far = FakeTransport(), FakeTransport()

    def end(transport: FakeTransport) -> End:
        return End(transport, lambda _size: None, lambda _exc: None, b"", saw_eof=False, is_full=False)

    open_tunnel(end(near), end(far), ticker, 3600.0)
    return near, far, ticker


def side(transport: FakeTransport) -> TunnelSide:
    assert isinstance(transport.protocol, TunnelSide)
    return transport.protocol


def test_the_last_bytes_of_a_lost_end_are_waited_for_while_they_go(
    sides: tuple[FakeTransport, FakeTransport, Ticker],
) -> None:
    """Each 10 s something of them has to be taken."""
    near, far, ticker = sides
    far.buffered = 1000
    side(near).connection_lost(None)
    assert (far.is_closing(), far.is_aborted) == (True, False)
    assert side(far).deadline == ticker.now + 10
    far.buffered = 999
    side(far).on_deadline()
    assert (far.is_aborted, side(far).deadline) == (False, ticker.now + 10)
    side(far).on_deadline()
    assert far.is_aborted
