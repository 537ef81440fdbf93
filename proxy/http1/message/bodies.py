"""Reads message bodies off a byte stream: by length, in chunks, or until the close. PURE: bytes in, content out.

`feed` takes the next bytes. It returns the content in them and, once the body has ended, the bytes behind it (before
that, None). Content is never held back. A chunk-size line and trailers are, until they are whole.
"""

from __future__ import annotations

import re
from typing import Protocol

from proxy.http1.message.grammar import CHUNK_LINE, ILLEGAL_IN_HEAD
from proxy.http1.message.heads import check_fields
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import FieldKinds, allowed_in_trailers

_MAX_CHUNK_LINE = 1024  # chunk size and extensions, which nobody uses
_MAX_TRAILERS = 16 * 1024
# Chunk-size lines have 16 bytes each for free, and one more for each byte of their chunk; all share this beyond it.
# The limit of a line would not stop a client that sends tiny chunks with long extensions for ever.
_MAX_OVERHEAD = 16 * 1024
_PARTIAL_CHUNK_LINE = re.compile(rb"[0-9A-Fa-f]{1,16}(?:[ \t;][^\r\n]*)?\r?")


class Body(Protocol):
    """One body being read."""

    @property
    def trailers(self) -> list[bytes]:
        """At its end: the trailer fields that may be forwarded, as lines without CRLF."""

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """Content, and the bytes after the body, None while it goes on. Raises Refusal."""


class LengthBody:
    """A body of `length` bytes (RFC 9112, 6.2)."""

    __slots__ = ("remaining", "trailers")

    def __init__(self, length: int) -> None:
        self.remaining = length
        self.trailers: list[bytes] = []

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        remaining = self.remaining
        if len(data) < remaining:
            self.remaining = remaining - len(data)
            return data, None
        self.remaining = 0
        return data[:remaining], data[remaining:]


class CloseBody:
    """A response body that ends where the connection does (RFC 9112, 6.3 rule 8)."""

    __slots__ = ("trailers",)

    def __init__(self) -> None:
        self.trailers: list[bytes] = []

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        return data, None


class LimitedBody:
    """A request body of which no more than `limit_bytes` of content are taken."""

    __slots__ = ("_body", "_limit_bytes", "_received_bytes")

    def __init__(self, body: Body, limit_bytes: int) -> None:
        self._body = body
        self._limit_bytes = limit_bytes
        self._received_bytes = 0

    @property
    def trailers(self) -> list[bytes]:
        """Those of the body."""
        return self._body.trailers

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        content, rest = self._body.feed(data)
        self._received_bytes += len(content)
        if self._received_bytes > self._limit_bytes:
            raise body_too_large(self._limit_bytes)
        return content, rest


class ChunkedBody:
    """A chunked body (RFC 9112, 7.1). Extensions are checked and thrown away."""

    __slots__ = ("_after_data", "_fault", "_held", "_in_trailers", "_kinds", "_overhead", "_remaining", "trailers")

    def __init__(self, fault: Fault, kinds: FieldKinds) -> None:
        """`fault`: what a malformed body is (the client's, or the upstream's); `kinds`: for trailers."""
        self._kinds = kinds
        self.trailers: list[bytes] = []
        self._fault = fault
        self._held = b""
        self._remaining = 0  # of the chunk that is being read
        self._after_data = False  # the CRLF that ends a chunk is still to come
        self._in_trailers = False
        self._overhead = 0

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        if self._held:
            data = self._held + data
            self._held = b""
        content: list[bytes] = []
        position = 0
        while not self._in_trailers:
            if self._remaining:
                piece = data[position : position + self._remaining]
                content.append(piece)
                position += len(piece)
                self._remaining -= len(piece)
                if self._remaining:
                    return _join(content), None
            if self._after_data:
                ending = data[position : position + 2]
                if ending != b"\r\n":
                    if not b"\r\n".startswith(ending):
                        raise Refusal(self._fault, "chunk data is not followed by CRLF")
                    self._held = ending
                    return _join(content), None
                position += 2
                self._after_data = False
            line_end = data.find(b"\r\n", position, position + _MAX_CHUNK_LINE + 2)
            if line_end < 0:
                self._held = data[position:]
                self._check_partial_line()
                return _join(content), None
            self._open_chunk(data[position:line_end])
            position = line_end + 2
        rest = self._read_trailers(data[position:])
        return _join(content), rest

    def _open_chunk(self, line: bytes) -> None:
        match = CHUNK_LINE.fullmatch(line)
        if match is None:
            raise Refusal(self._fault, "malformed chunk size")
        size = int(match[1], 16)
        self._overhead = max(0, self._overhead + len(line) - 16 - size)
        if self._overhead > _MAX_OVERHEAD:
            raise Refusal(self._fault, "more chunk extensions than content")
        self._remaining = size
        self._after_data = size > 0
        self._in_trailers = size == 0

    def _check_partial_line(self) -> None:
        if not self._held:
            return
        if len(self._held) > _MAX_CHUNK_LINE or not _PARTIAL_CHUNK_LINE.fullmatch(self._held):
            raise Refusal(self._fault, "malformed chunk size")

    def _read_trailers(self, data: bytes) -> bytes | None:
        if data.startswith(b"\r\n"):
            return data[2:]
        end = data.find(b"\r\n\r\n")
        if end < 0:
            if len(data) > _MAX_TRAILERS:
                raise Refusal(self._fault, "the trailer section is too long")
            if ILLEGAL_IN_HEAD.search(data):
                raise Refusal(self._fault, "a control character, or a CR or LF that stands alone, in the trailers")
            self._held = data
            return None
        if end > _MAX_TRAILERS:
            raise Refusal(self._fault, "the trailer section is too long")
        lines, _ = check_fields(data[:end], self._kinds, self._fault)
        self.trailers = [line for line in lines if allowed_in_trailers(line)]
        return data[end + 4 :]


def request_body(length: int, chunked: bool, kinds: FieldKinds, limit_bytes: int) -> Body:
    """A request's body; `limit_bytes` 0: no limit. Raises Refusal where its length alone is too much."""
    if not chunked:
        if limit_bytes and length > limit_bytes:
            raise body_too_large(limit_bytes)
        return LengthBody(length)
    body = ChunkedBody(Fault.BAD_FRAMING, kinds)
    return LimitedBody(body, limit_bytes) if limit_bytes else body


def body_too_large(limit_bytes: int) -> Refusal:
    """What a client is told."""
    return Refusal(Fault.BODY_TOO_LARGE, f"the request body is longer than {limit_bytes} bytes")


def _join(pieces: list[bytes]) -> bytes:
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def as_chunks(content: bytes, done: bool, trailer_lines: list[bytes]) -> bytes:
    """`content` as one chunk of our own, none where it is empty; with `done` the end of the body and its trailers."""
    data = b"%x\r\n%b\r\n" % (len(content), content) if content else b""
    if not done:
        return data
    if not trailer_lines:
        return data + b"0\r\n\r\n"
    return b"%b0\r\n%b\r\n\r\n" % (data, b"\r\n".join(trailer_lines))
