"""Reads message bodies from a byte stream: by length, in chunks, or until the close. PURE: bytes in, content out.

`feed` takes the next bytes.
It returns their content and, once the body has ended, the bytes after it (before that, None).
Content is never held back.
A chunk-size line and trailers are held until they are complete.

The event loop is shared, so one call reads a bounded number of chunks.
If more has come, the body `is_behind`: its owner feeds it b"" in a later turn, and pauses reading until then.
docs/decisions/008-turns.md has the figures.
"""

from __future__ import annotations

import re
from abc import ABCMeta, abstractmethod
from io import BytesIO
from typing import Final, final

from proxy.http1.message.grammar import CHUNK_LINE
from proxy.http1.message.heads import check_fields
from proxy.http1.message.section import SectionScanner
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import MAX_TRAILERS, FieldKinds, allowed_in_trailers

CHUNKS_A_FEED: Final = 512  # about a tenth of a millisecond
_MAX_CHUNK_LINE: Final = 1024  # chunk size and extensions, which nobody uses
_MAX_CHUNK: Final = 2**63 - 1  # what the system can count (RFC 9112, 7.1: sizes may be too large to convert)
_MAX_TRAILERS: Final = 16 * 1024
# A line with extensions may have 16 bytes, and as many as came since the last such line.
# Beyond that, all lines of a body share this limit: a limit per line would not stop tiny chunks with long extensions.
_MAX_OVERHEAD: Final = 16 * 1024
_PARTIAL_CHUNK_LINE: Final = re.compile(rb"[0-9A-Fa-f]{1,16}(?:[ \t;][^\r\n]*)?\r?")
_CRLF: Final = b"\r\n"
# The lines of nearly all chunks, without extensions or leading zeros: one look-up parses them.
_NOT_PLAIN: Final = -1
_PLAIN: Final = {spelling % size: size for size in range(4096) for spelling in (b"%x\r\n", b"%X\r\n")}


class Body(metaclass=ABCMeta):
    """One body being read."""

    __slots__ = ()

    @property
    def is_behind(self) -> bool:
        """Whether it holds bytes that are not parsed yet."""
        return False

    @property
    def trailers(self) -> list[bytes]:
        """At the end: the trailer fields to forward, as lines without CRLF."""
        return []

    @abstractmethod
    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """The content, and the bytes after the body (None before its end). Raises Refusal."""


@final
class LengthBody(Body):
    """A body of `length` bytes (RFC 9112, 6.2)."""

    __slots__ = ("_remaining",)

    def __init__(self, length: int) -> None:
        self._remaining = length

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        remaining = self._remaining
        if len(data) < remaining:
            self._remaining = remaining - len(data)
            return data, None
        self._remaining = 0
        return data[:remaining], data[remaining:]


@final
class CloseBody(Body):
    """A response body that ends with the connection (RFC 9112, 6.3 rule 8)."""

    __slots__ = ()

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        return data, None


@final
class LimitedBody(Body):
    """A request body with at most `limit_bytes` of content."""

    __slots__ = ("_body", "_limit_bytes", "_received_bytes")

    def __init__(self, body: Body, limit_bytes: int) -> None:
        self._body = body
        self._limit_bytes = limit_bytes
        self._received_bytes = 0

    @property
    def is_behind(self) -> bool:
        return self._body.is_behind

    @property
    def trailers(self) -> list[bytes]:
        return self._body.trailers

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        content, rest = self._body.feed(data)
        self._received_bytes += len(content)
        if self._received_bytes > self._limit_bytes:
            raise body_too_large(self._limit_bytes)
        return content, rest


