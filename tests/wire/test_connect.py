"""CONNECT tunnels (RFC 9110 9.3.6): bytes pass untouched, each way ends on its own, and a refused one never leaves
bytes to be read as a request."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from lab.peers import WAIT_S, Client, Upstream, UpstreamConnection
from lab.sidecar import LISTEN, Sidecar
from lab.wire import Wire


@pytest.fixture
def sidecar(start: Callable[..., Sidecar]) -> Sidecar:
    return start({"inbound": {"listen": "off"}, "outbound": {"listen": LISTEN, "connect": True}})


def connect(target: bytes, early: bytes = b"") -> bytes:
    return b"CONNECT " + target + b" HTTP/1.1\r\nHost: " + target + b"\r\n\r\n" + early


@pytest.fixture
def tunnel(sidecar: Sidecar, upstream: Upstream) -> Iterator[tuple[Client, UpstreamConnection]]:
    """Both ends of an open tunnel."""
    client = sidecar.client("outbound")
    client.send(connect(upstream.authority))
    far = upstream.accept()
    answer = client.response("CONNECT")
    assert answer.status == 200
    assert not set(answer.head.names()) & {"content-length", "transfer-encoding"}
    yield client, far


def test_bytes_pass_untouched(tunnel: tuple[Client, UpstreamConnection]) -> None:
    """Whatever they are, both ways, the upstream speaking first too."""
    client, far = tunnel
    far.send(b"\x00\xff220 hello\r\n\r\n")
    assert client.exactly(15) == b"\x00\xff220 hello\r\n\r\n"[:15]
    data = b"GET / HTTP/1.1\r\n\r\n\x16\x03\x01" + bytes(range(256))
    client.send(data, piece=50)
    assert far.exactly(len(data)) == data
    assert far.received == data


@pytest.mark.parametrize("piece", [0, 1], ids=["whole", "bytewise"])
def test_early_data(sidecar: Sidecar, upstream: Upstream, piece: int) -> None:
    """What the client sends before the 200 belongs to the tunnel: it arrives there, once, and is never read as a
    request."""
    client = sidecar.client("outbound")
    early = b"GET /early HTTP/1.1\r\nHost: a\r\n\r\n"
    client.send(connect(upstream.authority, early), piece=piece)
    far = upstream.accept()
    assert client.response("CONNECT").status == 200
    assert far.exactly(len(early)) == early
    far.send(b"back")
    assert client.exactly(4) == b"back"


def test_client_half_closes(tunnel: tuple[Client, UpstreamConnection]) -> None:
    """The client's end of input reaches the upstream, whose answer still reaches the client."""
    client, far = tunnel
    client.send(b"question").finish()
    assert far.to_end() == b"question"
    far.send(b"answer")
    far.close()
    assert client.to_end() == b"answer"


def test_upstream_half_closes(tunnel: tuple[Client, UpstreamConnection]) -> None:
    """And the other way round."""
    client, far = tunnel
    far.send(b"greeting").finish()
    assert client.to_end() == b"greeting"
    client.send(b"still here")
    client.close()
    assert far.to_end() == b"still here"


def test_reset_ends_both(tunnel: tuple[Client, UpstreamConnection]) -> None:
    """A reset on one side does not leave the other waiting."""
    client, far = tunnel
    far.reset()
    assert client.to_end() == b""


