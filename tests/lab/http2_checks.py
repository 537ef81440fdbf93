"""RFC 9113 and RFC 7541, rule by rule: what a client sends, and what a server does then.

The rows follow the sections, as the checks of the suite h2spec do, which is a program in Go.
Where a rule names one code, that code is asked for.
"""

from __future__ import annotations

from typing import NamedTuple

import hpack

from lab.h2 import WINDOW_UPDATE
from lab.http2 import data, frame, goaway, rst, settings, window_update
from proxy.http2.engine.codes import (
    ACK,
    COMPRESSION_ERROR,
    CONTINUATION,
    DATA,
    ENABLE_PUSH,
    END_HEADERS,
    END_STREAM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    MAX_FRAME_SIZE,
    PADDED,
    PING,
    PRIORITY,
    PRIORITY_FLAG,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    REFUSED_STREAM,
    RST_STREAM,
    SETTINGS,
    STREAM_CLOSED,
)
from proxy.http2.hpack.integers import integer

Field = tuple[str, str]

GET: list[Field] = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "app.test")]
POST: list[Field] = [(":method", "POST"), *GET[1:]]
END = END_HEADERS | END_STREAM


class Expected(NamedTuple):
    """What a check ends in: one of these codes, or an answer, or nothing but the PING's answer."""

    what: str
    codes: tuple[int, ...] = ()
    stream: int = 1


def ends(*codes: int) -> Expected:
    """The connection, with GOAWAY."""
    return Expected("goaway", codes)


def resets(*codes: int, stream: int = 1) -> Expected:
    """The stream alone, with RST_STREAM: the connection goes on."""
    return Expected("reset", codes, stream)


def answers(stream: int = 1) -> Expected:
    """A response on the stream."""
    return Expected("answer", (), stream)


GOES_ON = Expected("nothing")


def block(*fields: Field, huffman: bool = False) -> bytes:
    """A header block that leaves the table as it is."""
    encoder = hpack.Encoder()
    encoder.header_table_size = 0
    return bytes(encoder.encode(fields, huffman=huffman)).removeprefix(b"\x20")


def headers(stream: int, fields: list[Field], flags: int = END) -> bytes:
    return frame(HEADERS, flags, stream, block(*fields))


def literal(prefix: int, name: bytes | int, value: bytes) -> bytes:
    """One field of RFC 7541, 6.2, without Huffman's code."""
    free = 0x3F if prefix == 0x40 else 0x0F
    named = integer(free, prefix, name) if isinstance(name, int) else bytes((prefix, len(name))) + name
    return named + bytes((len(value),)) + value


G = block(*GET)
P = block(*POST)
OPEN = frame(HEADERS, END_HEADERS, 1, P)  # a request that goes on
ASKED = headers(1, GET)  # a request that is whole
PRIO = b"\0\0\0\0\x10"