@final
class ChunkedBody(Body):
    """A chunked body (RFC 9112, 7.1). Extensions are checked and dropped."""

    __slots__ = (
        "_fault",
        "_held",
        "_is_inside",
        "_kinds",
        "_overhead",
        "_remaining",
        "_section",
        "_since_extension",
        "_stream",
        "_trailers",
    )

    def __init__(self, fault: Fault, kinds: FieldKinds) -> None:
        """`fault`: of a malformed body (the client's or the upstream's); `kinds`: for trailers."""
        self._kinds = kinds
        self._fault = fault
        self._stream: BytesIO | None = None  # bytes that are not parsed yet
        self._held = b""  # the state before a line, or before the CRLF after a chunk
        self._is_inside = False  # a chunk, or the CRLF that ends it
        self._remaining = 0  # of the content of that chunk
        self._overhead = 0
        self._since_extension = 0  # bytes since the last line that was not plain
        self._section: SectionScanner | None = None  # of trailers that have begun
        self._trailers: list[bytes] = []

    @property
    def is_behind(self) -> bool:
        return self._stream is not None

    @property
    def trailers(self) -> list[bytes]:
        return self._trailers

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        if self._section is not None:
            return b"", self._read_trailers(self._section, data)
        # A stream gives lines and pieces faster than `find` and slices.
        stream = self._stream
        if stream is None:
            stream = BytesIO(self._held + data if self._held else data)
            self._held = b""
        elif data:
            stream = BytesIO(stream.read() + data)
        self._stream = None
        pieces: list[bytes] = []
        rest = self._read_chunks(stream, pieces)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces), rest

    def _read_chunks(self, stream: BytesIO, pieces: list[bytes]) -> bytes | None:
        """Add content to `pieces`. Returns the bytes after the body, or None before its end."""
        readline, read, plain = stream.readline, stream.read, _PLAIN
        size, is_inside = self._remaining, self._is_inside
        unplain = stream.tell() - self._since_extension  # the end of the last line that was not plain
        for _ in range(CHUNKS_A_FEED):
            if is_inside:
                is_inside = False
            else:
                line = readline()
                size = plain.get(line, _NOT_PLAIN)
                if size <= 0:
                    if size < 0:
                        size = self._read_line(line, stream.tell() - unplain - len(line))
                        if size >= 0:
                            unplain = stream.tell()
                    if size <= 0:
                        self._is_inside = False
                        self._since_extension = stream.tell() - unplain - len(self._held)
                        return None if size < 0 else self._begin_trailers(stream.read())
            piece = read(size)
            pieces.append(piece)
            ending = read(2)
            if ending != _CRLF:
                if len(piece) == size and not _CRLF.startswith(ending):
                    raise Refusal(self._fault, "chunk data is not followed by CRLF")
                self._remaining = size - len(piece)
                self._is_inside = True
                self._held = ending
                self._since_extension = stream.tell() - unplain - len(ending)
                return None
        self._is_inside = False
        self._since_extension = stream.tell() - unplain
        self._stream = stream
        return None

    def _read_line(self, line: bytes, since_bytes: int) -> int:
        """The size in a line that is not plain; -1 if the line is incomplete, and held.

        `since_bytes`: how much came between the last such line and this one.
        """
        if line[-1:] != b"\n":
            if line and (len(line) > _MAX_CHUNK_LINE + 1 or not _PARTIAL_CHUNK_LINE.fullmatch(line)):
                raise Refusal(self._fault, "malformed chunk size")
            self._held = line
            return -1
        end = len(line) - 2
        match = CHUNK_LINE.fullmatch(line[:end]) if end <= _MAX_CHUNK_LINE and line[end:] == _CRLF else None
        if match is None:
            raise Refusal(self._fault, "malformed chunk size")
        size = int(match[1], 16)
        if size > _MAX_CHUNK:
            raise Refusal(self._fault, "the chunk size is too large")
        self._overhead = max(0, self._overhead - since_bytes) + max(0, end - 16)
        if self._overhead > _MAX_OVERHEAD:
            raise Refusal(self._fault, "more chunk extensions than content")
        return size

    def _begin_trailers(self, data: bytes) -> bytes | None:
        if data.startswith(_CRLF):  # nearly always
            return data[2:]
        section = self._section = SectionScanner(self._fault, "trailers")
        return self._read_trailers(section, data)

    def _read_trailers(self, section: SectionScanner, data: bytes) -> bytes | None:
        whole = section.feed(data)
        if whole is None:
            if section.size - 3 > _MAX_TRAILERS:
                raise Refusal(self._fault, "the trailer section is too long")
            return None
        if whole.startswith(_CRLF):
            return whole[2:]
        trailers, _, rest = whole.partition(b"\r\n\r\n")
        if len(trailers) > _MAX_TRAILERS or trailers.count(_CRLF) >= MAX_TRAILERS:
            raise Refusal(self._fault, "the trailer section is too long")
        fields = check_fields(trailers, self._kinds, self._fault)
        self._trailers = [line for line in fields.lines if allowed_in_trailers(line)]
        return rest


def request_body(length: int, chunked: bool, kinds: FieldKinds, limit_bytes: int) -> Body:
    """A request's body; `limit_bytes` 0: no limit. Raises Refusal if the announced length is too much."""
    if not chunked:
        if limit_bytes and length > limit_bytes:
            raise body_too_large(limit_bytes)
        return LengthBody(length)
    body = ChunkedBody(Fault.BAD_FRAMING, kinds)
    return LimitedBody(body, limit_bytes) if limit_bytes else body


def body_too_large(limit_bytes: int) -> Refusal:
    """The detail for the client."""
    return Refusal(Fault.BODY_TOO_LARGE, f"the request body is longer than {limit_bytes} bytes")
