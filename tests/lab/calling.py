"""An app that gets requests in each protocol and calls billing, beside a sidecar whose settings change meanwhile."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lab.both_sides import BothSides
from lab.h2 import HEADERS, client
from lab.messages import Message
from lab.peers import Client, Upstream, UpstreamConnection
from lab.sidecar import LISTEN, Settings, Sidecar, connect, merged

S = "a2fb4a1d1a96d312"
UPGRADE = (
    "GET /ws HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)


def traceparent(trace_id: str) -> str:
    return f"traceparent: 00-{trace_id}-{S}-01"


class Calling(BothSides):
    """See the module."""

    def __init__(self, sidecar: Sidecar, upstream: Upstream, billing: Upstream, settings: Settings) -> None:
        """`settings`: over which those of a reload stand."""
        super().__init__(sidecar, upstream, billing)
        self._settings = settings

    def reload(self, over: Settings | None = None) -> None:
        self.sidecar.replace(merged(self._settings, over or {}))

    def keep_translations(self, are_kept: bool) -> None:
        """Whether logs want to know what became of each request's trace fields, until the next reload."""

        def choose() -> None:
            for door in self.sidecar.plane._doors.values():
                door.listener.is_logging = are_kept

        self.sidecar.call(choose)

    def call(self, *fields: str, by: Client | None = None) -> str:
        """As `see`; the id of the trace that billing sees, or none."""
        return (self.see(*fields, by=by).head.value("traceparent") or b"").decode()[3:35]

    def see(self, *fields: str, by: Client | None = None) -> Message:
        """The app calls billing with `fields`; what billing sees."""
        client = by or self.client("outbound")
        head = ["GET http://billing.internal/ HTTP/1.1", "Host: billing.internal", *fields, "", ""]
        client.send("\r\n".join(head).encode())
        seen = self.billing.answer()
        assert client.response().status == 200
        return seen

    @contextmanager
    def at_app_by_http2(self, *fields: str) -> Iterator[None]:
        """As `at_app`."""
        peer = client(connect(self.sidecar.addresses["inbound"]))
        stream = peer.request(fields=_pairs(fields))
        app = self.upstream.busy()
        app.request()
        yield
        app.reply()
        assert peer.answer(stream).status == 200
        peer.close()
        self.settle()

    @contextmanager
    def websocket(self, *fields: str) -> Iterator[UpstreamConnection]:
        """A WebSocket is open at the app; the app's end of it."""
        near = self.client()
        near.send((UPGRADE + "\r\n".join([*fields, "", ""])).encode())
        app = self._accept_websocket()
        assert near.stream.response_head().start[0] == b"101"
        yield app
        near.reset()
        assert app.is_ended()
        self.settle()

    @contextmanager
    def websocket_by_http2(self, *fields: str) -> Iterator[UpstreamConnection]:
        """As `websocket` (RFC 8441)."""
        peer = client(connect(self.sidecar.addresses["inbound"]))
        head = [(":method", "CONNECT"), (":scheme", "http"), (":path", "/ws"), (":authority", "shop")]
        stream, peer.next_id = peer.next_id, peer.next_id + 2
        peer.headers(stream, [*head, (":protocol", "websocket"), ("sec-websocket-version", "13"), *_pairs(fields)])
        app = self._accept_websocket()
        assert dict(peer.frame(HEADERS, stream=stream).fields)[":status"] == "200"
        yield app
        peer.close()
        assert app.is_ended()
        self.settle()

    def _accept_websocket(self) -> UpstreamConnection:
        app = self.upstream.busy()
        head = app.stream.request_head()
        key = (head.value("sec-websocket-key") or b"").decode()
        app.send(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Accept: " + accept_of(key) + b"\r\n\r\n"
        )
        return app

    @property
    def newest_port(self) -> int:
        """The sidecar's port of the connection to the app that has the newest request."""

        def port() -> int:
            exchange: Any = self.sidecar.plane._in_flight.newest(1)[0].exchange
            return int(exchange.answerer.ends().peer_port)

        return self.sidecar.call(port)

    @property
    def linked(self) -> dict[str, int]:
        """How calls were joined."""
        return self.sidecar.metrics.exchange("outbound", "billing").translation.linked

    @property
    def findings(self) -> dict[str, int]:
        """What the doctor has found."""
        return self.sidecar.metrics.app_calls

    @property
    def missing(self) -> int:
        """How many requests and tunnels are at the app, and not remembered."""
        return self.sidecar.call(lambda: self.sidecar.plane._in_flight.missing)


def calling(start: Callable[..., Sidecar], upstream: Upstream, billing: Upstream, **settings: Any) -> Calling:
    """A sidecar between callers, the app `upstream`, and `billing`. The app speaks HTTP/1.1."""
    base = {
        "inbound": {"listen": LISTEN, "app": upstream.url, "http2": "never"},
        "outbound": {"listen": LISTEN},
        "upstreams": [{"name": "billing", "match": ["billing.internal"], "target": billing.url}],
        "admin": {"listen": "off"},
    }
    return Calling(start(merged(base, settings)), upstream, billing, base)


def accept_of(key: str) -> bytes:
    """RFC 6455, 4.2.2."""
    digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest)


def _pairs(fields: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, _, value in (field.partition(": ") for field in fields)]
