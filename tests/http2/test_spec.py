"""RFC 9113 and RFC 7541, rule by rule, against a running sidecar: what each frame brings, wrong ones and right ones.

Most rules are rows of `lab.http2_checks`. Those that need several steps are tests of their own.
`engine/test_server` and `test_control` have the same rules without sockets, and more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from lab.h2 import PREFACE, Frame, Peer
from lab.http2 import data, frame, rst, settings, window_update
from lab.http2_checks import ASKED, CHECKS, OPEN, PRIO, G
from lab.peers import WAIT_S
from lab.sidecar import LISTEN, LoopThread, Sidecar, connect

from proxy.http2.engine.codes import (
    CANCEL,
    CONTINUATION,
    DATA,
    END_HEADERS,
    GOAWAY,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    PING,
    PRIORITY,
    PROTOCOL_ERROR,
    RST_STREAM,
    SETTINGS,
    STREAM_CLOSED,
)

BODY = b"0123456789"
MARK = b"the mark"  # of the PING at the end of what is sent


@pytest.fixture(scope="module")
def plain_app() -> Iterator[str]:
    """An app of HTTP/1.1 that answers everything at once."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(BODY)))
            if self.command == "POST":
                self.send_header("Connection", "close")  # chunks are left unread
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(BODY)

        do_HEAD = do_GET

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """The sidecar has given up a request."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def sidecar(loop_thread: LoopThread, plain_app: str) -> Iterator[Sidecar]:
    """One for all checks: each has a connection of its own."""
    off = {"listen": "off"}
    inbound = {"listen": LISTEN, "app": plain_app, "limits": {"streams": 4}}
    made = Sidecar(loop_thread, {"inbound": inbound, "outbound": off, "admin": off})
    yield made
    made.stop()


@pytest.fixture
def begin(sidecar: Sidecar) -> Iterator[Callable[..., Peer]]:
    """`begin()`: a client that has sent its preface and empty settings."""
    made: list[Peer] = []

    def make(first: bytes = PREFACE + settings()) -> Peer:
        made.append(Peer(connect(sidecar.addresses["inbound"])))
        made[-1].send(first)
        return made[-1]

    yield make
    for peer in made:
        peer.close()


def came(peer: Peer, enough: Callable[[Frame], bool]) -> list[Frame]:
    """All frames until `enough`, or until the end of the connection."""
    peer.sock.settimeout(WAIT_S)
    frames = []
    while (one := peer._read()) is not None:
        frames.append(one)
        if enough(one):
            break
    return frames


@pytest.mark.parametrize("name", CHECKS)
def test_check(name: str, begin: Callable[..., Peer]) -> None:
    wire, expected = CHECKS[name]
    peer = begin()
    peer.send(wire + frame(PING, 0, 0, MARK))

    def enough(one: Frame) -> bool:
        if expected.what == "answer":
            return one.stream == expected.stream and one.ends
        return one.kind == PING and one.payload == MARK

    frames = came(peer, enough)
    goaways = [one.number for one in frames if one.kind == GOAWAY]
    gone = {one.stream: one.number for one in frames if one.kind == RST_STREAM}
    if expected.what == "goaway":
        assert len(goaways) == 1
        assert goaways[0] in expected.codes
        assert frames[-1].kind == GOAWAY, "the connection ends with it"
        return
    assert goaways == []
    if expected.what == "reset":
        assert gone[expected.stream] in expected.codes
    elif expected.what == "answer":
        head = next(one for one in frames if one.kind == HEADERS and one.stream == expected.stream)
        assert dict(head.fields)[":status"] == "200"
    else:
        assert set(gone) <= {1}
    assert frames[-1].kind in (PING, DATA, HEADERS)


@pytest.mark.parametrize("first", [b"INVALID CONNECTION PREFACE\r\n\r\n", PREFACE[:18] + b"XX\r\n\r\n"])
def test_a_wrong_preface_ends_the_connection(first: bytes, begin: Callable[..., Peer]) -> None:
    """3.4. What is no preface at all is taken for HTTP/1.1, and answered in it."""
    peer = begin(first)
    peer.sock.settimeout(WAIT_S)
    while peer.sock.recv(65536):
        pass


def test_settings_are_the_first_frame(begin: Callable[..., Peer]) -> None:
    """3.4: theirs and ours."""
    peer = begin(PREFACE + frame(PING, 0, 0, MARK))
    frames = came(peer, lambda one: False)
    assert frames[0].kind == SETTINGS
    assert (frames[-1].kind, frames[-1].number) == (GOAWAY, PROTOCOL_ERROR)


def test_a_stream_that_both_have_ended(begin: Callable[..., Peer]) -> None:
    """5.1, closed."""
    for wire, kind, code in (
        (data(1, b"x"), RST_STREAM, STREAM_CLOSED),
        (ASKED, GOAWAY, STREAM_CLOSED),
        (frame(CONTINUATION, END_HEADERS, 1, G), GOAWAY, PROTOCOL_ERROR),
    ):
        peer = begin()
        peer.send(ASKED)
        came(peer, lambda one: one.ends)
        peer.send(frame(PRIORITY, 0, 1, PRIO) + wire)
        last = came(peer, lambda one: one.kind in (RST_STREAM, GOAWAY))[-1]
        assert (last.kind, last.number) == (kind, code)


def test_a_window_of_one_byte_and_one_that_is_negative(begin: Callable[..., Peer]) -> None:
    """6.9.1, 6.9.2."""
    peer = begin(PREFACE + settings((INITIAL_WINDOW_SIZE, 3)))
    peer.send(ASKED)
    assert came(peer, lambda one: one.kind == DATA)[-1].payload == BODY[:3]
    peer.send(settings((INITIAL_WINDOW_SIZE, 1)) + window_update(1, 2) + frame(PING, 0, 0, MARK))
    assert DATA not in [one.kind for one in came(peer, lambda one: one.kind == PING)]
    peer.send(window_update(1, 1))
    assert came(peer, lambda one: one.kind == DATA)[-1].payload == BODY[3:4]
    peer.send(settings((INITIAL_WINDOW_SIZE, 100)))
    rest = came(peer, lambda one: one.ends)
    assert b"".join(one.payload for one in rest if one.kind == DATA) == BODY[4:]


def test_of_several_values_the_last_counts(begin: Callable[..., Peer]) -> None:
    """6.5.3."""
    peer = begin(PREFACE + settings((INITIAL_WINDOW_SIZE, 100), (INITIAL_WINDOW_SIZE, 1)))
    peer.send(ASKED)
    assert came(peer, lambda one: one.kind == DATA)[-1].payload == BODY[:1]


def test_a_cancelled_stream_is_no_more_heard_of(begin: Callable[..., Peer]) -> None:
    """5.4.2: no RST_STREAM is answered with another."""
    peer = begin()
    peer.send(OPEN + rst(1, CANCEL) + frame(PING, 0, 0, MARK))
    assert RST_STREAM not in [one.kind for one in came(peer, lambda one: one.kind == PING)]
