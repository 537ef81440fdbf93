"""Credit is given only while the other side has room; streams are fair to each other; floods end in GOAWAY."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from lab.h2 import (
    CONTINUATION,
    DATA,
    ENHANCE_YOUR_CALM,
    HEADERS,
    PING,
    PRIORITY,
    PROTOCOL_ERROR,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    App,
    Peer,
    frame,
)
from lab.sidecar import Sidecar

Start = Callable[..., Sidecar]
Knock = Callable[..., Peer]
MIB = 1024 * 1024


def send_until_stuck(peer: Peer, stream: int, most: int) -> int:
    """Send content on `stream`, as far as the windows of the sidecar go; how much that was."""
    window, connection, sent = 65535, 65535, 0
    peer.sock.settimeout(0.5)
    while sent < most:
        while min(window, connection) > 0 and sent < most:
            piece = min(window, connection, 16384, most - sent)
            peer.send(frame(DATA, 0, stream, bytes(piece)))
            window, connection, sent = window - piece, connection - piece, sent + piece
        try:
            came = peer._read()
        except TimeoutError:
            break
        assert came is not None
        if came.kind == WINDOW_UPDATE:
            size = int.from_bytes(came.payload, "big")
            if came.stream:
                window += size
            else:
                connection += size
    return sent


@pytest.mark.parametrize("window", [65535, 2**31 - 1], ids=["its window", "its transport"])
def test_an_upstream_waits_for_a_client_that_does_not_read(start: Start, app: App, knock: Knock, window: int) -> None:
    """Whether the client gives no credit, or a huge one and reads nothing from its socket."""
    client = knock(start({"inbound": {"app": app.url}}), _4=window)
    if window > 65535:
        client.credit(0, window - 65535)
    client.request()
    peer = app.accept()
    stream = peer.frame(HEADERS).stream
    peer.headers(stream, [(":status", "200")])
    assert send_until_stuck(peer, stream, 64 * MIB) < 16 * MIB


def test_a_client_waits_for_an_upstream_that_does_not_read(start: Start, app: App, knock: Knock) -> None:
    client = knock(start({"inbound": {"app": app.url}}))
    stream = client.request(method="POST", end=False)
    app.accept(credits=False).frame(HEADERS)
    assert send_until_stuck(client, stream, 64 * MIB) < 2 * MIB


def test_a_stream_that_is_not_read_holds_up_no_other(start: Start, app: App, knock: Knock) -> None:
    client = knock(start({"inbound": {"app": app.url}}))
    slow = client.request("/slow")
    peer = app.accept()
    stream = peer.frame(HEADERS).stream
    peer.headers(stream, [(":status", "200")])
    client.credits = False
    sent = send_until_stuck(peer, stream, 8 * MIB)
    assert sent < 2 * MIB
    client.credit(0, 10 * MIB)  # the connection's window, not the stream's
    for number in range(5):
        quick = client.request(f"/{number}")
        seen = peer.frame(HEADERS)
        peer.headers(seen.stream, [(":status", "200")])
        peer.data(seen.stream, b"x" * 10_000, end=True)
        assert client.answer(quick).body == b"x" * 10_000
    assert slow != quick


def test_streams_take_turns(start: Start, app: App, knock: Knock) -> None:
    """Of two large answers, neither is sent whole before the other begins."""
    client = knock(start({"inbound": {"app": app.url}}))
    first, second = client.request("/1"), client.request("/2")
    peer = app.accept()
    streams = [peer.frame(HEADERS).stream, peer.frame(HEADERS).stream]
    client.credits = False
    for stream in streams:
        peer.headers(stream, [(":status", "200")])
        for _ in range(3):
            peer.data(stream, bytes(16384))
    client.frame(HEADERS, stream=first)
    client.frame(HEADERS, stream=second)
    client.credit(0, MIB)
    came = [client.frame(DATA).stream for _ in range(6)]
    assert set(came[:4]) == {first, second}


# --- an evil client

HEAD = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")]


def ping(peer: Peer) -> None:
    peer.send(frame(PING, 0, 0, bytes(8)) * 100)


def settings(peer: Peer) -> None:
    peer.send(frame(SETTINGS, 0, 0, b"") * 100)


def empty_data(peer: Peer) -> None:
    if peer.next_id == 1:
        peer.request(method="POST", end=False)
    peer.send(frame(DATA, 0, 1, b"") * 100)


def priority(peer: Peer) -> None:
    peer.send(frame(PRIORITY, 0, 1, bytes(3) + b"\x07\x10") * 100)


def unknown(peer: Peer) -> None:
    peer.send(frame(99, 0, 0, b"x" * 10) * 100)


def continuation(peer: Peer) -> None:
    if peer.next_id == 1:
        peer.next_id = 3
        peer.send(frame(HEADERS, 0, 1, peer.encoder.encode(HEAD)))
    peer.send(frame(CONTINUATION, 0, 1, b"\x00\x01x\x7f\x00" + b"v" * 127) * 100)


def byte_by_byte(peer: Peer) -> None:
    peer.send(frame(WINDOW_UPDATE, 0, 0, (1).to_bytes(4, "big")) * 100)


def resets(peer: Peer) -> None:
    for _ in range(100):
        peer.reset(peer.request())


@pytest.mark.parametrize(
    "flood",
    [ping, settings, empty_data, priority, unknown, continuation, byte_by_byte, resets],
    ids=lambda f: f.__name__,
)
def test_a_flood_ends_in_goaway(start: Start, app: App, knock: Knock, flood: Callable[[Peer], None]) -> None:
    """And costs nobody else: another client's call is answered."""
    sidecar = start({"inbound": {"app": app.url}})
    innocent = knock(sidecar)
    asked = innocent.request("/innocent")
    peer = app.accept()
    stream = peer.frame(HEADERS).stream
    evil = knock(sidecar)
    with contextlib.suppress(OSError):  # the end may come behind all of it: the kernel's buffers are large
        for _ in range(2000):
            flood(evil)
            evil.sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                evil._buffer += evil.sock.recv(MIB)
            evil.sock.settimeout(5)
    try:
        assert evil.goaway().number in (ENHANCE_YOUR_CALM, PROTOCOL_ERROR)
    except AssertionError as error:
        assert "the connection has ended" in str(error), "its own bytes may have cost it our last ones"
    peer.headers(stream, [(":status", "204")], end=True)
    assert innocent.answer(asked).status == 204
    sidecar.until(lambda: sidecar.metrics.listener("inbound").protocol_errors.get("bad-request", 0) >= 1)


