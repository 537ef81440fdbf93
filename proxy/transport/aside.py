"""Bytes that a peer sent before their turn. Bytes in, bytes out; must not know what they mean."""

from __future__ import annotations

from typing import final


@final
class Aside:
    """What was received and is yet to be read. Reading it piece by piece costs the same for each byte."""

    __slots__ = ("_at", "_data", "is_empty")

    def __init__(self) -> None:
        self._data = b""
        self._at = 0  # what stands before it has been taken
        self.is_empty = True  # an attribute, since every exchange asks three times: a call each would cost 0.25 µs

    def put(self, data: bytes) -> None:
        """Keep `data`, which came behind all that is here."""
        self._keep(self.take_all() + data)

    def put_back(self, data: bytes) -> None:
        """Keep `data`, the end of what was read last, before all that is here."""
        if data and self._data.endswith(data, 0, self._at):  # it was taken from here
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
        """All that is left."""
        data = self._data[self._at :] if self._at else self._data
        self._keep(b"")
        return data

    def _keep(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self.is_empty = not data
