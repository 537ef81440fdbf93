"""HTTP/2 by hand: frames as bytes and back, and header blocks by our own encoder."""

from __future__ import annotations

from typing import NamedTuple

from proxy.http2.engine import codes
from proxy.http2.hpack.decoder import Decoder
from proxy.http2.hpack.encoder import Encoder
from proxy.http2.hpack.field import HeaderField, Judge

Fields = list[tuple[bytes, bytes]]

GET: Fields = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"app")]
POST: Fields = [(b":method", b"POST"), *GET[1:]]
OK: Fields = [(b":status", b"200")]


class Frame(NamedTuple):
    """One frame."""

    kind: int
    flags: int
    id: int
    payload: bytes


def frame(kind: int, flags: int = 0, id: int = 0, payload: bytes = b"") -> bytes:
    """Its bytes."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + id.to_bytes(4, "big") + payload


def settings(*pairs: tuple[int, int]) -> bytes:
    """SETTINGS."""
    return frame(codes.SETTINGS, 0, 0, b"".join(n.to_bytes(2, "big") + v.to_bytes(4, "big") for n, v in pairs))


SETTINGS_ACK = frame(codes.SETTINGS, codes.ACK)
HELLO = codes.PREFACE + settings() + SETTINGS_ACK  # of a client, after it has seen our settings


def data(id: int, content: bytes = b"", *, end: bool = False) -> bytes:
    """DATA."""
    return frame(codes.DATA, codes.END_STREAM if end else 0, id, content)


def rst(id: int, code: int = codes.CANCEL) -> bytes:
    """RST_STREAM."""
    return frame(codes.RST_STREAM, 0, id, code.to_bytes(4, "big"))


def window_update(id: int, increment: int) -> bytes:
    """WINDOW_UPDATE."""
    return frame(codes.WINDOW_UPDATE, 0, id, increment.to_bytes(4, "big"))


def goaway(last_id: int, code: int = codes.NO_ERROR) -> bytes:
    """GOAWAY."""
    return frame(codes.GOAWAY, 0, 0, last_id.to_bytes(4, "big") + code.to_bytes(4, "big"))


def parse(wire: bytes) -> list[Frame]:
    """Whole frames, without a preface."""
    frames, at = [], 0
    while at < len(wire):
        end = at + 9 + int.from_bytes(wire[at : at + 3], "big")
        id = int.from_bytes(wire[at + 5 : at + 9], "big")
        frames.append(Frame(wire[at + 3], wire[at + 4], id, wire[at + 9 : end]))
        at = end
    return frames


class Peer:
    """The other end of a connection: encodes what it sends, decodes what it gets."""

    def __init__(self) -> None:
        self._encoder = Encoder()
        self._decoder = Decoder(Judge(), 1 << 24)

    def block(self, fields: Fields) -> bytes:
        """The next header block."""
        return self._encoder.encode([HeaderField(name, value) for name, value in fields], [])

    def headers(self, id: int, fields: Fields, *, end: bool = False) -> bytes:
        """HEADERS with all of a block."""
        flags = codes.END_HEADERS | (codes.END_STREAM if end else 0)
        return frame(codes.HEADERS, flags, id, self.block(fields))

    def limit_table(self, size: int) -> None:
        """The other end's SETTINGS_HEADER_TABLE_SIZE has come."""
        self._encoder.limit_table(size)

    def fields(self, block: bytes) -> Fields:
        """Those of a block."""
        return [(field.name, field.value) for field in self._decoder.decode(block)]
