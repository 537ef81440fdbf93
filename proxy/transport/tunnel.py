"""Tunnels: after CONNECT or 101, bytes pass unchanged in both directions. Each direction ends separately.

May know transports, and where WebSocket frames end, for the goodbye. Must not know what the bytes mean.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from secrets import token_bytes
from typing import Final, NamedTuple, cast, final

from proxy.semantics.websocket import Frames, going_away
from proxy.transport.deadlines import NEVER, Ticker
from proxy.transport.sockets import descriptor
from proxy.transport.turns import FULL_READ_BYTES


class End(NamedTuple):
    """One end of a future tunnel."""

    transport: asyncio.Transport
    tell: Callable[[int], None]  # called with the number of bytes read here
    on_lost: Callable[[Exception | None], None]  # the last act of the transport's former protocol
    received: bytes  # bytes for the tunnel that were read already
    saw_eof: bool
    is_full: bool  # the write buffer is full; the transport will say when it has room


_BUFFER_BYTES: Final = 64 * 1024
_GOODBYE_S: Final = 1.0  # for both ends to hear that the tunnel is closed
_LAST_BYTES_S: Final = 10.0  # the longest silence of an end that still has to read the last bytes of the other


@final
class FarEnd:
    """A connection made for a tunnel, until the tunnel exists: its peer may speak first, and may end its direction."""

    __slots__ = ("_buffer_bytes", "_is_full", "_on_lost", "_received", "_saw_eof", "is_lost", "transport")

    transport: asyncio.Transport

    def __init__(self, buffer_bytes: int = _BUFFER_BYTES, on_lost: Callable[[], None] | None = None) -> None:
        """`buffer_bytes`: how much may wait to be sent before the write buffer counts as full."""
        self._buffer_bytes = buffer_bytes
        self._on_lost = on_lost
        self._received = b""
        self._saw_eof = False
        self._is_full = False
        self.is_lost = False

    def __repr__(self) -> str:
        return f"<FarEnd {'lost' if self.is_lost else 'waits'}, {len(self._received)} bytes received>"

    def end(self, tell: Callable[[int], None]) -> End:
        """Give the transport away, with the bytes that came early."""
        return End(self.transport, tell, self.connection_lost, self._received, self._saw_eof, self._is_full)

    def abort(self) -> None:
        """Close at once."""
        self.transport.abort()

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=self._buffer_bytes)

    def data_received(self, data: bytes) -> None:
        self._received += data
        self.transport.pause_reading()

    def eof_received(self) -> bool:
        self._saw_eof = True
        return True  # the other direction may continue

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        if self._on_lost is not None:
            self._on_lost()

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False


@final
class TunnelSide:
    """One end of a tunnel; the other end writes what this one reads."""

    __slots__ = (
        "_fd",
        "_frames",
        "_idle_s",
        "_is_due",
        "_is_ending",
        "_is_held",
        "_left_bytes",
        "_lost",
        "_on_lost",
        "_saw_eof",
        "_tell",
        "_ticker",
        "deadline",
        "peer",
        "transport",
    )

    peer: TunnelSide

    def __init__(self, end: End, ticker: Ticker, idle_s: float, frames: Frames | None) -> None:
        """`frames`: of what is read here, if that is a WebSocket's."""
        self.transport = end.transport
        self._frames = frames
        self._is_ending = False  # what is read now is thrown away
        self._fd = descriptor(end.transport)
        self._tell = end.tell
        self._on_lost = end.on_lost
        self._ticker = ticker
        self._idle_s = idle_s
        self._saw_eof = False
        self._lost = False
        self._left_bytes = -1  # bytes to be sent at the last look, once the other end is lost; -1: it is not
        self._is_held = False  # reading is paused: the peer's write buffer is full
        self._is_due = False  # reading is paused until a later turn
        self.deadline = NEVER

    def __repr__(self) -> str:
        name = self.transport.get_extra_info("peername")
        peer = name[0] if isinstance(name, tuple) else "unix"
        states = (self._lost, "lost"), (self._is_ending, "ending"), (self._saw_eof, "half-closed")
        state = next((name for holds, name in states if holds), "open")
        waiting = 0 if self._lost else self.transport.get_write_buffer_size()
        return f"<TunnelSide {peer} {state}, {waiting} bytes to send>"

    def start(self) -> None:
        """Take over the transport."""
        self.transport.set_protocol(cast(asyncio.Protocol, self))
        self.deadline = self._ticker.now + self._idle_s
        self._ticker.add(self)
        self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        self._tell(len(data))
        if self._is_ending:
            return
        if self._frames is not None:
            self._frames.feed(data)
        self.deadline = self.peer.deadline = self._ticker.now + self._idle_s
        if not self.peer._lost:
            self.peer.transport.write(data)
        if len(data) >= FULL_READ_BYTES and not self._is_due:
            self._is_due = True
            if not (self._is_held or self.transport.is_closing()):
                self.transport.pause_reading()
            self._ticker.turns.later(self._read_on)

    def _read_on(self) -> None:
        self._is_due = False
        if not (self._is_held or self.transport.is_closing()):
            self.transport.resume_reading()

    def _hold(self, held: bool) -> None:
        """Pause reading, or resume it."""
        self._is_held = held
        if held:
            self._ticker.ends.watch(self._fd, self._ended_unread)
        else:
            self._ticker.ends.forget(self._fd)
        if not (self._is_due or self.transport.is_closing()):
            if held:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()

    def _ended_unread(self, lost: bool) -> None:
        if lost:  # otherwise bytes before the end still have to be passed on
            self.transport.abort()

    def eof_received(self) -> bool:
        self._saw_eof = True
        peer = self.peer
        if self._is_ending:
            return False
        if peer._lost or peer._saw_eof or not peer.transport.can_write_eof():
            peer.transport.close()
            return False
        peer.transport.write_eof()
        return True  # the other direction continues

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._ticker.discard(self)
        self._ticker.ends.forget(self._fd)
        if not (self.peer._lost or self._is_ending):
            self.peer._end()
        self._on_lost(exc)

    def _end(self) -> None:
        """The other end is lost. Its bytes are still sent, as long as this peer reads them."""
        self._left_bytes = self.transport.get_write_buffer_size()
        self.deadline = self._ticker.now + _LAST_BYTES_S
        self.transport.close()

    def close(self) -> None:
        """End the tunnel.
        Both ends are told, a WebSocket with 1001 if that is allowed, and have a second to read it.
        """
        near, far = self, self.peer
        for side, mask in ((near, b""), (far, token_bytes(4))):
            frames = side.peer._frames
            if frames is not None and frames.is_between and not side._has_said_all():
                side.transport.write(going_away(mask))
        near._take_leave()
        far._take_leave()

    def _has_said_all(self) -> bool:
        return self._lost or self.peer._saw_eof or self.transport.is_closing()

    def _take_leave(self) -> None:
        self._is_ending = True
        self.deadline = self._ticker.now + _GOODBYE_S
        if self._saw_eof or self._has_said_all() or not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()  # a close with unread bytes would be an RST, and destroy the goodbye
        self._hold(False)

    def pause_writing(self) -> None:
        self.peer._hold(True)

    def resume_writing(self) -> None:
        self.peer._hold(False)

    def on_deadline(self) -> None:
        """No bytes in either direction for too long, or no end."""
        left_bytes = self.transport.get_write_buffer_size()
        if left_bytes < self._left_bytes:
            self._left_bytes = left_bytes
            self.deadline = self._ticker.now + _LAST_BYTES_S
            return
        self.deadline = NEVER
        self.transport.abort()


def open_tunnel(client: End, upstream: End, ticker: Ticker, idle_s: float, *, is_websocket: bool = False) -> TunnelSide:
    """Make a tunnel, and return the client's side; bytes that were read before are passed on first."""
    near = TunnelSide(client, ticker, idle_s, Frames() if is_websocket else None)
    far = TunnelSide(upstream, ticker, idle_s, Frames() if is_websocket else None)
    near.peer = far
    far.peer = near
    near.start()
    far.start()
    for end, side in ((upstream, far), (client, near)):
        if end.is_full:
            side.pause_writing()
    for end, side in ((upstream, far), (client, near)):
        if end.received:
            side.data_received(end.received)
        if end.saw_eof:
            side.eof_received()
    return near
