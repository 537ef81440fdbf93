"""Hostile clients and apps: the connection ends with GOAWAY, memory stays flat, and others are served meanwhile.

The sidecar is a process of its own, so that its memory can be read.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import hpack
import pytest
from lab.h2 import GOAWAY, HEADERS, PREFACE, App, Frame, Peer
from lab.http2 import data, frame, rst, settings, window_update
from lab.peers import WAIT_S
from lab.process import SidecarProcess
from lab.sidecar import LISTEN, Sidecar, connect

from proxy.http2.engine import codes
from proxy.http2.engine.codes import ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, PROTOCOL_ERROR

pytestmark = pytest.mark.slow

Begin = Callable[..., Peer]

MIB = 1024
FLAT_KIB = 6 * MIB  # how much the process may grow: caches fill up, and the allocator keeps what it has
FIELDS = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "app.test")]
LARGE = bytes(8 << 20)


def block(fields: list[tuple[str, str]] = FIELDS) -> bytes:
    """A header block that leaves the table as it is."""
    return b"".join(
        b"\x00" + bytes((len(name),)) + name.encode() + bytes((len(value),)) + value.encode() for name, value in fields
    )


OPEN = frame(HEADERS, codes.END_HEADERS, 1, block())
BEGUN = frame(HEADERS, 0, 1, block())


def requests_and_resets() -> Iterator[bytes]:
    for stream in range(1, 1 << 20, 2):
        yield frame(HEADERS, codes.END_HEADERS, stream, block()) + rst(stream)


def faults_and_resets() -> Iterator[bytes]:
    """Streams that we have to reset, since the client breaks a rule on each."""
    for stream in range(1, 1 << 20, 2):
        yield frame(HEADERS, codes.END_HEADERS, stream, block()) + window_update(stream, 0)


def again(wire: bytes, first: bytes = b"") -> Callable[[], Iterator[bytes]]:
    def pieces() -> Iterator[bytes]:
        yield first
        for _ in range(1 << 16):
            yield wire

    return pieces


FLOODS: dict[str, Callable[[], Iterator[bytes]]] = {
    "rapid reset": requests_and_resets,
    "resets that we make": faults_and_resets,
    "CONTINUATION": again(frame(codes.CONTINUATION, 0, 1, b"\x00\x01x\x7f\x00" + bytes(127)), BEGUN),
    "empty CONTINUATION": again(frame(codes.CONTINUATION, 0, 1), frame(HEADERS, 0, 1, block())),
    "PING": again(frame(codes.PING, 0, 0, b"12345678") * 16),
    "SETTINGS": again(settings((codes.INITIAL_WINDOW_SIZE, 65535)) * 16),
    "empty DATA": again(data(1) * 16, OPEN),
    "padding": again(frame(codes.DATA, codes.PADDED, 1, b"\x02\0\0") * 16, OPEN),
    "PRIORITY": again(frame(codes.PRIORITY, 0, 7, bytes(5)) * 16),
    "unknown types": again(frame(0x42) * 16),
    "WINDOW_UPDATE": again(window_update(0, 1) * 16),
    "WINDOW_UPDATE of a stream": again(window_update(1, 1) * 16, OPEN),
}


@pytest.fixture(scope="module")
def app() -> Iterator[str]:
    """An app of HTTP/1.1: 8 MiB to every GET, 2 bytes to everything else."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = LARGE if self.command == "GET" else b"ok"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            if self.command == "POST":
                self.send_header("Connection", "close")  # chunks are left unread
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

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
def sidecar(app: str) -> Iterator[SidecarProcess]:
    flags = ("--inbound", LISTEN, "--app", app, "--outbound", "off", "--admin", "off")
    with SidecarProcess(*flags) as process:
        assert is_served(process)  # caches fill up
        yield process


@pytest.fixture
def begin(sidecar: SidecarProcess) -> Iterator[Callable[..., Peer]]:
    """`begin()`: a client that has sent its preface and settings."""
    made: list[Peer] = []

    def make(first: bytes = PREFACE + settings()) -> Peer:
        made.append(greet(sidecar, first))
        return made[-1]

    yield make
    for peer in made:
        peer.close()


