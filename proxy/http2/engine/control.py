"""Frames about the connection and about streams: all but those that carry messages (RFC 9113, 6.3 to 6.9). PURE."""

from __future__ import annotations

from abc import abstractmethod
from typing import Final

from proxy.http2.engine import frames
from proxy.http2.engine.codes import (
    ACK,
    ENABLE_CONNECT_PROTOCOL,
    ENABLE_PUSH,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEADER_TABLE_SIZE,
    INITIAL_WINDOW_SIZE,
    LARGEST_WINDOW,
    LEAST_MAX_FRAME,
    MAX_CONCURRENT_STREAMS,
    MAX_FRAME_SIZE,
    MAX_HEADER_LIST_SIZE,
    MOST_MAX_FRAME,
    PING,
    PRIORITY,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    REFUSED_STREAM,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    name_of,
)
from proxy.http2.engine.connection import Connection
from proxy.http2.engine.errors import ConnectionFault
from proxy.http2.engine.streams import Stream

_MOST_SETTINGS: Final = 64  # in one frame
_MOST_FRAME_WRITTEN: Final = 65536  # however much the peer takes


class Control(Connection):
    """Reads frames that carry no message."""

    __slots__ = ("_is_acknowledged",)

    _is_acknowledged: bool  # the peer has taken our settings

    @abstractmethod
    def _is_unused(self, id: int) -> bool:
        """Whether no stream has had this id: the stream is idle (5.1)."""

    @abstractmethod
    def _on_goaway(self, last_id: int, code: int) -> None:
        """The peer takes no streams of ours above `last_id`."""

    @abstractmethod
    def _on_acknowledged(self) -> None:
        """The peer has taken our settings."""

    @abstractmethod
    def _charge_reset(self, stream: Stream) -> None:
        """The peer has reset a stream."""

    def _charge_noise(self, what: str) -> None:
        """A frame that brings nobody anything (10.5)."""
        if not self._noise.spend(self._now):
            raise ConnectionFault(ENHANCE_YOUR_CALM, f"too many frames without content: {what}")

    def _on_control(self, kind: int, flags: int, id: int, payload: bytes) -> None:
        """A frame of any type but DATA, HEADERS and CONTINUATION. Raises ConnectionFault."""
        if kind == WINDOW_UPDATE:
            self._on_window_update(id, payload)
        elif kind == RST_STREAM:
            self._on_rst_stream(id, payload)
        elif kind == SETTINGS:
            self._on_settings(flags, id, payload)
        elif kind == PING:
            self._on_ping(flags, id, payload)
        elif kind == GOAWAY:
            if id:
                raise ConnectionFault(PROTOCOL_ERROR, "GOAWAY on a stream")
            if len(payload) < 8:
                raise ConnectionFault(FRAME_SIZE_ERROR, "GOAWAY of less than 8 bytes")
            self._charge_noise("GOAWAY")
            self._on_goaway(int.from_bytes(payload[:4], "big") & LARGEST_WINDOW, int.from_bytes(payload[4:8], "big"))
            self._owner.on_goaway(int.from_bytes(payload[4:8], "big"), payload[8:])
        elif kind == PRIORITY:
            self._on_priority(id, payload)
        elif kind == PUSH_PROMISE:  # 6.6, 8.4: clients never send it, and we have forbidden it to servers
            raise ConnectionFault(PROTOCOL_ERROR, "PUSH_PROMISE")
        else:  # 5.5: unknown types are ignored
            self._charge_noise("unknown types")

    def _on_priority(self, id: int, payload: bytes) -> None:
        """6.3: checked, and ignored."""
        if id == 0:
            raise ConnectionFault(PROTOCOL_ERROR, "PRIORITY without a stream")
        self._charge_noise("PRIORITY")
        stream = self.streams.get(id)
        if len(payload) != 5:
            self._reset_frame(id, stream, FRAME_SIZE_ERROR, "PRIORITY that has not 5 bytes")
        elif int.from_bytes(payload[:4], "big") & LARGEST_WINDOW == id:
            self._reset_frame(id, stream, PROTOCOL_ERROR, "a stream that depends on itself")

    def _reset_frame(self, id: int, stream: Stream | None, code: int, detail: str) -> None:
        if stream is not None:
            self._fail_stream(stream, code, detail)
        else:
            self._write(frames.reset(id.to_bytes(4, "big"), code))

    def _on_rst_stream(self, id: int, payload: bytes) -> None:
        """6.4."""
        if len(payload) != 4:
            raise ConnectionFault(FRAME_SIZE_ERROR, "RST_STREAM that has not 4 bytes")
        if id == 0 or self._is_unused(id):
            raise ConnectionFault(PROTOCOL_ERROR, "RST_STREAM for an idle stream")
        stream = self.streams.get(id)
        if stream is None:
            self._charge_noise("RST_STREAM")
            return
        self._charge_reset(stream)
        code = int.from_bytes(payload, "big")
        self._owner.on_reset(code, True)
        self._tell(stream, code, code == REFUSED_STREAM, f"the peer has reset the stream: {name_of(code)}")

    def _on_ping(self, flags: int, id: int, payload: bytes) -> None:
        """6.7."""
        if id:
            raise ConnectionFault(PROTOCOL_ERROR, "PING on a stream")
        if len(payload) != 8:
            raise ConnectionFault(FRAME_SIZE_ERROR, "PING that has not 8 bytes")
        self._charge_noise("PING")
        if flags & ACK:
            self._owner.on_pong(payload)
        else:
            self._write(frames.ping(payload, ACK))

    def ping(self, payload: bytes) -> None:
        """Send PING with these 8 bytes; the owner hears of the answer."""
        if not self.is_failed:
            self._write(frames.ping(payload, 0))

    def _on_window_update(self, id: int, payload: bytes) -> None:
        """6.9."""
        if len(payload) != 4:
            raise ConnectionFault(FRAME_SIZE_ERROR, "WINDOW_UPDATE that has not 4 bytes")
        if not self._credits.spend(self._now):
            raise ConnectionFault(ENHANCE_YOUR_CALM, "too many WINDOW_UPDATEs")
        increment = int.from_bytes(payload, "big") & LARGEST_WINDOW
        if id == 0:
            if increment == 0:
                raise ConnectionFault(PROTOCOL_ERROR, "WINDOW_UPDATE of 0")
            if not self._grow_window(increment):
                raise ConnectionFault(FLOW_CONTROL_ERROR, "the connection's window is too large")
            return
        stream = self.streams.get(id)
        if stream is None:
            if self._is_unused(id):
                raise ConnectionFault(PROTOCOL_ERROR, "WINDOW_UPDATE for an idle stream")
        elif increment == 0:
            self._fail_stream(stream, PROTOCOL_ERROR, "WINDOW_UPDATE of 0")
        elif not self._grow_stream_window(stream, increment):
            self._fail_stream(stream, FLOW_CONTROL_ERROR, "the stream's window is too large")

    # --- what it allows us to send

    def _grow_window(self, increment: int) -> bool:
        """The connection's (6.9). False if it is larger than any may be."""
        self._window += increment
        if self._window > LARGEST_WINDOW:
            return False
        if self._ready:
            self._drain()
        return True

    def _grow_stream_window(self, stream: Stream, increment: int) -> bool:
        """A stream's; `increment` is negative after a change of settings (6.9.2)."""
        stream.window += increment
        if stream.window > LARGEST_WINDOW:
            return False
        if stream.unsent is not None:
            self._make_ready(stream)
        return True

    # --- settings

    def _on_settings(self, flags: int, id: int, payload: bytes) -> None:
        """6.5."""
        if id:
            raise ConnectionFault(PROTOCOL_ERROR, "SETTINGS on a stream")
        if flags & ACK:
            if payload:
                raise ConnectionFault(FRAME_SIZE_ERROR, "an acknowledgement with settings")
            self._charge_noise("SETTINGS")
            if not self._is_acknowledged:
                self._is_acknowledged = True
                self._on_acknowledged()
            return
        size = len(payload)
        if size % 6:
            raise ConnectionFault(FRAME_SIZE_ERROR, "SETTINGS that end in the middle of one")
        if size > 6 * _MOST_SETTINGS:
            raise ConnectionFault(ENHANCE_YOUR_CALM, f"more than {_MOST_SETTINGS} settings at once")
        self._charge_noise("SETTINGS")
        # Of several values for one setting the last counts: streams are walked through once.
        window = -1
        for place in range(0, size, 6):
            number = payload[place] << 8 | payload[place + 1]
            value = int.from_bytes(payload[place + 2 : place + 6], "big")
            if number == INITIAL_WINDOW_SIZE:
                if value > LARGEST_WINDOW:
                    raise ConnectionFault(FLOW_CONTROL_ERROR, "SETTINGS_INITIAL_WINDOW_SIZE is too large")
                window = value
            else:
                self._on_setting(number, value)
        if window >= 0:
            self._change_windows(window)
        self.peer.is_known = True
        self._write(frames.SETTINGS_ACK)
        self._owner.on_settings()

    def _on_setting(self, number: int, value: int) -> None:
        """6.5.2; unknown ones are ignored."""
        peer = self.peer
        if number == HEADER_TABLE_SIZE:
            peer.table_bytes = value
            self._encoder.limit_table(value)
        elif number == MAX_CONCURRENT_STREAMS:
            peer.max_streams = value
        elif number == MAX_FRAME_SIZE:
            if not LEAST_MAX_FRAME <= value <= MOST_MAX_FRAME:
                raise ConnectionFault(PROTOCOL_ERROR, "SETTINGS_MAX_FRAME_SIZE is out of range")
            peer.max_frame = min(value, _MOST_FRAME_WRITTEN)
        elif number == MAX_HEADER_LIST_SIZE:
            peer.header_list_bytes = value
        elif number == ENABLE_PUSH:
            if value > 1:
                raise ConnectionFault(PROTOCOL_ERROR, "SETTINGS_ENABLE_PUSH is neither 0 nor 1")
        elif number == ENABLE_CONNECT_PROTOCOL:
            if value > 1 or (peer.extended_connect and not value):  # RFC 8441, 3
                raise ConnectionFault(PROTOCOL_ERROR, "SETTINGS_ENABLE_CONNECT_PROTOCOL is withdrawn, or not 0 or 1")
            peer.extended_connect = value == 1

    def _change_windows(self, window: int) -> None:
        """6.9.2: of all streams, by the difference."""
        change = window - self.peer.initial_window
        self.peer.initial_window = window
        if not change:
            return
        for stream in list(self.streams.values()):
            if not stream.is_over and not self._grow_stream_window(stream, change):
                raise ConnectionFault(FLOW_CONTROL_ERROR, "a stream's window is too large")