def test_refused_inbound(wire: Wire, upstream: Upstream) -> None:
    """An inbound listener is nobody's tunnel; what stood behind the CONNECT is not read as a request."""
    client = wire.client()
    client.send(connect(b"127.0.0.1:1", b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"))
    assert client.response("CONNECT").status == 405
    assert client.to_end() == b""
    wire.settle()
    assert not upstream.has_caller()


def test_refused_where_off(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    """`connect: false` refuses it on the outbound listener too."""
    sidecar = start({"inbound": {"listen": "off"}, "outbound": {"listen": LISTEN, "connect": False}})
    client = sidecar.client("outbound")
    client.send(connect(upstream.authority))
    assert client.response("CONNECT").status == 405
    sidecar.settle()
    assert not upstream.has_caller()


@pytest.mark.parametrize(
    "target", [b"/", b"a", b"http://a:80/", b"a:", b"a:b", b":80", b"a:99999", b"u@a:80", b"a:80/x", b"*"]
)
def test_bad_target(sidecar: Sidecar, target: bytes) -> None:
    """RFC 9112 3.2.3: authority-form, with a port, and nothing else."""
    client = sidecar.client("outbound")
    client.send(b"CONNECT " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.response("CONNECT").status == 400
    assert client.to_end() == b""


@pytest.mark.parametrize("framing", [b"Content-Length: 3", b"Transfer-Encoding: chunked"])
def test_content_is_refused(sidecar: Sidecar, framing: bytes) -> None:
    """RFC 9110 9.3.6: CONNECT has no content."""
    assert sidecar.ask(b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n\r\n", "outbound").status == 400


@pytest.mark.parametrize(
    ("listen", "host"),
    [
        (LISTEN, b"127.0.0.1"),
        (LISTEN, b"localhost"),
        (LISTEN, b"[::ffff:127.0.0.1]"),
        ("0.0.0.0:0", b"127.0.0.1"),
        ("0.0.0.0:0", b"127.0.0.2"),
        ("0.0.0.0:0", b"0.0.0.0"),
        ("0.0.0.0:0", b"[::ffff:127.0.0.1]"),
    ],
)
def test_a_tunnel_to_the_sidecar_itself(start: Callable[..., Sidecar], listen: str, host: bytes) -> None:
    """A loop: 508, by whatever name it goes. There is no Via to tell it by."""
    sidecar = start({"inbound": {"listen": "off"}, "outbound": {"listen": listen, "connect": True}})
    port = sidecar.addresses["outbound"].port
    assert sidecar.ask(connect(host + b":%d" % port), "outbound", "CONNECT").status == 508


def test_tunnels_are_counted(sidecar: Sidecar, upstream: Upstream) -> None:
    """In number and bytes, while they last and for ever."""
    metrics = sidecar.metrics.listener("outbound")
    client = sidecar.client("outbound")
    client.send(connect(upstream.authority))
    far = upstream.accept()
    assert client.response("CONNECT").status == 200
    client.send(b"12345")
    assert far.exactly(5) == b"12345"
    far.send(b"123")
    assert client.exactly(3) == b"123"
    assert (metrics.tunnels_total, metrics.tunnels_open) == ({"connect": 1}, 1)
    assert (metrics.tunnel_bytes_in, metrics.tunnel_bytes_out) == (5, 3)
    assert sidecar.plane.in_flight("outbound") == 1
    client.close()
    assert far.to_end() == b""
    far.close()
    sidecar.until(lambda: not sidecar.plane.in_flight())
    assert metrics.tunnels_open == 0


def test_nobody_there(sidecar: Sidecar) -> None:
    """Connection refused is 502 with its reason, and the bytes that were meant for the tunnel are gone."""
    gone = Upstream()
    gone.close()
    client = sidecar.client("outbound")
    client.send(connect(gone.authority, b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"))
    answer = client.response("CONNECT")
    assert answer.status == 502
    assert b"error=connection_refused" in (answer.head.value("proxy-status") or b"")
    assert client.to_end() == b""


def test_connect_to_a_named_upstream(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    """A tunnel goes to the authority that it names, byte for byte: no settings of an upstream are applied within."""
    sidecar = start({"inbound": {"listen": "off"}, "outbound": {"listen": LISTEN, "connect": True}})
    client = sidecar.client("outbound")
    client.send(connect(b"localhost:%d" % upstream.port))
    far = upstream.accept()
    assert client.response("CONNECT").status == 200
    client.send(b"b3: 0\r\n")
    assert far.exactly(7) == b"b3: 0\r\n"


@pytest.mark.parametrize("ends", [False, True], ids=["and-listens", "and-ends"])
def test_a_server_that_speaks_first(sidecar: Sidecar, upstream: Upstream, ends: bool) -> None:
    """SMTP, SSH and MySQL greet whoever connects: what comes before the tunnel is made is the tunnel's, an end too.

    Many times, since the greeting has to be faster than the 200."""

    def greet() -> None:
        for _ in range(40):
            with upstream.sock.accept()[0] as far:
                far.settimeout(WAIT_S)
                far.sendall(b"220 hello\r\n")
                if ends:
                    far.shutdown(socket.SHUT_WR)
                assert far.recv(4) == b"quit"

    with ThreadPoolExecutor(1) as server:
        greeted = server.submit(greet)
        for _ in range(40):
            with sidecar.client("outbound") as client:
                client.send(connect(upstream.authority))
                assert client.response("CONNECT").status == 200
                assert client.until(b"\r\n") == b"220 hello"
                assert not ends or client.is_ended()
                client.send(b"quit")
                assert client.is_ended()
        greeted.result(WAIT_S)


def test_after_a_request(sidecar: Sidecar, upstream: Upstream) -> None:
    """A connection that has carried requests may become a tunnel."""
    client = sidecar.client("outbound")
    client.send(b"GET / HTTP/1.1\r\nHost: " + upstream.authority + b"\r\n\r\n" + connect(upstream.authority))
    upstream.answer(b"first")
    assert client.response().body == b"first"
    far = upstream.accept()
    assert client.response("CONNECT").status == 200
    far.send(b"x")
    assert client.exactly(1) == b"x"
