"""A transport without a socket, for tests of a protocol beside its module."""

from __future__ import annotations

import asyncio
from typing import Any


class FakeTransport(asyncio.Transport):
    """Keeps what a protocol writes, and what it does to its connection."""

    def __init__(self, **extra: Any) -> None:
        """`extra`: what `get_extra_info` knows, such as `peername`."""
        super().__init__(extra)
        self.written = bytearray()
        self.buffered = 0  # what `get_write_buffer_size` says
        self.is_reading_paused = False
        self.is_aborted = False
        self.is_ended = False
        self.protocol: object = None  # what `get_protocol` says
        self._is_closing = False
        self._limits = (0, 65536)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def writelines(self, list_of_data: Any) -> None:
        for data in list_of_data:
            self.write(data)

    def take(self) -> bytes:
        """What was written since the last call."""
        taken = bytes(self.written)
        self.written.clear()
        return taken

    def write_eof(self) -> None:
        self.is_ended = True

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self._is_closing = True

    def abort(self) -> None:
        self._is_closing = self.is_aborted = True

    def is_closing(self) -> bool:
        return self._is_closing

    def pause_reading(self) -> None:
        self.is_reading_paused = True

    def resume_reading(self) -> None:
        self.is_reading_paused = False

    def is_reading(self) -> bool:
        return not (self.is_reading_paused or self._is_closing)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol  # type: ignore[return-value]  # a compiled protocol inherits from none

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._limits = (low or 0, high or 0)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._limits

    def get_write_buffer_size(self) -> int:
        return self.buffered
