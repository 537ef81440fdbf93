"""A strict reader of HTTP/1.1 messages (RFC 9112) for the tests' own two ends.

Knows bytes and one `receive` function; no sockets of its own.
Deliberately independent of the sidecar's parser, and stricter
than any real peer: what the sidecar sends must be beyond doubt.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")  # RFC 9110 5.6.2
REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e\x80-\xff]+) HTTP/1\.([01])\Z")  # RFC 9112 3
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) ([\t \x21-\x7e\x80-\xff]*)\Z")  # RFC 9112 4
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})\Z")  # RFC 9112 7.1; the sidecar has no reason to write an extension
VALUE_CTL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class Malformed(AssertionError):
    """The sidecar wrote something that RFC 9112 does not allow."""


class Truncated(AssertionError):
    """The connection ended before the message did. `got` is what there was of the body (or of the head)."""

    def __init__(self, what: str, got: bytes) -> None:
        super().__init__(f"{what} cut short after {len(got)} bytes: {got[-80:]!r}")
        self.got = got


@dataclass
class Head:
    """A start line and its fields, as on the wire."""

    start: tuple[bytes, ...]
    fields: list[tuple[bytes, bytes]]
    raw: bytes

    def values(self, name: str) -> list[bytes]:
        """The values of `name` (any case), in order."""
        wanted = name.lower().encode()
        return [value for key, value in self.fields if key.lower() == wanted]

    def value(self, name: str) -> bytes | None:
        """The one value of `name`, or None. Two are an error."""
        found = self.values(name)
        assert len(found) <= 1, f"{len(found)} fields named {name}: {found}"
        return found[0] if found else None

    def names(self) -> list[str]:
        """Field names in lower case, in order."""
        return [key.decode("latin-1").lower() for key, _ in self.fields]


@dataclass
class Message:
    """A whole message. `framing` is none, length, chunked or close."""

    head: Head
    body: bytes = b""
    framing: str = "none"
    chunks: list[int] = field(default_factory=list)
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    interim: list[Head] = field(default_factory=list)

    @property
    def status(self) -> int:
        return int(self.head.start[0])

    @property
    def method(self) -> bytes:
        return self.head.start[0]

    @property
    def target(self) -> bytes:
        return self.head.start[1]


class Stream:
    """Reads messages from a byte stream. `receive` gives more bytes, or b"" at the end."""

    def __init__(self, receive: Callable[[], bytes]) -> None:
        self._receive = receive
        self.buffer = b""
        self.ended = False

    def more(self) -> bool:
        """Read once; False at the end of the stream."""
        if not self.ended:
            data = self._receive()
            self.buffer += data
            self.ended = not data
        return not self.ended

    def until(self, marker: bytes, what: str) -> bytes:
        while marker not in self.buffer:
            if not self.more():
                raise Truncated(what, self.buffer)
        found, self.buffer = self.buffer.split(marker, 1)
        return found

    def exactly(self, count: int, what: str) -> bytes:
        parts, have = [self.buffer], len(self.buffer)
        while have < count:
            self.buffer = b""
            if not self.more():
                raise Truncated(what, b"".join(parts))
            parts.append(self.buffer)
            have += len(self.buffer)
        whole = b"".join(parts)
        self.buffer = whole[count:]
        return whole[:count]

    def to_end(self) -> bytes:
        parts = [self.buffer]
        self.buffer = b""
        while self.more():
            parts.append(self.buffer)
            self.buffer = b""
        return b"".join(parts)

    def head(self, kind: re.Pattern[bytes], what: str) -> Head:
        block = self.until(b"\r\n\r\n", what)
        lines = block.split(b"\r\n")
        start = kind.match(lines[0])
        if not start or b"\n" in block.replace(b"\r\n", b"") or b"\r" in block.replace(b"\r\n", b""):
            raise Malformed(f"{what}: {block[:200]!r}")
        return Head(start.groups(), [_field(line) for line in lines[1:]], block + b"\r\n\r\n")

    def request(self) -> Message:
        """The next request, whole."""
        message = Message(self.request_head())
        self.body_of_request(message)
        return message

    def request_head(self) -> Head:
        head = self.head(REQUEST_LINE, "request head")
        if head.start[2] == b"1" and len(head.values("host")) != 1:
            raise Malformed(f"{len(head.values('host'))} Host fields: {head.raw!r}")
        return head

    def body_of_request(self, message: Message) -> Message:
        """Reads the body that `message.head` announces into `message`."""
        coding, length = message.head.value("transfer-encoding"), message.head.value("content-length")
        if coding is not None and length is not None:
            raise Malformed("a request with Transfer-Encoding and Content-Length")
        if coding is not None:
            self._chunked(message, coding)
        elif length is not None:
            self._length(message, length)
        return message

    def response(self, method: str = "GET") -> Message:
        """The next final response to a `method` request, interim ones collected."""
        interim: list[Head] = []
        while True:
            head = self.response_head()
            if not 100 <= int(head.start[0]) < 200 or int(head.start[0]) == 101:
                break
            interim.append(head)
        message = Message(head, interim=interim)
        return self.body_of_response(message, method)

    def response_head(self) -> Head:
        return self.head(STATUS_LINE, "response head")

    def body_of_response(self, message: Message, method: str = "GET") -> Message:
        """Reads the body by RFC 9112 6.3."""
        coding, length = message.head.value("transfer-encoding"), message.head.value("content-length")
        if coding is not None and length is not None:
            raise Malformed("a response with Transfer-Encoding and Content-Length")
        if message.status in (101, 204) and (coding is not None or length is not None):
            raise Malformed(f"a {message.status} with framing")
        if (
            method == "HEAD"
            or message.status in (101, 204, 304)
            or (method == "CONNECT" and message.status // 100 == 2)
        ):
            return message
        if coding is not None:
            self._chunked(message, coding)
        elif length is not None:
            self._length(message, length)
        else:
            message.framing, message.body = "close", self.to_end()
        return message

    def _length(self, message: Message, length: bytes) -> None:
        if not re.fullmatch(rb"[0-9]{1,18}", length):
            raise Malformed(f"Content-Length {length!r}")
        message.framing = "length"
        message.body = self.exactly(int(length), "body")

    def _chunked(self, message: Message, coding: bytes) -> None:
        if coding.lower() != b"chunked":
            raise Malformed(f"Transfer-Encoding {coding!r}")
        message.framing = "chunked"
        try:
            while True:
                line = self.until(b"\r\n", "chunk size")
                if not CHUNK_LINE.match(line):
                    raise Malformed(f"chunk size line {line!r}")
                size = int(line, 16)
                if size == 0:
                    break
                message.body += self.exactly(size, "chunk")
                message.chunks.append(size)
                if self.exactly(2, "end of chunk") != b"\r\n":
                    raise Malformed("chunk data is not followed by CRLF")
            while line := self.until(b"\r\n", "trailer"):
                message.trailers.append(_field(line))
        except Truncated as cut:
            cut.got = message.body + cut.got
            raise


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    value = value.strip(b" \t")
    if not colon or not TOKEN.match(name) or VALUE_CTL.search(value):
        raise Malformed(f"field line {line[:200]!r}")
    return name, value
