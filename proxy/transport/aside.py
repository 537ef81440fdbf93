"""Bytes that a peer sent too early. Bytes in, bytes out; must not know what they mean."""

from __future__ import annotations

from typing import final


@final
class Aside:
    """Bytes that were received but not read yet. Reading them piece by piece costs the same for each byte."""

    __slots__ = ("_at", "_data", "is_empty")

    def __init__(self) -> None:
        self._data = b""
        self._at = 0  # the bytes before it are taken
        self.is_empty = True  # an attribute, for speed: every exchange asks three times

    def put(self, data: bytes) -> None:
        """Keep `data`, which came after everything here."""
        self._keep(self.take_all() + data)

    def put_back(self, data: bytes) -> None:
        """Put back `data`, the unread end of what was taken last, before everything here."""
        if data and self._data.endswith(data, 0, self._at):  # it came from here
            self._at -= len(data)
        else:
            self._keep(data + self.take_all())

    def take(self, most_bytes: int) -> bytes:
        """The next bytes, no more than `most_bytes`."""
        at = self._at
        piece = self._data[at : at + most_bytes]
        self._at = at + len(piece)
        if self._at == len(self._data):
            self._keep(b"")
        return piece

    def take_all(self) -> bytes:
        """All bytes that are left."""
        data = self._data[self._at :] if self._at else self._data
        self._keep(b"")
        return data

    def _keep(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self.is_empty = not data