@pytest.fixture
def grown(sidecar: SidecarProcess) -> Callable[[], int]:
    """`grown()`: by how many KiB the sidecar has grown at most since the test began."""
    before = sidecar.memory_kib("VmRSS")
    sidecar.reset_peak()
    return lambda: sidecar.memory_kib("VmHWM") - before


def greet(process: SidecarProcess, first: bytes = PREFACE + settings()) -> Peer:
    peer = Peer(connect(process.addresses["inbound"]))
    peer.decoder = hpack.Decoder(max_header_list_size=1 << 20)
    peer.send(first)
    return peer


def read(peer: Peer) -> list[Frame]:
    """All frames up to the end of a stream, or of the connection."""
    peer.sock.settimeout(WAIT_S)
    frames = []
    with contextlib.suppress(ConnectionResetError):
        while (came := peer._read()) is not None:
            frames.append(came)
            if came.ends:
                break
    return frames


def is_served(process: SidecarProcess) -> bool:
    """Whether another client gets its answer."""
    peer = greet(process)
    peer.send(frame(HEADERS, codes.END_HEADERS | codes.END_STREAM, 1, block()))
    frames = read(peer)
    peer.close()
    return any(one.kind == HEADERS and (":status", "200") in one.fields for one in frames)


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_ends_the_connection(
    name: str, sidecar: SidecarProcess, begin: Begin, grown: Callable[[], int]
) -> None:
    peer = begin()
    sent = 0
    with contextlib.suppress(OSError):
        for piece in FLOODS[name]():
            peer.sock.sendall(piece)
            sent += len(piece)
    assert is_served(sidecar)
    assert grown() < FLAT_KIB
    assert sent < 64 << 20


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_is_told_why(name: str, sidecar: SidecarProcess, begin: Begin) -> None:
    """A client that reads what it is told gets a GOAWAY."""
    peer = begin()
    peer.sock.setblocking(False)
    received = b""
    pieces = FLOODS[name]()
    for piece in pieces:
        try:
            peer.sock.settimeout(WAIT_S)
            peer.sock.sendall(piece)
            peer.sock.setblocking(False)
            received += peer.sock.recv(65536)
        except BlockingIOError:
            continue
        except OSError:
            break
        if frame(GOAWAY)[3:9] in received:
            break
    at = received.find(frame(GOAWAY)[3:9])
    assert at >= 0
    peer.sock.settimeout(WAIT_S)
    while len(received) < at + 14:
        received += peer.sock.recv(65536)
    assert int.from_bytes(received[at + 10 : at + 14], "big") == ENHANCE_YOUR_CALM


def test_a_header_bomb_stays_small(sidecar: SidecarProcess, begin: Begin, grown: Callable[[], int]) -> None:
    """10.5.1: one field of 4000 bytes, named 16000 times in each of 20 requests: 1.2 GiB."""
    peer = begin()
    entry = b"\x40\x01x\x7f\xa1\x1e" + bytes(b"v" * 4000)
    peer.send(frame(HEADERS, codes.END_HEADERS | codes.END_STREAM, 1, block() + entry))
    read(peer)
    with contextlib.suppress(OSError):
        for stream in range(3, 43, 2):
            bomb = block() + b"\xbe" * 16000
            peer.send(frame(HEADERS, codes.END_HEADERS | codes.END_STREAM, stream, bomb))
    answered = 0
    while answered < 20:
        frames = read(peer)
        if not frames or frames[-1].kind == GOAWAY:
            break
        answered += 1
        assert (":status", "431") in next(one.fields for one in frames if one.kind == HEADERS)
    assert is_served(sidecar)
    assert grown() < FLAT_KIB


@pytest.mark.parametrize("window", [0, 1, 0x7FFFFFFF])
def test_answers_that_nobody_reads_stay_small(
    window: int, sidecar: SidecarProcess, begin: Begin, grown: Callable[[], int]
) -> None:
    """A hundred answers of 8 MiB: to a client without windows, and to one with any window that reads nothing."""
    peer = begin(PREFACE + settings((codes.INITIAL_WINDOW_SIZE, window)) + window_update(0, 0x7FFFFFFF - 65535))
    get = block([(":method", "GET"), *FIELDS[1:]])
    for stream in range(1, 201, 2):
        peer.send(frame(HEADERS, codes.END_HEADERS | codes.END_STREAM, stream, get))
    peer.credits = False
    heads = 0
    while window < 2 and heads < 100:  # then their content is there, too
        heads += peer.frame(HEADERS).kind == HEADERS
    for _ in range(3):
        assert is_served(sidecar)
    assert grown() < 100 * 320 + FLAT_KIB  # 256 KiB of each, and what goes with it


