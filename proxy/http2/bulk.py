"""How a connection reads once much has come at a time: into one buffer that all such connections share.

For speed: an event loop makes a new object of each read, and content would be copied out of that again.
uvloop knows a protocol with `get_buffer`, and asks for the buffer, reads and tells of it in one go, over TLS as well.
Another loop goes on with `data_received`.

May know the engine's owner. Must not know what is read.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Final, final

from proxy.http2.engine.owner import ServerOwner

LENT_BYTES: Final = 16 * 1024  # fewer are copied as they are: one copy costs less then than one for each frame


class Reader(ServerOwner):
    """The connection, as `Bulk` sees it. See asyncio.Protocol."""

    __slots__ = ()

    @abstractmethod
    def lent_received(self, data: memoryview) -> None:
        """`data_received`, of bytes that are others' then."""

    @abstractmethod
    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""

    @abstractmethod
    def eof_received(self) -> bool:
        """See asyncio.Protocol."""

    @abstractmethod
    def pause_writing(self) -> None:
        """See asyncio.Protocol."""

    @abstractmethod
    def resume_writing(self) -> None:
        """See asyncio.Protocol."""

    @abstractmethod
    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""


@final
class Bulk:
    """The connection, as its transport sees it. See asyncio.BufferedProtocol."""

    __slots__ = ("_buffer", "_connection")

    def __init__(self, connection: Reader, buffer: memoryview) -> None:
        self._connection = connection
        self._buffer = buffer

    def get_buffer(self, _hint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, size: int) -> None:
        self._connection.lent_received(self._buffer[:size])

    def data_received(self, data: bytes) -> None:
        self._connection.data_received(data)

    def eof_received(self) -> bool:
        return self._connection.eof_received()

    def pause_writing(self) -> None:
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        self._connection.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.connection_lost(exc)
