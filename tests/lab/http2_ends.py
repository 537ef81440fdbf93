"""Both ends of an HTTP/2 engine, with owners and users that write down what they are told.

Compiled classes have no subclass in Python: there, the tests that import this are skipped.
"""

from __future__ import annotations

from typing import Any, cast

import pytest

from lab.http2 import GET, HELLO, SETTINGS_ACK, Fields, Frame, Peer, parse, settings
from proxy.http2.engine import codes, engine
from proxy.http2.engine.budgets import Bucket
from proxy.http2.engine.client import ClientEngine
from proxy.http2.engine.fields import FieldJudge
from proxy.http2.engine.heads import RequestHead, ResponseHead, status_field
from proxy.http2.engine.limits import Limits
from proxy.http2.engine.owner import ServerOwner
from proxy.http2.engine.server import ServerEngine
from proxy.http2.engine.streams import Stream, StreamUser
from proxy.http2.hpack.field import HeaderField
from proxy.semantics.fields import request_kinds, response_kinds

if not cast(str, engine.__file__).endswith(".py"):
    pytest.skip("compiled classes have no subclass in Python", allow_module_level=True)


class User(StreamUser):
    """Writes down what it is told; holds its stream where `holds` says so."""

    def __init__(self, told: list[Any], name: object, details: list[str]) -> None:
        self.told = told
        self.details = details
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
        self.details.append(detail)

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
        self.settings = 0  # how often the peer's came
        self.resets: list[tuple[int, bool]] = []  # code, and whether it was received
        self.details: list[str] = []  # why streams and connections ended, in words

    def wants_flush(self) -> None:
        self.flushes += 1

    def on_failed(self, code: int, detail: str) -> None:
        self.told.append(("failed", code))
        self.details.append(detail)

    def on_goaway(self, code: int, detail: bytes) -> None:
        self.told.append(("goaway", code))
        self.details.append(detail.decode(errors="replace"))

    def on_settings(self) -> None:
        self.settings += 1

    def on_pong(self, payload: bytes) -> None:
        self.told.append(("pong", payload))

    def on_stream_over(self) -> None:
        self.over += 1

    def on_reset(self, code: int, received: bool) -> None:
        self.resets.append((code, received))

    def on_malformed(self, code: int, detail: str) -> None:
        self.told.append(("malformed", code))
        self.details.append(detail)

    def on_request(self, stream: Stream, head: RequestHead, done: bool) -> None:
        user = User(self.told, stream.id, self.details)
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
        user = User(self.owner.told, name, self.owner.details)
        stream = self.engine.open(user, [HeaderField(*field) for field in fields], [], end)
        user.stream = stream
        return stream

    @property
    def told(self) -> list[Any]:
        """What the owner was told since the last time."""
        told = list(self.owner.told)
        self.owner.told.clear()
        return told
