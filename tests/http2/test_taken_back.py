"""What a client takes back within one read never reaches the app, and costs it no connection.

Whatever takes it back: a reset, a broken rule, the end of the connection, a limit.
Whatever the app speaks, and whether a connection to it is at hand or not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import hpack
import pytest
from lab.h2 import (
    CANCEL,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    RST_STREAM,
    WINDOW_UPDATE,
    App,
    Fields,
    Peer,
    frame,
)
from lab.peers import Upstream
from lab.sidecar import LISTEN, Sidecar

pytestmark = pytest.mark.logs

Start = Callable[..., Sidecar]
Knock = Callable[..., Peer]

PROBE = frame(PING, 0, 0, b"behind..")
GET = [(":method", "GET"), (":scheme", "http"), (":path", "/back"), (":authority", "app.test")]
POST = [(":method", "POST"), *GET[1:]]
CALL = [*POST, ("content-type", "application/grpc"), ("te", "trailers")]
SOCKET = [(":method", "CONNECT"), (":protocol", "websocket"), *GET[1:], ("sec-websocket-version", "13")]


def head(fields: Fields, *, end: bool = False) -> bytes:
    """A block that leaves the tables of both ends as they are."""
    block = hpack.Encoder().encode([hpack.NeverIndexedHeaderTuple(*field) for field in fields])
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), 3, block)


def reset(code: int = CANCEL) -> bytes:
    return frame(RST_STREAM, 0, 3, code.to_bytes(4, "big"))


def data(content: bytes, *, end: bool = False) -> bytes:
    return frame(DATA, END_STREAM if end else 0, 3, content)


class Kind(NamedTuple):
    """One way to take a request back: the frames, and what the log says of it."""

    wire: bytes
    status: int = 499
    ends_connection: bool = False


KINDS = {
    "reset": Kind(head(GET, end=True) + reset()),
    "reset of a request without end": Kind(head(POST) + reset()),
    "reset behind content": Kind(head(POST) + data(b"some") + reset()),
    "reset behind all content": Kind(head(POST) + data(b"all", end=True) + reset()),
    "reset behind trailers": Kind(head(POST) + data(b"all") + head([("x-sum", "1")], end=True) + reset()),
    "reset of a call": Kind(head(CALL) + data(b"\0\0\0\0\0", end=True) + reset()),
    "reset of a WebSocket": Kind(head(SOCKET) + reset()),
    "reset of a WebSocket behind bytes": Kind(head(SOCKET) + data(b"early") + reset()),
    "a second head": Kind(head(POST) + head(GET)),
    "more content than announced": Kind(head([*POST, ("content-length", "3")]) + data(b"four")),
    "less content than announced": Kind(head([*POST, ("content-length", "3")]) + data(b"", end=True)),
    "a window without an increment": Kind(head(POST) + frame(WINDOW_UPDATE, 0, 3, bytes(4))),
    "a window beyond the largest": Kind(head(POST) + frame(WINDOW_UPDATE, 0, 3, b"\x7f\xff\xff\xff")),
    "content beyond the limit": Kind(head(POST) + data(bytes(101)), status=413),
    "a broken connection": Kind(head(GET, end=True) + frame(DATA, 0, 0, b"x"), ends_connection=True),
    "a broken block": Kind(head(GET, end=True) + frame(HEADERS, 5, 5, b"\xff" * 5), ends_connection=True),
    "content behind the end": Kind(head(GET, end=True) + data(b"x")),
}


def begin(start: Start, url: str, http2: str) -> Sidecar:
    limits = {"body_bytes": 100}
    return start({"inbound": {"app": url, "http2": http2, "limits": limits}, "clients": {"resets": 10}})


def take_back(sidecar: Sidecar, client: Peer, kind: Kind) -> None:
    """One read has the request, and what takes it back; and all that follows from it has happened."""
    client.next_id = 5
    before = len(sidecar.records)
    with sidecar.standstill():
        client.send(kind.wire + PROBE)
    client.frame(GOAWAY if kind.ends_connection else PING)
    sidecar.until(lambda: len(sidecar.records) > before)
    assert [record.status for record in sidecar.records[before:]] == [kind.status]
    sidecar.settle()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("http2", ["auto", "never"])
def test_an_app_of_http_1_1_does_not_hear_of_it(
    http2: str, kind: Kind, start: Start, knock: Knock, upstream: Upstream
) -> None:
    """And the connection that is kept open to it stays open."""
    sidecar = begin(start, upstream.url, http2)
    client = knock(sidecar)
    first = client.request("/first")
    kept = upstream.accept()
    if http2 == "auto":
        kept.reply(b"", b"400 Bad Request")  # to the preface of HTTP/2
        kept.close()
        kept = upstream.accept()
    kept.answer()
    assert client.answer(first).status == 200
    take_back(sidecar, client, kind)
    assert kept.is_silent()
    assert not upstream.has_caller()
    other = knock(sidecar)
    again = other.request("/next")
    assert kept.answer().target == b"/next"
    assert other.answer(again).status == 200


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("http2", ["auto", "never", "always"])
def test_no_connection_is_made_for_it(http2: str, kind: Kind, start: Start, knock: Knock, upstream: Upstream) -> None:
    sidecar = begin(start, upstream.url, http2)
    take_back(sidecar, knock(sidecar), kind)
    assert not upstream.has_caller()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_an_app_of_http_2_does_not_hear_of_it(kind: Kind, start: Start, knock: Knock, app: App) -> None:
    sidecar = begin(start, app.url, "always")
    client = knock(sidecar)
    first = client.request("/first")
    kept = app.accept()
    assert kept.frame(HEADERS).stream == 1
    kept.headers(1, [(":status", "204")], end=True)
    assert client.answer(first).status == 204
    take_back(sidecar, client, kind)
    other = knock(sidecar)
    again = other.request("/next")
    seen = kept.frame()
    assert (seen.kind, dict(seen.fields)[":path"], seen.stream) == (HEADERS, "/next", 3)
    kept.headers(3, [(":status", "204")], end=True)
    assert other.answer(again).status == 204


def test_no_tunnel_is_made_for_it(start: Start, knock: Knock, upstream: Upstream) -> None:
    sidecar = start({"inbound": {"listen": "off"}, "outbound": {"listen": LISTEN, "connect": True}})
    ask = head([(":method", "CONNECT"), (":authority", upstream.authority.decode())])
    for wire in (ask + reset(), ask + data(b"early") + reset(), ask + data(b"", end=True) + reset()):
        take_back(sidecar, knock(sidecar, "outbound"), Kind(wire))
    assert not upstream.has_caller()


def test_what_comes_with_its_head_is_sent_with_it(start: Start, knock: Knock, upstream: Upstream) -> None:
    """Content and trailers of the same read."""
    sidecar = begin(start, upstream.url, "never")
    client = knock(sidecar)
    with sidecar.standstill():
        client.send(head(POST) + data(b"one ") + data(b"two") + head([("x-sum", "7")], end=True))
    app = upstream.accept()
    request = app.answer()
    assert (request.body, request.trailers) == (b"one two", [(b"x-sum", b"7")])
    assert client.answer(3).status == 200
