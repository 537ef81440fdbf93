"""Requests and responses by the grammar, then broken at the places where parsers disagree. All by one `Random`."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: evil\r\nX-Id: smuggled\r\n\r\n"
EVIL = b"HTTP/1.1 200 OK\r\nX-Id: evil\r\nContent-Length: 4\r\n\r\nevil"

_METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"QUERY", b"TRACE", b"M-SEARCH", b"get")
_LENGTHS = (
    b"0", b"5", b"+5", b"-1", b"1_0", b"0x5", b"", b" ", b"5 5", b"5,5", b"5, 6", b"05", b"5\t", b"5.0", b"\xb2",
    b"5;", b"99999999999999999999", b"18446744073709551621", b"1e1", b'"5"', b"5\x0b", b"\x0c5", b"5\xa0",
)  # fmt: skip
_CODINGS = (
    b"chunked", b"Chunked", b"chunked, chunked", b"gzip, chunked", b"chunked, gzip", b"identity", b"", b"chunked;q=1",
    b'"chunked"', b"xchunked", b"chunked,", b", chunked", b"\tchunked", b"chunked\x0b", b"\x0bchunked", b"chunked\x00",
    b"c hunked", b"chunke", b"CHUNKED ", b"identity, chunked", b"chunked\xa0",
)  # fmt: skip
_FRAMING_NAMES = (
    b"Content-Length", b"content-length", b"CONTENT-LENGTH", b"Content-Length ", b"Content_Length", b" Content-Length",
    b"Content-Length\t", b"Content-Length\x00", b"\x0bContent-Length", b"Transfer-Encoding", b"transfer-encoding",
    b"Transfer-Encoding ", b"Transfer_Encoding", b" Transfer-Encoding", b"Transfer-Encoding\r",
    b"Transfer-Encoding\x0b",
)  # fmt: skip
_ENDS = (b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\r\n", b"\r\n ", b"\r\n\t", b"\x0b\r\n", b"\0\r\n", b"", b"\xc2\x85")
_TARGETS = (
    b"/", b"*", b"http://app/x", b"HTTP://app:80/", b"http://app", b"http://a@app/", b"//app/x", b"/a b", b"/\x01",
    b"/\xff", b"x", b"http://", b"https://app/", b"ftp://app/", b"/" + b"a" * 9000, b"/#x", b"/%00", b"app:80", b"/\t",
    b"http://app?x", b"http://[::1]/", b"http://app:99999/", b"/x HTTP/1.1\r\nX: y",
)  # fmt: skip
_VERSIONS = (
    b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"HTTP/1.1 ", b"http/1.1", b"HTTP/01.1", b"", b"HTTP/1.10", b"HTTP/0.9",
)  # fmt: skip
_HOSTS = (
    b"app", b"", b"app:80", b"a@b", b"a/b", b"app, app", b"app app", b"app:x", b"[::1]", b"[::1", b"\xff", b"app:",
    b"%61",
)  # fmt: skip
_EXTRAS = (
    b"Connection: close", b"Connection: keep-alive", b"Connection: Host, Content-Length, Transfer-Encoding, X-Id",
    b"Connection: X-Id", b"Connection: upgrade\r\nUpgrade: websocket",
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c", b"Expect: 100-continue", b"Expect: x",
    b"TE: trailers\r\nConnection: TE", b"Trailer: X-Sum", b"Max-Forwards: 0", b"Keep-Alive: 5", b"Via: 1.1 other",
    b"X-Forwarded-For: 1.2.3.4", b"X-B3-TraceId: 1\r\nX-B3-SpanId: 1", b"X: \xe9\xff",
    b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", b"b3: 0", b"X:", b"X: " + b"v" * 70_000,
    b"Proxy-Connection: close", b"X:   spaced   out  ", b"x_under_score: 1", b'Content-Type: a/b; c="d\r\n\te"',
)  # fmt: skip
_CHUNK_SIZES = (
    b"5", b"05", b"0x5", b"+5", b"-5", b" 5", b"5 ", b"5;a", b"5;a=b", b'5;a="b\\"c"', b"5;", b"5;\n", b"5;a\r", b"g",
    b"", b"FFFFFFFFFFFFFFFF", b"10000000000000005", b"5\x00", b"5\t;a", b"5_0", b"5;a=\x01", b"5;a=\"\r\n\"",
)  # fmt: skip
_STATUS_LINES = (
    b"HTTP/1.1 200", b"HTTP/1.1 200 ", b"HTTP/1.0 200 OK", b"HTTP/1.1 999 X", b"HTTP/1.1 099 X", b"HTTP/1.1 20 X",
    b"HTTP/2 200", b"HTTP/1.1  200 OK", b"HTTP/1.1 200 O\x00K", b"HTTP/1.1 204 No", b"HTTP/1.1 304 Not",
    b"HTTP/1.1 101 S", b"HTTP/1.1 100 C", b"ICY 200 OK", b"HTTP/1.1 103 H", b"HTTP/1.1 205 R", b"HTTP/1.1 600 ?",
)  # fmt: skip


def pick(dice: random.Random, choices: Sequence[T]) -> T:
    return choices[dice.randrange(len(choices))]


def chunked(body: bytes, dice: random.Random, *, trailers: bool = True) -> bytes:
    out = b""
    while body:
        size = dice.randrange(1, len(body) + 1)
        out += b"%x%b\r\n%b\r\n" % (size, pick(dice, (b"", b"", b";x", b';x="y z"')), body[:size])
        body = body[size:]
    trailer = pick(dice, (b"", b"", b"X-Sum: 1\r\n", b"Content-Length: 3\r\nTransfer-Encoding: x\r\nHost: evil\r\n"))
    return out + b"0\r\n" + (trailer if trailers else b"") + b"\r\n"


def request(name: bytes, dice: random.Random) -> bytes:
    """A well-formed request that says `name` in X-Id, often with a body that looks like another one."""
    lines = [b"%b /%b HTTP/1.1" % (pick(dice, _METHODS[:8]), name), b"Host: app", b"X-Id: " + name]
    if dice.random() < 0.3:
        lines.append(pick(dice, _EXTRAS[:8]))
    body = pick(dice, (b"", b"hello", SMUGGLED, b"0\r\n\r\n" + SMUGGLED, b"x" * dice.randrange(3000)))
    kind = dice.randrange(3)
    if kind == 1:
        lines.append(b"Content-Length: %d" % len(body))
    elif kind == 2:
        lines.append(b"Transfer-Encoding: chunked")
        body = chunked(body, dice)
    else:
        body = b""
    return b"\r\n".join([*lines, b"", b""]) + body


def response(name: bytes, method: bytes, dice: random.Random) -> tuple[bytes, bool]:
    """A well-formed response that says `name`, and whether the connection has to end behind it."""
    lines = [b"HTTP/1.1 200 OK", b"X-Id: " + name]
    body = pick(dice, (b"", name, EVIL, b"x" * dice.randrange(3000)))
    kind = dice.randrange(3)
    if kind == 0:
        lines.append(b"Content-Length: %d" % len(body))
    elif kind == 1:
        lines.append(b"Transfer-Encoding: chunked")
        body = chunked(body, dice)
    if method == b"HEAD":
        body = b""
    interim = pick(dice, (b"", b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"))
    return interim + b"\r\n".join([*lines, b"", b""]) + body, kind == 2


Mutation = Callable[[bytes, random.Random], bytes]


def _head_lines(message: bytes) -> tuple[list[bytes], bytes]:
    head, _, body = message.partition(b"\r\n\r\n")
    return head.split(b"\r\n"), b"\r\n\r\n" + body


def _extra_field(message: bytes, dice: random.Random) -> bytes:
    lines, rest = _head_lines(message)
    kind = dice.randrange(4)
    if kind == 0:
        line = (
            pick(dice, _FRAMING_NAMES)
            + b":"
            + pick(dice, (b" ", b"", b"\t", b"\r\n "))
            + pick(dice, _LENGTHS + _CODINGS)
        )
    elif kind == 1:
        line = pick(dice, (b"Content-Length: ", b"content-length:")) + pick(dice, _LENGTHS)
    elif kind == 2:
        line = pick(dice, (b"Transfer-Encoding: ", b"transfer-encoding:")) + pick(dice, _CODINGS)
    else:
        line = pick(dice, _EXTRAS)
    lines.insert(dice.randrange(1, len(lines) + 1), line)
    return b"\r\n".join(lines) + rest


def _reframe(message: bytes, dice: random.Random) -> bytes:
    """The framing field that is there, said otherwise."""
    lines, rest = _head_lines(message)
    for index, line in enumerate(lines):
        name, _, value = line.partition(b": ")
        if name in (b"Content-Length", b"Transfer-Encoding"):
            same = b"0" * dice.randrange(3) + value if name == b"Content-Length" else value.upper()
            others = (same, *(_LENGTHS if name == b"Content-Length" else _CODINGS))
            lines[index] = (name if dice.random() < 0.8 else pick(dice, _FRAMING_NAMES)) + b": " + pick(dice, others)
            if dice.random() < 0.2:
                lines.append(line)
    return b"\r\n".join(lines) + rest


def _double_field(message: bytes, dice: random.Random) -> bytes:
    lines, rest = _head_lines(message)
    lines.insert(dice.randrange(1, len(lines) + 1), pick(dice, lines))
    return b"\r\n".join(lines) + rest


def _drop_field(message: bytes, dice: random.Random) -> bytes:
    lines, rest = _head_lines(message)
    del lines[dice.randrange(len(lines))]
    return b"\r\n".join(lines) + rest


def _line_end(message: bytes, dice: random.Random) -> bytes:
    places = [index for index in range(len(message)) if message.startswith(b"\r\n", index)]
    if not places:
        return message
    place = pick(dice, places)
    return message[:place] + pick(dice, _ENDS) + message[place + 2 :]


def _odd_byte(message: bytes, dice: random.Random) -> bytes:
    place = dice.randrange(len(message)) if message else 0
    odd = bytes([pick(dice, (0, 1, 9, 10, 11, 12, 13, 32, 34, 44, 58, 59, 127, 128, 160, 255, dice.randrange(256)))])
    return message[:place] + odd + message[place + dice.randrange(2) :]


def _cut(message: bytes, dice: random.Random) -> bytes:
    begin = dice.randrange(len(message) + 1)
    return message[:begin] + message[begin + dice.randrange(1, 9) :]


def _chunk_size(message: bytes, dice: random.Random) -> bytes:
    lines, rest = _head_lines(message)
    parts = rest[4:].split(b"\r\n")
    parts[dice.randrange(len(parts))] = pick(dice, _CHUNK_SIZES)
    return b"\r\n".join(lines) + b"\r\n\r\n" + b"\r\n".join(parts)


def _request_line(message: bytes, dice: random.Random) -> bytes:
    lines, rest = _head_lines(message)
    parts = [*lines[0].split(b" "), b"", b""][:3]
    kind = dice.randrange(4)
    if kind == 0:
        parts[0] = pick(dice, (*_METHODS, b"", b"G\x00T", b"GET:", b"CONNECT", b"\r\nGET"))
    elif kind == 1:
        parts[1] = pick(dice, _TARGETS)
    elif kind == 2:
        parts[2] = pick(dice, _VERSIONS)
    lines[0] = pick(dice, (b" ", b" ", b" ", b"  ", b"\t")).join(parts)
    return b"\r\n".join(lines) + rest


def _host(message: bytes, dice: random.Random) -> bytes:
    return message.replace(b"Host: app", b"Host: " + pick(dice, _HOSTS), 1)


def _many(message: bytes, dice: random.Random) -> bytes:
    lines, rest = _head_lines(message)
    lines[1:1] = [b"A%d: b" % index for index in range(pick(dice, (90, 97, 98, 99, 100, 101, 300)))]
    return b"\r\n".join(lines) + rest


def _status_line(message: bytes, dice: random.Random) -> bytes:
    lines, rest = _head_lines(message)
    lines[0] = pick(dice, _STATUS_LINES)
    return b"\r\n".join(lines) + rest


def _around(message: bytes, dice: random.Random) -> bytes:
    junk = pick(dice, (b"\r\n", b"\n", b"\r\n" * 5, b"\0", b"x", b" ", b"0\r\n\r\n", b"\r"))
    return junk + message if dice.random() < 0.5 else message + junk


_BOTH: tuple[Mutation, ...] = (
    _extra_field, _extra_field, _reframe, _reframe, _reframe, _double_field, _drop_field, _line_end, _line_end,
    _odd_byte, _odd_byte, _cut, _chunk_size, _chunk_size, _many, _around,
)  # fmt: skip
OF_REQUESTS: tuple[Mutation, ...] = (*_BOTH, _request_line, _request_line, _host)
OF_RESPONSES: tuple[Mutation, ...] = (*_BOTH, _status_line, _status_line)


def mutated(message: bytes, mutations: Sequence[Mutation], dice: random.Random) -> bytes:
    """`message` after none to three mutations."""
    for _ in range(pick(dice, (0, 1, 1, 1, 1, 1, 2, 3))):
        message = pick(dice, mutations)(message, dice)
    return message
