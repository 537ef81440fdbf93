"""Pipelined requests are answered in order, one in flight per connection (RFC 9112 9.3.2)."""

from __future__ import annotations

import pytest
from lab.wire import Wire


def get(path: bytes, *fields: bytes) -> bytes:
    return b"\r\n".join([b"GET " + path + b" HTTP/1.1", b"Host: a", *fields]) + b"\r\n\r\n"


@pytest.mark.parametrize("piece", [0, 1], ids=["whole", "bytewise"])
def test_in_order_one_in_flight(wire: Wire, piece: int) -> None:
    """The second is not seen by the app before the first is answered."""
    client = wire.client()
    client.send(get(b"/1") + get(b"/2") + get(b"/3"), piece=piece)
    app = wire.accept()
    for path in (b"/1", b"/2", b"/3"):
        assert app.request().target == path
        wire.settle()
        assert app.is_silent()
        assert not wire.upstream.has_caller()
        app.reply(b"answer " + path)
    for path in (b"/1", b"/2", b"/3"):
        assert client.response().body == b"answer " + path


def test_bodies_between(wire: Wire) -> None:
    """Bodies do not blur the border between requests."""
    chunked = b"POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n"
    client = wire.client()
    client.send(b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nGET " + chunked + get(b"/3"))
    app = wire.accept()
    seen = [app.answer(b"%d" % index) for index in range(3)]
    assert [(message.target, message.body) for message in seen] == [(b"/1", b"GET "), (b"/2", b"abc"), (b"/3", b"")]
    assert [client.response().body for _ in range(3)] == [b"0", b"1", b"2"]


def test_mixed_answers(wire: Wire) -> None:
    """HEAD, 204, 304, chunks, until close: each is framed so that the next one is found."""
    client = wire.client()
    client.send(b"HEAD /1 HTTP/1.1\r\nHost: a\r\n\r\n" + get(b"/2") + get(b"/3") + get(b"/4") + get(b"/5") + get(b"/6"))
    app = wire.accept()
    for raw in (
        b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nfive",
    ):
        app.request()
        app.send(raw)
    app.close()
    wire.upstream.answer(b"six")
    bodies = [client.response("HEAD").body, *(client.response().body for _ in range(5))]
    assert bodies == [b"", b"", b"", b"four", b"five", b"six"]


def test_close_ends_the_queue(wire: Wire) -> None:
    """RFC 9112 9.6: after a request with `Connection: close` nothing more is read."""
    client = wire.client()
    client.send(get(b"/1", b"Connection: close") + get(b"/2"))
    app = wire.accept()
    assert app.answer().target == b"/1"
    assert client.response().head.value("connection") == b"close"
    assert client.is_ended()
    wire.settle()
    assert b"/2" not in app.received
    assert not wire.upstream.has_caller()


def test_errors_of_our_own_keep_the_order(wire: Wire) -> None:
    """A refused app in between: its 502 comes in its place."""
    client = wire.client()
    client.send(get(b"/1") + get(b"/2"))
    app = wire.accept()
    app.request()
    wire.upstream.sock.close()
    app.reply(b"one", b"200 OK", b"Connection: close")
    assert client.response().body == b"one"
    assert client.response().status == 502


def test_a_flood_of_pipelined_requests_is_held_back(wire: Wire) -> None:
    """Reading is paused while one is in flight: what is not asked for yet stays with the client."""
    client = wire.client()
    client.sock.settimeout(0.3)
    sent = 0
    request = get(b"/x", b"X-Fill: " + b"f" * 4000)
    try:
        while sent < 256 * 1024 * 1024:
            client.sock.sendall(request)
            sent += len(request)
    except TimeoutError:
        pass
    assert sent < 64 * 1024 * 1024
