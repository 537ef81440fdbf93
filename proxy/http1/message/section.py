"""Collects a field section off a byte stream, of a head or of trailers, until its empty line comes. PURE.

A section comes in pieces of any size. No byte of it is searched twice, however small the pieces are: a peer that sends
byte by byte costs the same for each byte.
"""

from __future__ import annotations

from typing import Final, final

from proxy.http1.message.grammar import ILLEGAL_IN_HEAD
from proxy.semantics.faults import Fault, Refusal

_END: Final = b"\r\n\r\n"


@final
class SectionScanner:
    """The bytes of one incomplete section, and how far they have been searched."""

    __slots__ = ("_buffer", "_fault", "_what", "line_end")

    def __init__(self, fault: Fault, what: str) -> None:
        """`fault`: what an illegal byte is; `what`: the section's name in the refusal."""
        self._fault = fault
        self._what = what
        self._buffer = bytearray()
        self.line_end = -1  # where the first line ends, without its CRLF; -1 while it goes on

    @property
    def size(self) -> int:
        """How many bytes are held."""
        return len(self._buffer)

    def first_line(self) -> bytes:
        """The first line, without its CRLF."""
        return bytes(self._buffer[: self.line_end])

    def feed(self, data: bytes) -> bytes | None:
        """Everything held, with `data`, once it has an empty line, at its very start or later; None until then.

        Raises Refusal if an incomplete section has a byte that none can have.
        """
        buffer = self._buffer
        known = len(buffer)
        buffer += data
        if buffer.find(_END, max(0, known - 3)) >= 0 or buffer.startswith(b"\r\n"):
            whole = bytes(buffer)
            buffer.clear()
            self.line_end = -1
            return whole
        unsearched = max(0, known - 1)  # a CR at the very end may have got its LF
        if ILLEGAL_IN_HEAD.search(buffer, unsearched):
            raise Refusal(self._fault, f"a control character, or a CR or LF that stands alone, in the {self._what}")
        if self.line_end < 0:
            self.line_end = buffer.find(b"\r\n", unsearched)
        return None
