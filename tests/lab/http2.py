"""HTTP/2 in tests: frames by hand, and both ends of an engine with owners that write down what they are told."""

from __future__ import annotations

from typing import Any, NamedTuple

from proxy.http2.engine import codes
from proxy.http2.engine.budgets import Bucket
from proxy.http2.engine.client import ClientEngine
from proxy.http2.engine.fields import FieldJudge
from proxy.http2.engine.heads import RequestHead, ResponseHead, status_field
from proxy.http2.engine.limits import Limits
from proxy.http2.engine.owner import ServerOwner
from proxy.http2.engine.server import ServerEngine
from proxy.http2.engine.streams import Stream, StreamUser
from proxy.http2.hpack.decoder import Decoder
from proxy.http2.hpack.encoder import Encoder
from proxy.http2.hpack.field import HeaderField, Judge
from proxy.semantics.fields import request_kinds, response_kinds

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


class User(StreamUser):
    """Writes down what it is told; holds its stream where `holds` says so."""

    def __init__(self, told: list[Any], name: object) -> None:
        self.told = told
        self.name = name
        self.stream: Stream | None = None
        self.holds = False

    def on_content(self, content: bytes, done: bool) -> None:
        if self.holds and self.stream is not None:
            self.stream.hold(True)
        self.told.append((self.name, "content", content, done))

    def on_trailers(self, fields: list[HeaderField]) -> None:
        self.told.append((self.name, "trailers", [(field.name, field.value) for field in fields]))

    def on_full(self, full: bool) -> None:
        self.told.append((self.name, "full", full))

    def on_reset(self, code: int, unheard: bool, detail: str) -> None:
        self.told.append((self.name, "reset", code, unheard))

    def on_interim(self, head: ResponseHead) -> None:
        self.told.append((self.name, "interim", head.status))

    def on_response(self, head: ResponseHead, done: bool) -> None:
        self.told.append((self.name, "response", head.status, done))


class Owner(ServerOwner):
    """Writes down what it is told, of the connection and of all its streams."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.flushes = 0
        self.over = 0
        self.streams: dict[int, Stream] = {}
        self.heads: dict[int, RequestHead] = {}
        self.holds = False

    def wants_flush(self) -> None:
        self.flushes += 1

    def on_failed(self, code: int, detail: str) -> None:
        self.told.append(("failed", code))

    def on_goaway(self, code: int, detail: bytes) -> None:
        self.told.append(("goaway", code))

    def on_settings(self) -> None:
        """Every test has some."""

    def on_pong(self, payload: bytes) -> None:
        self.told.append(("pong", payload))

    def on_stream_over(self) -> None:
        self.over += 1

    def on_malformed(self, code: int, detail: str) -> None:
        self.told.append(("malformed", code))

    def on_request(self, stream: Stream, head: RequestHead, done: bool) -> None:
        user = User(self.told, stream.id)
        user.stream, user.holds = stream, self.holds
        stream.user = user
        self.streams[stream.id] = stream
        self.heads[stream.id] = head
        self.told.append((stream.id, "request", head.path.value if head.path else b"", done))

    def on_oversized(self, stream: Stream, done: bool) -> None:
        self.streams[stream.id] = stream
        self.told.append((stream.id, "oversized", done))


class ServerEnd:
    """A server's engine, and the client's bytes."""

    def __init__(self, limits: Limits | None = None, resets: Bucket | None = None, hello: bytes = HELLO) -> None:
        self.owner = Owner()
        judge = FieldJudge(request_kinds(lambda name: name == b"b3", via=True, x_forwarded=True), True)
        self.engine = ServerEngine(self.owner, limits or Limits(), judge, resets or Bucket(100, 30))
        self.peer = Peer()
        self.engine.start()
        self.first = parse(self.engine.take_output())
        self.now = 0.0
        self.get(hello)

    def get(self, *wire: bytes) -> list[Frame]:
        """Bytes from the client; the frames that go out."""
        behind = self.engine.feed(b"".join(wire), self.now)
        while behind:
            behind = self.engine.feed(b"", self.now)
        return self.out()

    def out(self) -> list[Frame]:
        """The frames that go out now."""
        return parse(self.engine.take_output())

    def request(self, id: int, fields: Fields = GET, *, end: bool = True) -> Stream:
        """A request that is accepted."""
        self.get(self.peer.headers(id, fields, end=end))
        return self.owner.streams[id]

    def respond(self, id: int, status: int = 200, *, end: bool = False) -> list[Frame]:
        """A response's head."""
        self.owner.streams[id].send_headers([status_field(status)], [], end)
        return self.out()

    @property
    def told(self) -> list[Any]:
        """What the owner was told since the last time."""
        told = list(self.owner.told)
        self.owner.told.clear()
        return told


class ClientEnd:
    """A client's engine, and the server's bytes."""

    def __init__(self, limits: Limits | None = None, hello: bytes | None = None) -> None:
        self.owner = Owner()
        self.engine = ClientEngine(self.owner, limits or Limits(), FieldJudge(response_kinds(), False))
        self.peer = Peer()
        self.engine.start()
        first = self.engine.take_output()
        assert first.startswith(codes.PREFACE)
        self.first = parse(first.removeprefix(codes.PREFACE))
        self.now = 0.0
        self.get(settings() + SETTINGS_ACK if hello is None else hello)

    def get(self, *wire: bytes) -> list[Frame]:
        """Bytes from the server; the frames that go out."""
        behind = self.engine.feed(b"".join(wire), self.now)
        while behind:
            behind = self.engine.feed(b"", self.now)
        return self.out()

    def out(self) -> list[Frame]:
        """The frames that go out now."""
        return parse(self.engine.take_output())

    def open(self, fields: Fields = GET, *, end: bool = True, name: object = None) -> Stream:
        """A request, which goes out with the next output."""
        user = User(self.owner.told, name)
        stream = self.engine.open(user, [HeaderField(*field) for field in fields], [], end)
        user.stream = stream
        return stream

    @property
    def told(self) -> list[Any]:
        """What the owner was told since the last time."""
        told = list(self.owner.told)
        self.owner.told.clear()
        return told
