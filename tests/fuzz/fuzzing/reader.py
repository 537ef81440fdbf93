"""A strict reader of HTTP/1.1 messages (RFC 9112): the judge of what a byte stream says. Bytes in, messages out.

Independent of the sidecar's parser on purpose. Where the RFC leaves a choice, it takes the strictest.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rb"(%b) ([\x21-\x7e]+) HTTP/1\.([01])" % _TOKEN)
_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-9][0-9]{2}) ([\t \x21-\x7e\x80-\xff]*)")
_FIELD = re.compile(
    rb"(%b):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\t \x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*" % _TOKEN
)
_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
_EXTENSIONS = rb"(?:[ \t]*;[ \t]*%b(?:[ \t]*=[ \t]*(?:%b|%b))?)*" % (_TOKEN, _TOKEN, _QUOTED)
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(%b)" % _EXTENSIONS)


class Malformed(AssertionError):
    """The bytes cannot be, nor become, a message."""


class Message(NamedTuple):
    """A whole message."""

    start: tuple[bytes, ...]  # method, target, minor; or status, reason
    fields: list[tuple[bytes, bytes]]
    framing: str  # "none", "length", "chunked", "close"
    body: bytes
    end: int  # where the next message begins

    def value(self, name: bytes) -> bytes:
        """The values of `name` (lower case), joined; b"" for none."""
        return b",".join(value for key, value in self.fields if key.lower() == name)


def read_request(data: bytes, begin: int = 0, *, from_client: bool = False) -> Message | None:
    """The request at `begin`; None while it is incomplete. Raises Malformed.

    `from_client`: also what a recipient has to take but the sidecar never writes: empty lines before the request,
    HTTP/1.0, chunk extensions.
    """
    while from_client and data.startswith(b"\r\n", begin):
        begin += 2
    found = _head(data, begin, _REQUEST_LINE)
    if found is None:
        return None
    start, fields, position = found
    if not from_client and start[2] != b"1":
        raise Malformed(f"HTTP/1.{start[2]!r}")
    hosts = [value for name, value in fields if name.lower() == b"host"]
    if len(hosts) > 1 or (not hosts and start[2] == b"1"):
        raise Malformed(f"{len(hosts)} Hosts")
    if start[2] == b"0" and any(name.lower() == b"transfer-encoding" for name, _ in fields):
        raise Malformed("Transfer-Encoding in HTTP/1.0")
    framing, length = _framing(fields)
    return _with_body(data, position, start, fields, framing, length, from_client)


def read_response(data: bytes, begin: int, method: bytes, *, ended: bool) -> Message | None:
    """The response at `begin` to a `method` request; `ended`: no more bytes will come. Raises Malformed."""
    found = _head(data, begin, _STATUS_LINE)
    if found is None:
        return None
    start, fields, position = found
    status = int(start[0])
    framing, length = _framing(fields)
    if status < 200 or status == 204:
        if framing != "none":
            raise Malformed(f"a {status} with framing")
        return Message(start, fields, "none", b"", position)
    if method == b"HEAD" or status == 304:
        return Message(start, fields, "none", b"", position)
    if framing == "none":
        return Message(start, fields, "close", data[position:], len(data)) if ended else None
    return _with_body(data, position, start, fields, framing, length, False)


def _head(
    data: bytes, begin: int, line: re.Pattern[bytes]
) -> tuple[tuple[bytes, ...], list[tuple[bytes, bytes]], int] | None:
    end = data.find(b"\r\n\r\n", begin)
    if end < 0:
        return None
    first, *rest = data[begin:end].split(b"\r\n")
    start = line.fullmatch(first)
    if start is None:
        raise Malformed(f"start line {first[:200]!r}")
    return start.groups(), _fields(rest), end + 4


def _fields(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    fields = []
    for raw in lines:
        found = _FIELD.fullmatch(raw)
        if found is None:
            raise Malformed(f"field line {raw[:200]!r}")
        fields.append((found[1], found[2]))
    return fields


def _framing(fields: list[tuple[bytes, bytes]]) -> tuple[str, int]:
    lengths = [value for name, value in fields if name.lower() == b"content-length"]
    codings = [value for name, value in fields if name.lower() == b"transfer-encoding"]
    if len(lengths) + len(codings) > 1:
        raise Malformed(f"framed twice: {lengths} {codings}")
    if codings:
        if codings[0].lower() != b"chunked":
            raise Malformed(f"Transfer-Encoding {codings[0]!r}")
        return "chunked", 0
    if lengths:
        if not re.fullmatch(rb"[0-9]{1,18}", lengths[0]):
            raise Malformed(f"Content-Length {lengths[0]!r}")
        return "length", int(lengths[0])
    return "none", 0


def _with_body(
    data: bytes,
    position: int,
    start: tuple[bytes, ...],
    fields: list[tuple[bytes, bytes]],
    framing: str,
    length: int,
    extensions: bool,
) -> Message | None:
    if framing != "chunked":
        if len(data) < position + length:
            return None
        return Message(start, fields, framing, data[position : position + length], position + length)
    body = b""
    while True:
        end = data.find(b"\r\n", position)
        if end < 0:
            return None
        found = _CHUNK_LINE.fullmatch(data[position:end])
        if found is None or (found[2] and not extensions):
            raise Malformed(f"chunk line {data[position:end][:200]!r}")
        size = int(found[1], 16)
        position = end + 2
        if not size:
            break
        if len(data) < position + size + 2:
            return None
        if data[position + size : position + size + 2] != b"\r\n":
            raise Malformed("chunk data without CRLF")
        body += data[position : position + size]
        position += size + 2
    if data.startswith(b"\r\n", position):
        return Message(start, fields, framing, body, position + 2)
    end = data.find(b"\r\n\r\n", position)
    if end < 0:
        return None
    _fields(data[position:end].split(b"\r\n"))
    return Message(start, fields, framing, body, end + 4)