# What is sent behind the preface, and what it brings.
CHECKS: dict[str, tuple[bytes, Expected]] = {
    # 4: frames
    "4.1 an unknown type": (frame(0x16, 0, 0, bytes(8)), GOES_ON),
    "4.1 undefined flags": (frame(PING, 0x16, 0, bytes(8)), GOES_ON),
    "4.1 the reserved bit": (b"\0\0\x08\x06\0\x80\0\0\0" + bytes(8), GOES_ON),
    "4.2 the largest frame": (OPEN + data(1, bytes(16384), end=True), answers()),
    "4.2 DATA that is too large": (OPEN + data(1, bytes(16385)), ends(FRAME_SIZE_ERROR)),
    "4.2 HEADERS that are too large": (frame(HEADERS, END, 1, bytes(16385)), ends(FRAME_SIZE_ERROR)),
    "4.3 a block that cannot be read": (frame(HEADERS, END, 1, b"\x40\x01\xff\xff\xff"), ends(COMPRESSION_ERROR)),
    "4.3 PRIORITY inside a block": (frame(HEADERS, 0, 1, G) + frame(PRIORITY, 0, 1, PRIO), ends(PROTOCOL_ERROR)),
    "4.3 another stream inside a block": (frame(HEADERS, 0, 1, G) + headers(3, GET), ends(PROTOCOL_ERROR)),
    # 5.1: states
    "5.1 idle: DATA": (data(1, b"x", end=True), ends(PROTOCOL_ERROR)),
    "5.1 idle: RST_STREAM": (rst(1), ends(PROTOCOL_ERROR)),
    "5.1 idle: WINDOW_UPDATE": (window_update(1, 100), ends(PROTOCOL_ERROR)),
    "5.1 idle: CONTINUATION": (frame(CONTINUATION, END_HEADERS, 1, G), ends(PROTOCOL_ERROR)),
    "5.1 idle: PRIORITY": (frame(PRIORITY, 0, 1, PRIO), GOES_ON),
    "5.1 half-closed (remote): DATA": (ASKED + data(1, b"x", end=True), resets(STREAM_CLOSED)),
    "5.1 half-closed (remote): HEADERS": (ASKED + ASKED, resets(STREAM_CLOSED)),
    "5.1 half-closed (remote): CONTINUATION": (ASKED + frame(CONTINUATION, END_HEADERS, 1, G), ends(PROTOCOL_ERROR)),
    "5.1 half-closed (remote): WINDOW_UPDATE": (ASKED + window_update(1, 100), answers()),
    "5.1 half-closed (remote): PRIORITY": (ASKED + frame(PRIORITY, 0, 1, PRIO), answers()),
    "5.1 half-closed (remote): RST_STREAM": (ASKED + rst(1), GOES_ON),
    "5.1 closed by RST_STREAM: DATA": (OPEN + rst(1) + data(1, b"x"), resets(STREAM_CLOSED)),
    "5.1 closed by RST_STREAM: HEADERS": (OPEN + rst(1) + ASKED, ends(STREAM_CLOSED)),
    "5.1 closed by RST_STREAM: CONTINUATION": (
        OPEN + rst(1) + frame(CONTINUATION, END_HEADERS, 1, G),
        ends(PROTOCOL_ERROR),
    ),
    "5.1.1 an even id": (headers(2, GET), ends(PROTOCOL_ERROR)),
    "5.1.1 a lower id": (headers(5, GET) + headers(3, GET), ends(PROTOCOL_ERROR)),
    "5.1.2 too many streams": (
        b"".join(frame(HEADERS, END_HEADERS, id, P) for id in range(1, 11, 2)),
        resets(REFUSED_STREAM, stream=9),
    ),
    # 5.3: priority, of RFC 7540
    "5.3 HEADERS that depend on themselves": (
        frame(HEADERS, END | PRIORITY_FLAG, 1, b"\0\0\0\1\xff" + G),
        resets(PROTOCOL_ERROR),
    ),
    "5.3 PRIORITY that depends on itself": (frame(PRIORITY, 0, 1, b"\0\0\0\1\xff"), resets(PROTOCOL_ERROR)),
    "5.3 PRIORITY for a stream, then a lower one": (frame(PRIORITY, 0, 9, PRIO) + ASKED, answers()),
    # 5.5: what may be added
    "5.5 an unknown type inside a block": (frame(HEADERS, 0, 1, G) + frame(0x16), ends(PROTOCOL_ERROR)),
    # 6.1: DATA
    "6.1 DATA without a stream": (data(0, b"x"), ends(PROTOCOL_ERROR)),
    "6.1 padding": (OPEN + frame(DATA, PADDED | END_STREAM, 1, b"\x06test" + bytes(6)), answers()),
    "6.1 padding that is too long": (OPEN + frame(DATA, PADDED | END_STREAM, 1, b"\x06test"), ends(PROTOCOL_ERROR)),
    "6.1 several frames": (OPEN + data(1, b"x") + data(1, b"y", end=True), answers()),
    # 6.2: HEADERS
    "6.2 HEADERS without a stream": (headers(0, GET), ends(PROTOCOL_ERROR)),
    "6.2 padding": (frame(HEADERS, END | PADDED, 1, b"\x08" + G + bytes(8)), answers()),
    "6.2 padding that is too long": (frame(HEADERS, END | PADDED, 1, b"\xff" + G), ends(PROTOCOL_ERROR)),
    "6.2 priority": (frame(HEADERS, END | PRIORITY_FLAG, 1, PRIO + G), answers()),
    # 6.3: PRIORITY
    "6.3 PRIORITY without a stream": (frame(PRIORITY, 0, 0, PRIO), ends(PROTOCOL_ERROR)),
    "6.3 a wrong length": (OPEN + frame(PRIORITY, 0, 1, PRIO[:4]), resets(FRAME_SIZE_ERROR)),
    # 6.4: RST_STREAM
    "6.4 RST_STREAM without a stream": (rst(0), ends(PROTOCOL_ERROR)),
    "6.4 a wrong length": (OPEN + frame(RST_STREAM, 0, 1, bytes(3)), ends(FRAME_SIZE_ERROR)),
    # 6.5: SETTINGS
    "6.5 an acknowledgement with settings": (frame(SETTINGS, ACK, 0, bytes(6)), ends(FRAME_SIZE_ERROR)),
    "6.5 SETTINGS on a stream": (frame(SETTINGS, 0, 1, bytes(6)), ends(PROTOCOL_ERROR)),
    "6.5 a wrong length": (frame(SETTINGS, 0, 0, bytes(3)), ends(FRAME_SIZE_ERROR)),
    "6.5.2 ENABLE_PUSH of 2": (settings((ENABLE_PUSH, 2)), ends(PROTOCOL_ERROR)),
    "6.5.2 a window that is too large": (settings((INITIAL_WINDOW_SIZE, 1 << 31)), ends(FLOW_CONTROL_ERROR)),
    "6.5.2 frames that are too small": (settings((MAX_FRAME_SIZE, 16383)), ends(PROTOCOL_ERROR)),
    "6.5.2 frames that are too large": (settings((MAX_FRAME_SIZE, 1 << 24)), ends(PROTOCOL_ERROR)),
    "6.5.2 an unknown setting": (settings((0xFF, 1)), GOES_ON),
    "6.5.3 settings": (settings(), GOES_ON),
    # 6.6, 8.4: PUSH_PROMISE
    "6.6 PUSH_PROMISE": (OPEN + frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2" + G), ends(PROTOCOL_ERROR)),
    # 6.7: PING
    "6.7 an answer to nothing": (frame(PING, ACK, 0, bytes(8)), GOES_ON),
    "6.7 PING on a stream": (frame(PING, 0, 1, bytes(8)), ends(PROTOCOL_ERROR)),
    "6.7 a wrong length": (frame(PING, 0, 0, bytes(6)), ends(FRAME_SIZE_ERROR)),
    # 6.8, 7: GOAWAY, codes
    "6.8 GOAWAY on a stream": (frame(GOAWAY, 0, 1, bytes(8)), ends(PROTOCOL_ERROR)),
    "7 GOAWAY with an unknown code": (goaway(0, 0xFF), GOES_ON),
    "7 RST_STREAM with an unknown code": (OPEN + rst(1, 0xFF), GOES_ON),
    # 6.9: WINDOW_UPDATE
    "6.9 nothing more for the connection": (window_update(0, 0), ends(PROTOCOL_ERROR)),
    "6.9 nothing more for a stream": (OPEN + window_update(1, 0), resets(PROTOCOL_ERROR)),
    "6.9 a wrong length": (frame(WINDOW_UPDATE, 0, 0, bytes(3)), ends(FRAME_SIZE_ERROR)),
    "6.9.1 the connection's window is too large": (
        window_update(0, 0x7FFFFFFF) + window_update(0, 0x7FFFFFFF),
        ends(FLOW_CONTROL_ERROR),
    ),
    "6.9.1 a stream's window is too large": (
        OPEN + window_update(1, 0x7FFFFFFF) + window_update(1, 0x7FFFFFFF),
        resets(FLOW_CONTROL_ERROR),
    ),
    # 6.10: CONTINUATION
    "6.10 several": (
        frame(HEADERS, END_STREAM, 1, G[:1]) + frame(CONTINUATION, 0, 1, G[1:2]) + frame(CONTINUATION, 4, 1, G[2:]),
        answers(),
    ),
    "6.10 another frame inside": (
        frame(HEADERS, 0, 1, G[:1]) + frame(CONTINUATION, 0, 1, G[1:2]) + data(1, b"x"),
        ends(PROTOCOL_ERROR),
    ),
    "6.10 without a stream": (frame(HEADERS, 0, 1, G[:1]) + frame(CONTINUATION, 4, 0, G[1:]), ends(PROTOCOL_ERROR)),
    "6.10 behind the end of a block": (OPEN + frame(CONTINUATION, END_HEADERS, 1, G), ends(PROTOCOL_ERROR)),
    "6.10 behind DATA": (OPEN + data(1, b"x") + frame(CONTINUATION, 4, 1, G), ends(PROTOCOL_ERROR)),
    # 8.1: messages
    "8.1 a second block that does not end": (OPEN + headers(1, [("x-a", "1")], END_HEADERS), resets(PROTOCOL_ERROR)),
    "8.1 trailers": (OPEN + data(1, b"x") + headers(1, [("x-a", "1")]), answers()),
    "8.1 HEAD": (headers(1, [(":method", "HEAD"), *GET[1:]]), answers()),
    "8.1.1 less content than announced": (
        headers(1, [*POST, ("content-length", "5")], END_HEADERS) + data(1, b"test", end=True),
        resets(PROTOCOL_ERROR),
    ),
    "8.1.1 more content than announced, in pieces": (
        headers(1, [*POST, ("content-length", "5")], END_HEADERS) + data(1, b"test") + data(1, b"test", end=True),
        resets(PROTOCOL_ERROR),
    ),
    "8.2.1 upper case": (headers(1, [*GET, ("X-TEST", "ok")]), resets(PROTOCOL_ERROR)),
    "8.2.1 a line break": (headers(1, [*GET, ("x-a", "a\r\nb: c")]), resets(PROTOCOL_ERROR)),
    "8.2.1 NUL": (headers(1, [*GET, ("x-a", "a\0b")]), resets(PROTOCOL_ERROR)),
    "8.2.2 connection": (headers(1, [*GET, ("connection", "keep-alive")]), resets(PROTOCOL_ERROR)),
    "8.2.2 transfer-encoding": (headers(1, [*GET, ("transfer-encoding", "chunked")]), resets(PROTOCOL_ERROR)),
    "8.2.2 te": (headers(1, [*GET, ("te", "trailers, deflate")]), resets(PROTOCOL_ERROR)),
    "8.2.2 te: trailers": (headers(1, [*GET, ("te", "trailers")]), answers()),
    "8.3 an unknown pseudo-field": (headers(1, [*GET, (":test", "ok")]), resets(PROTOCOL_ERROR)),
    "8.3 one of responses": (headers(1, [*GET, (":status", "200")]), resets(PROTOCOL_ERROR)),
    "8.3 in trailers": (OPEN + headers(1, [(":method", "200")]), resets(PROTOCOL_ERROR)),
    "8.3 behind another field": (headers(1, [("x-test", "ok"), *GET]), resets(PROTOCOL_ERROR)),
    "8.3.1 an empty path": (headers(1, [*GET[:2], (":path", "")]), resets(PROTOCOL_ERROR)),
    **{
        f"8.3.1 without {field[0]}": (headers(1, [f for f in GET if f != field]), resets(PROTOCOL_ERROR))
        for field in GET[:3]
    },
    **{f"8.3.1 {field[0]} twice": (headers(1, [*GET, field]), resets(PROTOCOL_ERROR)) for field in GET},
    "8.3.1 Host that differs": (headers(1, [*GET, ("host", "other.test")]), resets(PROTOCOL_ERROR)),
    # RFC 7541
    "H2.3.3 an index beyond the table": (frame(HEADERS, END, 1, G + b"\xc6"), ends(COMPRESSION_ERROR)),
    "H2.3.3 a literal with an index beyond the table": (
        frame(HEADERS, END, 1, G + b"\x7f\x1f\x01x"),
        ends(COMPRESSION_ERROR),
    ),
    "H4.2 an update behind a field": (frame(HEADERS, END, 1, G + b"\x3f\x01"), ends(COMPRESSION_ERROR)),
    "H5.2 padding of 8 bits": (
        frame(HEADERS, END, 1, G + b"\x00\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff"),
        ends(COMPRESSION_ERROR),
    ),
    "H5.2 padding of zeros": (frame(HEADERS, END, 1, G + b"\x00\x83\x49\x50\x90\x01x"), ends(COMPRESSION_ERROR)),
    "H5.2 the end-of-string symbol": (
        frame(HEADERS, END, 1, G + b"\x00\x84\xff\xff\xff\xfc\x01x"),
        ends(COMPRESSION_ERROR),
    ),
    "H6.1 index 0": (frame(HEADERS, END, 1, G + b"\x80"), ends(COMPRESSION_ERROR)),
    "H6.2 literals of all kinds": (
        frame(
            HEADERS,
            END,
            1,
            G + b"".join(literal(prefix, name, b"1") for prefix in (0x40, 0x00, 0x10) for name in (b"x-a", 0x0F)),
        ),
        answers(),
    ),
    "H6.2 Huffman's code": (frame(HEADERS, END, 1, block(*GET, ("x-name", "some value"), huffman=True)), answers()),
    "H6.3 an update": (frame(HEADERS, END, 1, b"\x2a" + G), answers()),
    "H6.3 two updates": (frame(HEADERS, END, 1, b"\x20\x3f\x01" + G), answers()),
    "H6.3 an update beyond the setting": (frame(HEADERS, END, 1, b"\x3f\xe2\x1f" + G), ends(COMPRESSION_ERROR)),
}