def test_more_content_than_was_allowed(sidecar: SidecarProcess, begin: Begin, grown: Callable[[], int]) -> None:
    """6.9.1: a client that sends on, whatever its window."""
    peer = begin()
    peer.send(OPEN)
    with contextlib.suppress(OSError):
        for _ in range(4096):
            peer.sock.sendall(data(1, bytes(16384)))
    assert is_served(sidecar)
    assert grown() < FLAT_KIB


# --- an app that is hostile


@pytest.fixture
def hostile(start: Callable[..., Sidecar]) -> Iterator[tuple[App, Peer, Peer]]:
    """The app, its connection, and a client that has one call open there."""
    app = App()
    sidecar = start({"inbound": {"app": app.url, "http2": "always"}})
    client = Peer(connect(sidecar.addresses["inbound"]))
    client.send(PREFACE + settings())
    client.request(fields=[("x-a", "1")])
    behind = app.accept()
    behind.frame(HEADERS)
    yield app, behind, client
    client.close()
    app.close()


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (frame(codes.PUSH_PROMISE, codes.END_HEADERS, 1, b"\0\0\0\2\x82"), PROTOCOL_ERROR),
        (frame(HEADERS, codes.END_HEADERS, 2, b"\x88"), PROTOCOL_ERROR),
        (frame(codes.PING, 0, 0, bytes(8)) * 3000, ENHANCE_YOUR_CALM),
        (settings() * 3000, ENHANCE_YOUR_CALM),
        (frame(HEADERS, 0, 1, b"\x88") + frame(codes.CONTINUATION, 0, 1, b"x") * 100, ENHANCE_YOUR_CALM),
        (frame(HEADERS, codes.END_HEADERS, 1, b"\x88") + data(1) * 3000, ENHANCE_YOUR_CALM),
        (window_update(0, 0x7FFFFFFF), FLOW_CONTROL_ERROR),
        (frame(HEADERS, codes.END_HEADERS, 1, b"\xff\xff\xff\xff\xff"), codes.COMPRESSION_ERROR),
    ],
)
def test_a_hostile_app_loses_its_connection(wire: bytes, code: int, hostile: tuple[App, Peer, Peer]) -> None:
    """And its client hears of it: as a response where that is possible still."""
    _, behind, client = hostile
    with contextlib.suppress(OSError):
        behind.send(wire)
    assert behind.goaway().number == code
    came = client.frame(HEADERS, codes.RST_STREAM)
    if came.kind == HEADERS and (":status", "200") in came.fields:
        came = client.frame(codes.RST_STREAM)
    assert came.kind == codes.RST_STREAM or (":status", "502") in came.fields


def test_an_app_that_sends_more_than_was_allowed_loses_its_stream(hostile: tuple[App, Peer, Peer]) -> None:
    """6.9.1, while the client takes nothing: what we hold of it is bounded by the window that the app has got."""
    _, behind, client = hostile
    client.credits = False
    behind.send(frame(HEADERS, codes.END_HEADERS, 1, b"\x88"))
    with contextlib.suppress(OSError):
        for _ in range(100):
            behind.send(data(1, bytes(16384)))
    last = behind.frame(codes.RST_STREAM, GOAWAY)
    assert last.number == FLOW_CONTROL_ERROR


def test_a_connection_that_is_not_http_2(start: Callable[..., Sidecar]) -> None:
    """An app that answers in something else."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(WAIT_S)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    sidecar = start({"inbound": {"app": url, "http2": "always"}})
    client = Peer(connect(sidecar.addresses["inbound"]))
    client.send(PREFACE + settings())
    client.request()
    behind, _ = listening.accept()
    behind.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    assert (":status", "502") in client.frame(HEADERS).fields
    for sock in (behind, listening, client):
        sock.close()
