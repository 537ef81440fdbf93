"""Messages with a few bytes changed, by the hundred: whatever comes in, what goes out is HTTP/1.1 beyond doubt, and
it comes soon.

The oracle is the strict reader of `lab.messages`. The changes are random but the same each time; WIRE_SEED and
WIRE_MUTATIONS make others.
"""

from __future__ import annotations

import os
import random
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from lab.messages import Malformed, Truncated
from lab.peers import Upstream, UpstreamConnection
from lab.sidecar import Sidecar
from lab.wire import Wire

SEED = int(os.environ.get("WIRE_SEED", "20261122"))
COUNT = int(os.environ.get("WIRE_MUTATIONS", "400"))
CANARY = b"GET /canary HTTP/1.1\r\nHost: canary\r\n\r\n"

FIELDS = [
    b"Content-Length: 5",
    b"content-length:5",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding:\tchunked",
    b"Connection: close, x-a",
    b"Connection: keep-alive",
    b"X-A: 1",
    b"X-B3-TraceId: 463ac35c9f6413ad48485a3953bb6124",
    b"X-B3-SpanId: a2fb4a1d1a96d312",
    b"traceparent: 00-463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-01",
    b"tracestate: a=1,b=2",
    b"baggage: a=1;p=2",
    b"uber-trace-id: 1:2:0:1",
    b"X-Mirascope-Session-Id: s",
    b"Expect: 100-continue",
    b"TE: trailers",
    b"Upgrade: h2c",
    b"Via: 1.1 a",
    b"Host: b",
]
EVIL = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\x00",
    b" ",
    b"\t",
    b":",
    b",",
    b";",
    b"\x0b",
    b"\x7f",
    b"\x80",
    b"0",
    b"_",
    b"-",
    b"+",
    b"\r\n ",
    b"\r\n\r\n",
    b"HTTP/1.1",
]


def mutated(message: bytes, rng: random.Random) -> bytes:
    """`message` with up to three small changes."""
    for _ in range(rng.randrange(4)):
        at = rng.randrange(len(message) + 1)
        kind = rng.randrange(4)
        if kind == 0:
            message = message[:at] + rng.choice(EVIL) + message[at:]
        elif kind == 1:
            message = message[:at] + message[at + rng.randrange(1, 4) :]
        elif kind == 2:
            message = message[:at] + rng.choice(EVIL) + message[at + 1 :]
        else:
            start = rng.randrange(len(message) + 1)
            message = message[:at] + message[start : start + rng.randrange(1, 30)] + message[at:]
    return message


def head(start: bytes, rng: random.Random) -> bytes:
    return b"\r\n".join([start, *rng.sample(FIELDS, rng.randrange(6))]) + b"\r\n\r\n"


def body(rng: random.Random) -> bytes:
    return rng.choice(
        [b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"5;a=b\r\nhello\r\n0\r\nX-T: 1\r\n\r\n", b"0\r\n\r\n"]
    )


class StrictApp:
    """Answers each request that RFC 9112 leaves no doubt about, and keeps what was wrong with the others."""

    def __init__(self) -> None:
        self.server = Upstream()
        self.server.sock.settimeout(None)
        self.wrong: list[str] = []
        self._threads: list[threading.Thread] = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection = self.server.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: UpstreamConnection) -> None:
        connection.sock.settimeout(None)
        try:
            while True:
                connection.answer(b"ok")
        except Malformed as wrong:
            self.wrong.append(str(wrong))
        except (Truncated, OSError, ValueError):
            pass
        finally:
            connection.close()

    def stop(self) -> None:
        self.server.sock.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(5)
        for thread in self._threads[1:]:
            thread.join(5)
        self.server.close()


@pytest.fixture
def app(start: Callable[..., Sidecar]) -> Iterator[tuple[StrictApp, Sidecar]]:
    strict = StrictApp()
    sidecar = start({"inbound": {"app": strict.server.url, "propagation": {"inject": ["composite"]}}})
    yield strict, sidecar
    sidecar.thread.run(sidecar.plane.stop())
    strict.stop()


@pytest.mark.slow
def test_requests(app: tuple[StrictApp, Sidecar]) -> None:
    """Two requests, changed: the app sees only strict HTTP, the client gets strict answers and an end, and the next
    client is served."""
    strict, sidecar = app
    rng = random.Random(SEED)
    for turn in range(COUNT):
        start_line = rng.choice([b"GET / HTTP/1.1", b"POST /p HTTP/1.1", b"PUT /p HTTP/1.0", b"OPTIONS * HTTP/1.1"])
        raw = mutated(head(start_line + b"\r\nHost: a", rng) + body(rng) + b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n", rng)
        client = sidecar.client()
        client.send(raw, at=rng.randrange(len(raw)) if rng.random() < 0.5 else 0)
        client.finish()
        method = "HEAD" if raw.startswith(b"HEAD") else "GET"
        try:
            while not client.is_ended():
                client.response(method)
        except Truncated as cut:
            assert b"HTTP" not in cut.got[1:], (turn, raw, cut.got)
        except (Malformed, TimeoutError) as wrong:
            raise AssertionError((turn, raw, bytes(client.received))) from wrong
        assert not strict.wrong, (turn, raw, strict.wrong)
        if turn % 20 == 0:
            assert sidecar.client().ask(CANARY).body == b"ok"
        client.close()


@pytest.mark.slow
def test_responses(wire: Wire) -> None:
    """Answers, changed: what the client gets is whole and strict, or visibly cut, or a 502; and the next client gets
    its own."""
    rng = random.Random(SEED)
    statuses = [
        b"200 OK",
        b"204 No Content",
        b"304 Not Modified",
        b"404 ",
        b"103 Early Hints",
        b"100 Continue",
        b"101 Switching",
    ]
    for turn in range(COUNT):
        raw = head(b"HTTP/1.1 " + rng.choice(statuses), rng) + body(rng)
        if rng.random() < 0.3:
            raw += b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
        raw = mutated(raw, rng)
        client = wire.client()
        client.send(b"GET /%d HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % turn)
        app = wire.upstream.busy()
        app.request()
        app.settle = wire.sidecar.settle
        app.send(raw, at=rng.randrange(len(raw)) if rng.random() < 0.5 and raw else 0)
        app.close()
        try:
            answer = client.response()
            assert answer.status != 101, (turn, raw)
            assert client.is_ended(), (turn, raw, bytes(client.received))
        except Truncated:
            pass
        except (Malformed, TimeoutError) as wrong:
            raise AssertionError((turn, raw, bytes(client.received))) from wrong
        client.close()
        if turn % 20 == 0:
            canary = wire.client()
            canary.send(CANARY)
            assert wire.upstream.answer(b"mine").target == b"/canary"
            assert canary.response().body == b"mine"
            canary.close()
