"""The end of a tunnel, with transports that lead nowhere. What passes through one is in tests/wire."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from lab.transports import FakeTransport

from proxy.semantics.websocket import going_away
from proxy.transport.deadlines import Ticker
from proxy.transport.tunnel import End, FarEnd, TunnelSide, open_tunnel
from proxy.transport.turns import FULL_READ_BYTES


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


class Ends:
    """Both ends of a tunnel, and what they have told."""

    def __init__(
        self,
        *,
        is_websocket: bool = False,
        idle_s: float = 60.0,
        near_socket: socket.socket | None = None,
        **more: dict[str, Any],
    ) -> None:
        """`more`: fields of the End of `near` or `far`."""
        self.ticker = Ticker(asyncio.get_running_loop())
        self.near, self.far = FakeTransport(peername=("10.0.0.1", 5), socket=near_socket), FakeTransport()
        self.read: dict[str, list[int]] = {"near": [], "far": []}
        self.lost: list[tuple[str, Exception | None]] = []
        for transport in (self.near, self.far):
            transport.pause_reading()
        self.tunnel = open_tunnel(
            self._end("near", self.near, more), self._end("far", self.far, more), self.ticker, idle_s,
            is_websocket=is_websocket,
        )  # fmt: skip

    def _end(self, name: str, transport: FakeTransport, more: dict[str, dict[str, Any]]) -> End:
        first: dict[str, Any] = {"received": b"", "saw_eof": False, "is_full": False, **more.get(name, {})}
        return End(transport, self.read[name].append, lambda exc: self.lost.append((name, exc)), **first)

    @property
    def sides(self) -> tuple[TunnelSide, TunnelSide]:
        return side(self.near), side(self.far)

    def paused(self) -> tuple[bool, bool]:
        return self.near.is_reading_paused, self.far.is_reading_paused

    def closing(self) -> tuple[bool, bool]:
        return self.near.is_closing(), self.far.is_closing()


async def test_bytes_pass_in_both_directions() -> None:
    """Each of them keeps the tunnel open, at both ends, and is counted where it came from."""
    ends = Ends()
    near, far = ends.sides
    assert (ends.tunnel, ends.paused(), len(ends.ticker)) == (near, (False, False), 2)
    assert repr(near) == "<TunnelSide 10.0.0.1 open, 0 bytes to send>"
    assert repr(far) == "<TunnelSide unix open, 0 bytes to send>"
    begin = ends.ticker.now
    assert near.deadline == far.deadline == begin + 60
    ends.ticker.now = begin + 5
    near.data_received(b"abc")
    assert near.deadline == far.deadline == begin + 65
    far.data_received(b"defg")
    assert (ends.far.take(), ends.near.take(), ends.read) == (b"abc", b"defg", {"near": [3], "far": [4]})
    near.on_deadline()
    assert (ends.near.is_aborted, near.deadline) == (True, float("inf"))


async def test_what_came_before_the_tunnel_passes_first() -> None:
    ends = Ends(near={"received": b"ab", "saw_eof": True}, far={"received": b"c"})
    assert (ends.far.take(), ends.near.take()) == (b"ab", b"c")
    assert (ends.far.is_ended, ends.near.is_ended, ends.closing()) == (True, False, (False, False))


async def test_a_full_end_pauses_the_other() -> None:
    ends = Ends(near={"is_full": True})
    near, far = ends.sides
    assert ends.paused() == (False, True)
    near.resume_writing()
    far.pause_writing()
    assert ends.paused() == (True, False)
    far.resume_writing()
    assert ends.paused() == (False, False)


async def test_each_direction_ends_separately() -> None:
    ends = Ends()
    near, far = ends.sides
    assert near.eof_received() is True
    assert (ends.far.is_ended, ends.closing()) == (True, (False, False))
    far.data_received(b"still")
    assert ends.near.take() == b"still"
    assert far.eof_received() is False
    assert (ends.near.is_ended, ends.closing()) == (False, (True, False))


async def test_an_end_that_cannot_be_told_alone_ends_both() -> None:
    """As with TLS."""
    ends = Ends()
    ends.far.can_write_eof = lambda: False  # type: ignore[method-assign]
    assert side(ends.near).eof_received() is False
    assert (ends.far.is_ended, ends.closing()) == (False, (False, True))


@pytest.mark.parametrize(("size", "waits"), [(FULL_READ_BYTES - 1, False), (FULL_READ_BYTES, True)])
@pytest.mark.parametrize("is_full", [False, True])
async def test_who_sends_much_waits_for_the_next_turn(size: int, waits: bool, is_full: bool) -> None:
    """And longer, where the other end is full by then."""
    ends = Ends()
    near, far = ends.sides
    near.data_received(bytes(size))
    assert ends.paused() == (waits, False)
    near.data_received(bytes(size))
    if is_full:
        far.pause_writing()
    await asyncio.sleep(0)
    assert ends.paused() == (is_full, False)
    assert ends.ticker.turns.put_off == waits
    far.resume_writing()
    assert ends.paused() == (False, False)


async def test_a_lost_end_ends_the_other() -> None:
    """Each is told to who had it before, once."""
    ends = Ends()
    near, far = ends.sides
    error = ConnectionResetError()
    near.connection_lost(error)
    assert (ends.closing(), ends.lost, len(ends.ticker)) == ((False, True), [("near", error)], 1)
    far.data_received(b"late")
    assert ends.near.take() == b""
    assert far.eof_received() is False
    far.connection_lost(None)
    assert (ends.lost, len(ends.ticker)) == ([("near", error), ("far", None)], 0)
    ends.near.buffered = 3
    assert repr(near) == "<TunnelSide 10.0.0.1 lost, 0 bytes to send>"


async def test_an_end_that_is_lost_is_no_longer_watched() -> None:
    """Its socket's number may be another's from then on."""
    here, there = socket.socketpair()
    with here, there:
        ends = Ends(near_socket=here)
        near, far = ends.sides
        far.pause_writing()
        assert len(ends.ticker.ends) == 1
        near.connection_lost(None)
        assert len(ends.ticker.ends) == 0


@pytest.mark.parametrize(
    ("is_websocket", "cut", "told"),
    [(True, b"", (True, True)), (True, b"\x81\x05he", (True, False)), (False, b"", (False, False))],
)
async def test_both_ends_are_told_that_a_tunnel_closes(is_websocket: bool, cut: bytes, told: tuple[bool, bool]) -> None:
    """A WebSocket by a Close frame, but not in the middle of a frame. They have a second to read it."""
    ends = Ends(is_websocket=is_websocket)
    near, far = ends.sides
    near.data_received(cut)
    ends.far.take()
    far.pause_writing()
    near.close()
    goodbyes = ends.near.take(), ends.far.take()
    assert tuple(map(bool, goodbyes)) == told
    if told[0]:
        assert goodbyes[0] == going_away()
    if told[1]:
        assert goodbyes[1] == going_away(goodbyes[1][2:6])
    assert (ends.near.is_ended, ends.far.is_ended, ends.closing(), ends.paused()) == (
        True,
        True,
        (False,) * 2,
        (False,) * 2,
    )
    assert near.deadline == far.deadline == ends.ticker.now + 1
    ends.ticker.now += 0.5
    near.data_received(b"late")
    assert (ends.far.take(), near.deadline, sum(ends.read["near"])) == (b"", ends.ticker.now + 0.5, len(cut) + 4)
    assert far.eof_received() is False
    near.connection_lost(None)
    assert ends.closing() == (False, False), "each ends by itself"
    far.on_deadline()
    assert ends.far.is_aborted


@pytest.mark.parametrize("how", ["ended", "lost", "cannot"])
async def test_an_end_that_has_said_all_is_closed(how: str) -> None:
    ends = Ends(is_websocket=True)
    near, far = ends.sides
    if how == "ended":
        near.eof_received()
    elif how == "lost":
        near.connection_lost(None)
    else:
        ends.near.can_write_eof = lambda: False  # type: ignore[method-assign]
    near.close()
    assert ends.near.is_closing() and not ends.near.is_ended
    assert bool(ends.near.take()) is (how != "lost")
    assert bool(ends.far.take()) is (how == "cannot"), "nothing follows what has ended"
    assert side(ends.far) is far


async def test_a_connection_waits_for_its_tunnel() -> None:
    """What its peer says meanwhile is kept, and it is not read further."""
    transport, lost = FakeTransport(), []
    far = FarEnd(4096, lambda: lost.append("lost"))
    far.connection_made(transport)
    assert transport.get_write_buffer_limits() == (0, 4096)
    far.data_received(b"ab")
    assert transport.is_reading_paused
    far.data_received(b"c")
    assert repr(far) == "<FarEnd waits, 3 bytes received>"
    assert far.eof_received() is True
    far.pause_writing()
    end = far.end(len)
    assert (end.transport, end.received, end.saw_eof, end.is_full) == (transport, b"abc", True, True)
    far.resume_writing()
    assert far.end(len).is_full is False
    far.abort()
    assert transport.is_aborted
    end.on_lost(None)
    assert (lost, far.is_lost, repr(far)) == (["lost"], True, "<FarEnd lost, 3 bytes received>")
    other = FarEnd()
    other.connection_made(transport)
    assert transport.get_write_buffer_limits() == (0, 65_536)
    assert other.end(len)[3:] == (b"", False, False)
    other.connection_lost(None)
    assert other.is_lost
