"""Collects a field section of a head or of trailers from a byte stream, up to its empty line. PURE.

A section comes in pieces of any size.
No byte is searched twice, so each byte costs the same, even if a peer sends them one by one.
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
        """`fault`: for an illegal byte; `what`: the section's name in the refusal."""
        self._fault = fault
        self._what = what
        self._buffer = bytearray()
        self.line_end = -1  # the end of the first line, without its CRLF; -1: not known yet

    @property
    def size(self) -> int:
        """The number of bytes held."""
        return len(self._buffer)

    def first_line(self) -> bytes:
        """The first line, without its CRLF."""
        return bytes(self._buffer[: self.line_end])

    def feed(self, data: bytes) -> bytes | None:
        """Everything held, and `data`, once there is an empty line, at the start or later; None before that.

        Raises Refusal if an incomplete section has an illegal byte.
        """
        buffer = self._buffer
        known = len(buffer)
        buffer += data
        if buffer.find(_END, max(0, known - 3)) >= 0 or buffer.startswith(b"\r\n"):
            whole = bytes(buffer)
            buffer.clear()
            self.line_end = -1
            return whole
        unsearched = max(0, known - 1)  # the LF of a CR at the very end may have come
        if ILLEGAL_IN_HEAD.search(buffer, unsearched):
            raise Refusal(self._fault, f"a control character, or a CR or LF that stands alone, in the {self._what}")
        if self.line_end < 0:
            self.line_end = buffer.find(b"\r\n", unsearched)
        return None
