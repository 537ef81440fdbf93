"""A raw peer of HTTP/2, at either end: frames in and out, header blocks by the `hpack` library, nothing by itself.

Only SETTINGS and PING are acknowledged without being asked, and credit is given as content comes (`credits`).
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import NamedTuple

import hpack

from lab.peers import WAIT_S

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
NO_ERROR, PROTOCOL_ERROR, CANCEL, REFUSED_STREAM, ENHANCE_YOUR_CALM = 0, 1, 8, 7, 11
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

Fields = list[tuple[str, str]]


class Frame(NamedTuple):
    """One frame; of HEADERS the decoded fields."""

    kind: int
    flags: int
    stream: int
    payload: bytes
    fields: Fields

    @property
    def ends(self) -> bool:
        return self.kind in (DATA, HEADERS) and bool(self.flags & END_STREAM)

    @property
    def number(self) -> int:
        """The error code of RST_STREAM or GOAWAY."""
        return int.from_bytes(self.payload[-4:] if self.kind == RST_STREAM else self.payload[4:8], "big")

    @property
    def last_id(self) -> int:
        return int.from_bytes(self.payload[:4], "big")


class Answer(NamedTuple):
    """One response, whole."""

    fields: Fields
    body: bytes
    trailers: Fields

    @property
    def status(self) -> int:
        return int(dict(self.fields)[":status"])

    def field(self, name: str) -> str | None:
        return dict(self.fields + self.trailers).get(name)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def settings(**values: int) -> bytes:
    """`_3=100` is MAX_CONCURRENT_STREAMS."""
    return b"".join(int(key[1:]).to_bytes(2, "big") + value.to_bytes(4, "big") for key, value in values.items())


class Peer:
    """One end of a connection."""

    def __init__(self, sock: socket.socket, settle: Callable[[], None] | None = None, *, credits: bool = True) -> None:
        self.sock = sock
        self.credits = credits
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder(max_header_list_size=1 << 20)
        self.decoder.max_allowed_table_size = 1 << 20
        self.next_id = 1
        self.pings: list[bytes] = []
        self.their_settings: dict[int, int] = {}
        self._settle = settle
        self._buffer = b""
        self._early: list[Frame] = []

    def close(self) -> None:
        self.sock.close()

    # --- out

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def begin(self, **values: int) -> None:
        """A client's preface, or a server's."""
        self.send(frame(SETTINGS, 0, 0, settings(**values)))

    def headers(self, stream: int, fields: Fields, *, end: bool = False) -> None:
        self.send(frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, self.encoder.encode(fields)))

    def data(self, stream: int, content: bytes, *, end: bool = False) -> None:
        for at in range(0, max(len(content), 1), 16384):
            piece = content[at : at + 16384]
            is_last = at + 16384 >= len(content)
            self.send(frame(DATA, END_STREAM if end and is_last else 0, stream, piece))

    def reset(self, stream: int, code: int = CANCEL) -> None:
        self.send(frame(RST_STREAM, 0, stream, code.to_bytes(4, "big")))

    def credit(self, stream: int, size: int) -> None:
        self.send(frame(WINDOW_UPDATE, 0, stream, size.to_bytes(4, "big")))

    def request(self, path: str = "/", fields: Fields | None = None, *, method: str = "GET", end: bool = True) -> int:
        """Open a stream."""
        stream, self.next_id = self.next_id, self.next_id + 2
        head = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "app.test")]
        self.headers(stream, head + (fields or []), end=end)
        return stream

    def call(self, path: str = "/lab.Echo/Echo", fields: Fields | None = None, *, end: bool = False) -> int:
        """Open a stream for a call of gRPC."""
        head = [("content-type", "application/grpc"), ("te", "trailers")]
        return self.request(path, head + (fields or []), method="POST", end=end)

    # --- in

    def _read(self) -> Frame | None:
        """The next frame of any kind; None at the end of the connection."""
        while len(self._buffer) < 9 or len(self._buffer) < 9 + int.from_bytes(self._buffer[:3], "big"):
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._buffer += data
        size = int.from_bytes(self._buffer[:3], "big")
        kind, flags = self._buffer[3], self._buffer[4]
        stream = int.from_bytes(self._buffer[5:9], "big") & 0x7FFFFFFF
        payload, self._buffer = self._buffer[9 : 9 + size], self._buffer[9 + size :]
        fields: Fields = []
        if kind == HEADERS:
            assert flags & END_HEADERS, "CONTINUATION is not read here"
            fields = [(str(name), str(value)) for name, value in self.decoder.decode(payload)]
        return Frame(kind, flags, stream, payload, fields)

    def frame(self, *kinds: int, stream: int | None = None) -> Frame:
        """The next frame of one of these kinds (any but those that are answered here), on `stream` if given."""
        wanted = kinds or (DATA, HEADERS, RST_STREAM, GOAWAY)
        for early in self._early:
            if early.kind in wanted and stream in (None, early.stream):
                self._early.remove(early)
                return early
        self.sock.settimeout(WAIT_S)
        while True:
            came = self._read()
            assert came is not None, "the connection has ended"
            with contextlib.suppress(OSError):  # it has ended; what it said before can still be read
                self._answer(came)
            if came.kind in wanted and stream in (None, came.stream):
                return came
            if came.kind in (DATA, HEADERS, RST_STREAM, GOAWAY):
                self._early.append(came)

    def _answer(self, came: Frame) -> None:
        if came.kind == SETTINGS and not came.flags & ACK:
            for at in range(0, len(came.payload), 6):
                number, value = came.payload[at : at + 2], came.payload[at + 2 : at + 6]
                self.their_settings[int.from_bytes(number, "big")] = int.from_bytes(value, "big")
            self.send(frame(SETTINGS, ACK, 0))
        elif came.kind == PING and not came.flags & ACK:
            self.pings.append(came.payload)
            self.send(frame(PING, ACK, 0, came.payload))
        elif came.kind == DATA and came.payload and self.credits:
            self.credit(0, len(came.payload))
            if not came.ends:
                self.credit(came.stream, len(came.payload))

    def answer(self, stream: int) -> Answer:
        """The whole response on `stream`. Fails if it is reset."""
        body, heads = b"", list[Fields]()
        while True:
            came = self.frame(DATA, HEADERS, RST_STREAM, stream=stream)
            assert came.kind != RST_STREAM, f"reset with {came.number}"
            if came.kind == DATA:
                body += came.payload
            elif not dict(came.fields).get(":status", "").startswith("1"):
                heads.append(came.fields)
            if came.ends:
                return Answer(heads[0], body, heads[1] if len(heads) > 1 else [])

    def is_over(self) -> bool:
        """Reads to the end of the connection. True if it has ended in order."""
        self.sock.settimeout(WAIT_S)
        while (came := self._read()) is not None:
            self._early.append(came)
        return True

    def goaway(self) -> Frame:
        return self.frame(GOAWAY)


def client(sock: socket.socket, **values: int) -> Peer:
    """A client that has begun."""
    peer = Peer(sock)
    peer.send(PREFACE)
    peer.begin(**values)
    return peer


class App:
    """A scripted app that speaks HTTP/2 in the clear."""

    def __init__(self, **values: int) -> None:
        self._values = values
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(WAIT_S)
        self._peers: list[Peer] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def close(self) -> None:
        self._listening.close()
        for peer in self._peers:
            peer.close()

    def accept(self, *, credits: bool = True) -> Peer:
        """The next connection of the sidecar, greeted."""
        sock, _ = self._listening.accept()
        peer = Peer(sock, credits=credits)
        self._peers.append(peer)
        preface = b""
        sock.settimeout(WAIT_S)
        while len(preface) < len(PREFACE):
            preface += sock.recv(len(PREFACE) - len(preface))
        assert preface == PREFACE
        peer.begin(**self._values)
        return peer