def test_a_bomb_of_header_fields_is_refused(start: Start, app: App, knock: Knock) -> None:
    """One entry of the table, named ten thousand times: decoded, it would be 40 MB."""
    client = knock(start({"inbound": {"app": app.url}}))
    for _ in range(5):
        head = [*HEAD, ("x-big", "v" * 3900)]
        block = client.encoder.encode(head) + client.encoder.encode([head[-1]]) * 10_000
        stream, client.next_id = client.next_id, client.next_id + 2
        client.send(frame(HEADERS, 5, stream, block[:16384]))
        assert client.answer(stream).status == 431


# --- an evil upstream


@pytest.mark.parametrize(
    "answer",
    [
        [("x-no", "status")],
        [(":status", "abc")],
        [(":status", "101")],
        [(":status", "200"), ("connection", "close")],
        [(":status", "200"), ("X-Upper", "1")],
        [(":status", "200"), ("content-length", "5")],
        [(":status", "200"), ("x-a", "x" * 100_000)],
    ],
    ids=["no status", "bad status", "101", "connection", "upper case", "no content", "large"],
)
def test_a_bad_answer_is_502(start: Start, app: App, knock: Knock, answer: list[tuple[str, str]]) -> None:
    """And its connection serves others."""
    client = knock(start({"inbound": {"app": app.url}}))
    asked = client.request()
    peer = app.accept()
    stream = peer.frame(HEADERS).stream
    block = peer.encoder.encode(answer, huffman=False)
    pieces = [block[at : at + 16384] for at in range(0, len(block), 16384)]
    for number, piece in enumerate(pieces):
        flags = (0 if number else 1) | (4 if number == len(pieces) - 1 else 0)
        peer.send(frame(CONTINUATION if number else HEADERS, flags, stream, piece))
    told = client.answer(asked)
    assert told.status == 502


@pytest.mark.parametrize(
    "evil",
    [
        frame(5, 4, 1, bytes(4) + b"\x82"),
        frame(DATA, 0, 99, b"x"),
        frame(HEADERS, 4, 1, b"\xff\xff\xff\xff\xff\xff"),
        frame(WINDOW_UPDATE, 0, 0, (2**31 - 1).to_bytes(4, "big")) * 2,
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        frame(CONTINUATION, 4, 1, b"x"),
    ],
    ids=["push", "idle stream", "compression", "window", "http/1.1", "continuation"],
)
def test_an_upstream_that_breaks_the_protocol(start: Start, app: App, knock: Knock, evil: bytes) -> None:
    """Its connection ends; the call gets a status, and the next one a new connection."""
    client = knock(start({"inbound": {"app": app.url}}))
    asked = client.call(end=True)
    peer = app.accept()
    peer.frame(HEADERS)
    peer.send(evil)
    told = client.answer(asked)
    assert (told.status, told.field("grpc-status")) == (200, "14")
    assert peer.goaway().number != 0
    again = client.call(end=True)
    other = app.accept()
    stream = other.frame(HEADERS).stream
    other.headers(stream, [(":status", "200"), ("grpc-status", "0")], end=True)
    assert client.answer(again).field("grpc-status") == "0"


def test_more_content_than_announced(start: Start, app: App, knock: Knock) -> None:
    client = knock(start({"inbound": {"app": app.url}}))
    asked = client.request()
    peer = app.accept()
    stream = peer.frame(HEADERS).stream
    peer.headers(stream, [(":status", "200"), ("content-length", "3")])
    peer.data(stream, b"four", end=True)
    client.frame(HEADERS)
    assert client.frame(RST_STREAM).stream == asked


def test_an_upstream_that_is_silent_in_the_middle(start: Start, app: App, knock: Knock) -> None:
    client = knock(start({"inbound": {"app": app.url, "timeouts": {"response_body_s": 0.2}}}))
    asked = client.request()
    peer = app.accept()
    stream = peer.frame(HEADERS).stream
    peer.headers(stream, [(":status", "200")])
    client.frame(HEADERS)
    assert client.frame(RST_STREAM).stream == asked
    assert peer.frame(RST_STREAM).stream == stream
