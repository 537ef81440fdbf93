"""Responses of old upstreams that break the grammar, repaired before they are read. PURE: bytes in, bytes out.

Only for upstreams that the settings name, and only for faults that nginx or HAProxy accept, too.
A response can do less harm than a request: only we read it, and the client gets a new head.

    bare-lf        a line may end with LF alone. Safe: the forwarded head has CRLF throughout, so nobody after us
                   sees another line end (RFC 9112, 2.2 allows it).
    obs-fold       a line that begins with a blank continues the one before. Safe: it goes on as one line with a space
                   (RFC 9112, 5.2 asks a proxy for just that).
    equal-lengths  the same Content-Length several times, or as a list of one value. Safe: there is one length
                   (RFC 9110, 8.6). Different ones stay refused.
    head-framing   an answer to HEAD with Content-Length and Transfer-Encoding. Safe: it has no body, whatever they say;
                   Content-Length goes, as RFC 9112, 6.3 has it.
    many-fields    up to 1000 fields instead of 256. Safe: their size is bounded as ever.
"""

from __future__ import annotations

import re
from typing import Final, final

from proxy.http1.message.grammar import ILLEGAL_IN_HEAD
from proxy.semantics.faults import Fault, Refusal

BARE_LF: Final = "bare-lf"
OBS_FOLD: Final = "obs-fold"
EQUAL_LENGTHS: Final = "equal-lengths"
HEAD_FRAMING: Final = "head-framing"
MANY_FIELDS: Final = "many-fields"

MOST_FIELDS: Final = 1000  # with `many-fields`

_LONE_LF: Final = re.compile(rb"(?<!\r)\n")
_FOLD: Final = re.compile(rb"[ \t]*\r\n[ \t]+")


@final
class LenientHeads:
    """Collects response heads, and repairs each for the strict reader."""

    __slots__ = ("_buffer", "_end", "_is_head_method", "_limit_bytes", "_ways")

    def __init__(self, ways: frozenset[str], limit_bytes: int, method: bytes) -> None:
        """`ways`: words of the list above; `limit_bytes`: of a head; `method`: of the request that is answered."""
        self._ways = ways
        self._limit_bytes = limit_bytes
        self._is_head_method = method == b"HEAD"
        self._end = re.compile(rb"\r?\n\r?\n") if BARE_LF in ways else re.compile(rb"\r\n\r\n")
        self._buffer = bytearray()

    def feed(self, data: bytes) -> bytes | None:
        """A complete, repaired head and the bytes after it; None until there is one. Raises Refusal."""
        buffer = self._buffer
        searched = max(0, len(buffer) - 3)
        buffer += data
        end = self._end.search(buffer, searched)
        if end is None:
            # As in `section`: bytes that can no longer become a head are refused at once.
            # The LF of a CR at the end may still come.
            if BARE_LF not in self._ways and ILLEGAL_IN_HEAD.search(buffer, searched):
                raise Refusal(Fault.BAD_RESPONSE, "a control character, or a CR or LF that stands alone, in the head")
            if len(buffer) > self._limit_bytes:
                raise Refusal(
                    Fault.RESPONSE_HEAD_TOO_LARGE, f"the upstream's head is longer than {self._limit_bytes} bytes"
                )
            return None
        head, rest = bytes(buffer[: end.start()]), bytes(buffer[end.end() :])
        buffer.clear()
        return self._mended(head) + b"\r\n\r\n" + rest

    def _mended(self, head: bytes) -> bytes:
        ways = self._ways
        if BARE_LF in ways:
            head = _LONE_LF.sub(b"\r\n", head)
        if OBS_FOLD in ways:
            line, _, fields = head.partition(b"\r\n")
            head = line + b"\r\n" + _FOLD.sub(b" ", fields) if fields else line
        if EQUAL_LENGTHS in ways or HEAD_FRAMING in ways:
            head = self._framed_once(head)
        return head

    def _framed_once(self, head: bytes) -> bytes:
        """`head` with one Content-Length instead of several equal
        ones, and with none beside Transfer-Encoding for HEAD.
        """
        lines = head.split(b"\r\n")
        lengths = [line for line in lines[1:] if line[:15].lower() == b"content-length:"]
        if not lengths:
            return head
        others = [line for line in lines if line not in lengths]
        is_chunked = any(line[:18].lower() == b"transfer-encoding:" for line in others)
        if HEAD_FRAMING in self._ways and self._is_head_method and is_chunked:
            return b"\r\n".join(others)
        if EQUAL_LENGTHS in self._ways:
            values = {value.strip(b" \t") for line in lengths for value in line[15:].split(b",")}
            if len(values) == 1:
                return b"\r\n".join([*others, b"Content-Length: " + values.pop()])
        return head
