"""A client's stream as one end of a tunnel: DATA frames carry its bytes (RFC 9113, 8.5).

May know streams and tunnels. Must not know messages: `client_tunnel` has what asks for a tunnel, and the answer.

    StreamTransport   a stream, as `transport.tunnel` knows its ends
    _Heard            passes on what comes on the stream
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, final

from proxy.http2.engine.codes import CONNECT_ERROR, NO_ERROR
from proxy.http2.engine.heads import ResponseHead
from proxy.http2.engine.streams import Stream, StreamUser
from proxy.http2.hpack.field import HeaderField
from proxy.transport.tunnel import End


class StreamTransport(asyncio.Transport):
    """Writes to a stream, and tells its protocol what comes there. END_STREAM is the end of one direction."""

    def __init__(self, stream: Stream, peer: object) -> None:
        """`peer`: the address of the client's connection, as asyncio has it."""
        super().__init__({"peername": peer})
        self._stream = stream
        self._protocol: Any = None
        self._is_closing = False
        self._is_ended = False  # END_STREAM is sent, or waits behind what is written
        self._is_lost = False

    def __repr__(self) -> str:
        return f"<StreamTransport {self._stream!r}>"

    # --- asyncio.Transport

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._is_ended:
            self._stream.send(bytes(data), False)

    def write_eof(self) -> None:
        if not self._is_ended:
            self._is_ended = True
            self._stream.send(b"", True)

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return self._stream.queued_bytes

    def pause_reading(self) -> None:
        self._stream.hold(True)

    def resume_reading(self) -> None:
        self._stream.hold(False)

    def is_reading(self) -> bool:
        return not self._stream.is_held

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        """Once everything written has been sent."""
        if not self._is_closing:
            self._is_closing = True
            self.write_eof()
            self._finish_if_sent()

    def abort(self) -> None:
        """As TCP's RST does."""
        self._is_closing = True
        self._stream.reset(CONNECT_ERROR)
        self._lose_soon()

    # --- what comes

    def heard(self, content: bytes, done: bool) -> None:
        """Bytes of the client; `done`: it sends no more."""
        if self._is_closing:
            return
        if content:
            self._protocol.data_received(content)
        if done and not self._protocol.eof_received():
            self.close()

    def heard_full(self, full: bool) -> None:
        """The client takes less than is written, or has taken all of it."""
        if self._is_lost:
            return
        if full:
            self._protocol.pause_writing()
        else:
            self._protocol.resume_writing()
            self._finish_if_sent()

    def heard_end(self) -> None:
        """The client has reset the stream, or its connection is lost."""
        self._is_closing = self._is_ended = True
        self._lose_soon()

    def _finish_if_sent(self) -> None:
        if self._is_closing and not self._stream.queued_bytes:
            self._stream.reset(NO_ERROR)  # nothing more is read; nothing, if the client has ended its side
            self._lose_soon()

    def _lose_soon(self) -> None:
        """As an event loop does: not within the call that brought it about."""
        if not self._is_lost:
            self._is_lost = True
            asyncio.get_running_loop().call_soon(self._lose)

    def _lose(self) -> None:
        self._protocol.connection_lost(None)


def end_of(
    stream: Stream,
    peer: object,
    received: bytes,
    *,
    saw_eof: bool,
    tell: Callable[[int], None],
    on_lost: Callable[[Exception | None], None],
) -> End:
    """`stream` as an end of a tunnel. `received`: bytes that came before it was one; `saw_eof`: and the end."""
    transport = StreamTransport(stream, peer)
    stream.is_tunnel = True
    stream.user = _Heard(transport)
    return End(transport, tell, on_lost, received, saw_eof, stream.is_full)


@final
class _Heard(StreamUser):
    """Passes on what comes: a transport has another base."""

    __slots__ = ("_transport",)

    def __init__(self, transport: StreamTransport) -> None:
        self._transport = transport

    def on_content(self, content: bytes, done: bool) -> None:
        self._transport.heard(content, done)

    def on_trailers(self, fields: list[HeaderField]) -> None:
        """They have no place in a tunnel: its end is all that they say."""
        self._transport.heard(b"", True)

    def on_full(self, full: bool) -> None:
        self._transport.heard_full(full)

    def on_reset(self, code: int, unheard: bool, detail: str) -> None:
        self._transport.heard_end()

    def on_interim(self, head: ResponseHead) -> None:
        """Clients answer nothing."""

    def on_response(self, head: ResponseHead, done: bool) -> None:
        """Clients answer nothing."""
