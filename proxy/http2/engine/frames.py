"""Frames as bytes (RFC 9113, 4.1 and 6). PURE."""

from __future__ import annotations

from typing import Final

from proxy.http2.engine.codes import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    LEAST_MAX_FRAME,
    PING,
    SETTINGS,
)

_SMALL: Final = 1025  # payloads below this have the beginnings of their frames in a table


def _beginnings(kind: int, flags: int) -> list[bytes]:
    return [beginning(size, kind, flags) for size in range(_SMALL)]


def beginning(size: int, kind: int, flags: int) -> bytes:
    """A frame up to its stream's id."""
    return size.to_bytes(3, "big") + bytes((kind, flags))


_DATA: Final = _beginnings(DATA, 0)
_FULL_DATA: Final = beginning(LEAST_MAX_FRAME, DATA, 0)  # most frames of large content are as large as any may be
_LAST_DATA: Final = _beginnings(DATA, END_STREAM)
_HEADERS: Final = _beginnings(HEADERS, END_HEADERS)
_LAST_HEADERS: Final = _beginnings(HEADERS, END_HEADERS | END_STREAM)

SETTINGS_ACK: Final = b"\x00\x00\x00\x04\x01\x00\x00\x00\x00"
_ON_CONNECTION: Final = b"\x00\x00\x00\x00"


def data_beginning(size: int, done: bool) -> bytes:
    """Of a DATA frame (6.1)."""
    if size < _SMALL:
        return _LAST_DATA[size] if done else _DATA[size]
    if size == LEAST_MAX_FRAME and not done:
        return _FULL_DATA
    return beginning(size, DATA, END_STREAM if done else 0)


def write_headers(out: list[bytes], block: bytes, id_bytes: bytes, done: bool, max_frame: int) -> None:
    """A block as HEADERS, with as much CONTINUATION as it takes (6.2, 6.10)."""
    size = len(block)
    if size < _SMALL:
        out.append(_LAST_HEADERS[size] if done else _HEADERS[size])
        out.append(id_bytes)
        out.append(block)
        return
    kind = HEADERS
    flags = END_STREAM if done else 0
    place = 0
    while True:
        part = block[place : place + max_frame]
        place += max_frame
        if place >= size:
            flags |= END_HEADERS
        out.append(beginning(len(part), kind, flags))
        out.append(id_bytes)
        out.append(part)
        if place >= size:
            return
        kind = CONTINUATION
        flags = 0


def reset(id_bytes: bytes, code: int) -> bytes:
    """RST_STREAM (6.4)."""
    return b"\x00\x00\x04\x03\x00" + id_bytes + code.to_bytes(4, "big")


def settings(pairs: list[tuple[int, int]]) -> bytes:
    """SETTINGS (6.5)."""
    payload = b"".join([number.to_bytes(2, "big") + value.to_bytes(4, "big") for number, value in pairs])
    return beginning(len(payload), SETTINGS, 0) + _ON_CONNECTION + payload


def ping(payload: bytes, flags: int) -> bytes:
    """PING (6.7); `payload` has 8 bytes."""
    return beginning(8, PING, flags) + _ON_CONNECTION + payload


def goaway(last_id: int, code: int, detail: bytes) -> bytes:
    """GOAWAY (6.8)."""
    payload = last_id.to_bytes(4, "big") + code.to_bytes(4, "big") + detail
    return beginning(len(payload), GOAWAY, 0) + _ON_CONNECTION + payload


def window_update(id_bytes: bytes, increment: int) -> bytes:
    """WINDOW_UPDATE (6.9)."""
    return b"\x00\x00\x04\x08\x00" + id_bytes + increment.to_bytes(4, "big")
